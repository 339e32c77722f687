/**
 * The way to one other member: keeps one outgoing connection, carries this member's messages and requests on it, and
 * opens it again when it ends. While there is none, messages are dropped at once: raft sends again.
 *
 * States: idle (made, not started) -> dialing -> connected -> waiting (backoff) -> dialing ...; ended is final.
 */
import type { Logger, Timer } from "../io/index.ts";
import type { Message } from "../raft/index.ts";
import { Backoff } from "./backoff.ts";
import { FRAME_ANSWER } from "./frame.ts";
import { type LeaseSettings, leaseObstacle, NEVER_MET } from "./lease-settings.ts";
import { ChannelFailure, type OpenChannel, openChannel } from "./open-channel.ts";
import { OutstandingRequests, readAnswer, requestFrame } from "./outstanding-requests.ts";
import { type ConnectionOwner, PeerConnection } from "./peer-connection.ts";
import { PeerCounters } from "./peer-counters.ts";
import type { PeerServices } from "./peer-services.ts";
import type { Dialing } from "./peer-socket.ts";
import type { PeerAnswer } from "./types.ts";

/** A younger attempt is left alone. */
const FRESH_DIAL_MS = 200;

export class PeerLink implements ConnectionOwner {
  readonly member: bigint;
  readonly counters: PeerCounters;
  readonly requests: OutstandingRequests;
  /** By what it said last, in either direction: why its promises cannot be relied on; null when they can. */
  leaseObstacle: string | null = NEVER_MET;
  readonly #services: PeerServices;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  #urls: readonly string[];
  #urlIndex = 0;
  #connection: PeerConnection | null = null;
  #dialing: Dialing | null = null;
  #dialedAtMs = 0;
  #timer: Timer | null = null;
  #isEnded = false;
  #activeSinceMs = Number.NaN;
  #roundTripMs = Number.NaN;
  /** What was logged last, so that a member that is away does not fill the log. */
  #loggedReason = "";
  /** Of the connection that is open, what the counters have already. */
  #countedBytes = { sent: 0, received: 0 };

  constructor(
    member: bigint,
    urls: readonly string[],
    services: PeerServices,
    counters: PeerCounters = new PeerCounters(),
  ) {
    const { limits, random } = services.options;
    this.member = member;
    this.counters = counters;
    this.#urls = urls;
    this.#services = services;
    this.#logger = services.options.logger;
    this.requests = new OutstandingRequests(limits.requestsMax);
    this.#backoff = new Backoff(limits.backoffMsMin, limits.backoffMsMax, random);
  }

  get urls(): readonly string[] {
    return this.#urls;
  }

  get isActive(): boolean {
    return this.#connection !== null;
  }

  /** NaN while not connected. */
  get activeSinceMs(): number {
    return this.#activeSinceMs;
  }

  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  get queuedMessages(): number {
    return this.#connection?.queuedMessages ?? 0;
  }

  get queuedBytes(): number {
    return this.#connection?.queuedBytes ?? 0;
  }

  /** It introduced itself. */
  noteLease(settings: LeaseSettings | null): void {
    this.leaseObstacle = leaseObstacle(this.#services.leaseSettings, settings);
  }

  /** The other member has just dialed us, so it can be reached: no time is lost with what was tried before. */
  reachable(): void {
    const { clock } = this.#services.options;
    if (this.#dialing !== null && clock.monotonicMs() - this.#dialedAtMs > FRESH_DIAL_MS) {
      // Sent into the void while the line was cut, it would wait for the next repetition by the system.
      this.#dialing.cancel();
      this.#dialing = null;
    }
    this.connect();
  }

  /** Dials at once, unless it is connected or about to be. */
  connect(): void {
    if (this.#isEnded || this.#connection !== null || this.#dialing !== null) return;
    this.#timer?.cancel();
    this.#dial();
  }

  /** Other URLs concern the next connection; the open one proved itself. */
  setUrls(urls: readonly string[]): void {
    if (urls.length === this.#urls.length && urls.every((url, i) => url === this.#urls[i])) return;
    this.#urls = urls;
    this.#urlIndex = 0;
    this.#backoff.reset();
    if (this.#connection !== null) return;
    this.#dialing?.cancel();
    this.#dialing = null;
    this.connect();
  }

  /** False: dropped. */
  send(message: Message): boolean {
    if (this.#connection?.offer(message) === true) return true;
    this.counters.sendFailures++;
    return false;
  }

  /** False: `done` will not be called. */
  request(
    name: string,
    body: Uint8Array,
    deadlineMs: number,
    done: (answer: PeerAnswer | null) => void,
  ): boolean {
    if (this.#connection === null || this.requests.isFull) return false;
    const id = this.requests.add(deadlineMs, done);
    if (this.#connection.offerFrame(requestFrame(id, name, body), false)) return true;
    this.requests.forget(id);
    return false;
  }

  /** The regular look: pings, silence, deadlines. */
  check(nowMs: number): void {
    this.requests.expire(nowMs);
    const connection = this.#connection;
    if (connection === null) return;
    this.#count();
    if (connection.isSilentFor(this.#services.options.limits.silentChecksMax)) {
      connection.fail("the member does not answer");
    } else connection.ping(nowMs);
  }

  /** What is queued still leaves; nobody is told of what waits for an answer if the transport stops. */
  end(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#dialing?.cancel();
    this.#count();
    this.#connection?.close();
    this.#connection = null;
    this.#activeSinceMs = Number.NaN;
  }

  onFrame(kind: number, body: Uint8Array): string | null {
    const read = kind === FRAME_ANSWER ? readAnswer(body) : null;
    if (read === null) return `an unexpected frame of kind ${kind}`;
    this.requests.answer(read.id, read.answer);
    return null;
  }

  onChunkEnd(): void {}

  onPong(sentMs: number): void {
    const tookMs = this.#services.options.clock.monotonicMs() - sentMs;
    if (!(tookMs >= 0)) return;
    // Only now it has shown that it works: one that is closed at once must not be dialed without a pause.
    this.#backoff.reset();
    this.#roundTripMs = tookMs;
    this.counters.roundTripSeconds.observe(tookMs / 1000);
  }

  onClosed(reason: string): void {
    this.#count();
    this.#connection = null;
    this.#activeSinceMs = Number.NaN;
    this.#roundTripMs = Number.NaN;
    this.counters.sendFailures++;
    this.counters.disconnects++;
    this.#logger.warn("peer became inactive (message send to peer failed)", {
      "peer-id": this.member.toString(16),
      error: reason,
    });
    this.#services.noteUnreachable(this.member);
    this.requests.failAll();
    this.#retryLater();
  }

  #dial(): void {
    const { options } = this.#services;
    const url = this.#urls[this.#urlIndex % Math.max(1, this.#urls.length)];
    if (url === undefined) return;
    const timeoutMs = options.limits.dialTimeoutMs;
    this.#dialedAtMs = options.clock.monotonicMs();
    this.#timer = options.clock.setTimer(timeoutMs, () => {
      this.#dialing?.cancel();
      this.#failed(new ChannelFailure(`dial ${url}: i/o timeout`));
    });
    const hello = this.#services.helloTo(this.member, "messages");
    this.#dialing = openChannel(options.dial, url, hello, timeoutMs, (outcome) => {
      this.#timer?.cancel();
      if (outcome instanceof ChannelFailure) this.#failed(outcome);
      else this.#opened(outcome, url);
    });
  }

  #opened({ socket, head, serverVersion, lease }: OpenChannel, url: string): void {
    this.#dialing = null;
    this.noteLease(lease);
    this.#loggedReason = "";
    this.#countedBytes = { sent: 0, received: 0 };
    this.#activeSinceMs = this.#services.options.clock.monotonicMs();
    const connection = new PeerConnection(this.#services.connections, socket, this);
    this.#connection = connection;
    this.#logger.info("peer became active", {
      "peer-id": this.member.toString(16),
      "peer-url": url,
      "peer-version": serverVersion,
    });
    connection.ping(this.#activeSinceMs);
    connection.receive(head);
  }

  #failed(failure: ChannelFailure): void {
    this.#dialing = null;
    if (failure.reason !== this.#loggedReason) {
      this.#loggedReason = failure.reason;
      this.#logger.warn("failed to reach peer", {
        "local-member-id": this.#services.memberId.toString(16),
        "peer-id": this.member.toString(16),
        error: failure.reason,
      });
    }
    this.#urlIndex++;
    this.#retryLater();
    if (failure.isRemoved) this.#services.noteRemoved();
  }

  #retryLater(): void {
    if (this.#isEnded) return;
    this.#timer?.cancel();
    this.#timer = this.#services.options.clock.setTimer(this.#backoff.nextMs(), () =>
      this.connect(),
    );
  }

  #count(): void {
    const connection = this.#connection;
    if (connection === null) return;
    this.counters.sentBytes += connection.sentBytes - this.#countedBytes.sent;
    this.counters.receivedBytes += connection.receivedBytes - this.#countedBytes.received;
    this.#countedBytes = { sent: connection.sentBytes, received: connection.receivedBytes };
  }
}
