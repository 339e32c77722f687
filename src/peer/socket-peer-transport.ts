/**
 * The members' transport over sockets. Each pair of members has one connection each way: a member's messages, and its
 * requests with their answers, travel on the one that it opened. Snapshots have connections of their own. The listener
 * of the peer URLs hands upgrade requests to `accept`.
 *
 * Invariants: every queue is bounded (PeerLimits); no callback comes from within a call of the server; after `stop`
 * none comes at all; every `done` is called once, unless the transport stops first.
 */
import { assert } from "../base/assert.ts";
import { bytesToHex } from "../base/bytes.ts";
import type { Clock, Logger, Random, Timer } from "../io/index.ts";
import type { Message } from "../raft/index.ts";
import type { TlsFiles } from "../tls/index.ts";
import { ByteRate } from "./byte-rate.ts";
import { dialWith } from "./dial.ts";
import { type ChannelKind, type Hello, ownHello } from "./hello.ts";
import { type LeaseSettings, NEVER_MET } from "./lease-settings.ts";
import { REQUEST_NAME_MAX } from "./outstanding-requests.ts";
import {
  type AcceptorHost,
  PeerAcceptor,
  refuseUpgrade,
  type UpgradeRequest,
} from "./peer-acceptor.ts";
import { type ConnectionServices, FlushTurn } from "./peer-connection.ts";
import { PeerCounters, type PeerStatistics } from "./peer-counters.ts";
import type { PeerLink } from "./peer-link.ts";
import {
  PEER_LIMITS,
  type PeerLimits,
  type PeerParts,
  type PeerServices,
} from "./peer-services.ts";
import type { Dial, PeerSocket } from "./peer-socket.ts";
import { PeerTable } from "./peer-table.ts";
import { type SnapshotOutcome, SnapshotSending } from "./snapshot-sending.ts";
import type {
  PeerAddress,
  PeerAnswer,
  PeerEvents,
  PeerTransport,
  SnapshotMessage,
  SnapshotSource,
} from "./types.ts";

export interface SocketPeerTransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly serverVersion: string;
  /** Told to the members that are dialed. */
  readonly advertisedPeerUrls: readonly string[];
  /** Told to all members, and compared with theirs. */
  readonly leaseSettings: LeaseSettings;
  /** For https and unixs peer URLs. */
  readonly peerTls?: TlsFiles | undefined;
  readonly limits?: Partial<PeerLimits>;
  /** Instead of sockets of the system. */
  readonly dial?: Dial;
}

/** Between looks at the deadlines of requests, while there are any. */
const DEADLINE_CHECK_MS = 50;
const TRANSFER_ID_BYTES = 16;

export class SocketPeerTransport implements PeerTransport, PeerServices, AcceptorHost {
  readonly options: PeerParts;
  readonly connections: ConnectionServices;
  readonly serverVersion: string;
  readonly leaseSettings: LeaseSettings;
  readonly services: PeerServices = this;
  readonly #advertisedPeerUrls: readonly string[];
  readonly #table: PeerTable;
  readonly #acceptor: PeerAcceptor;
  readonly #rate: ByteRate;
  readonly #sendings = new Set<SnapshotSending>();
  readonly #dones = new WeakMap<SnapshotSending, (arrived: boolean) => void>();
  #identity: { readonly memberId: bigint; readonly clusterId: bigint } | null = null;
  #events: PeerEvents | null = null;
  #isStopped = false;
  #removed: ReadonlySet<bigint> = new Set();
  #wasToldRemoved = false;
  #unreachable = new Set<bigint>();
  #checkTimer: Timer | null = null;
  #deadlineTimer: Timer | null = null;

  constructor(options: SocketPeerTransportOptions) {
    const { clock, logger, random } = options;
    const limits = { ...PEER_LIMITS, ...options.limits };
    const dial = options.dial ?? dialWith(options.peerTls);
    this.options = { clock, logger, random, dial, limits };
    this.serverVersion = options.serverVersion;
    this.leaseSettings = options.leaseSettings;
    this.#advertisedPeerUrls = options.advertisedPeerUrls;
    const turn = new FlushTurn(
      (fire) => clock.soon(fire),
      (delayMs, fire) => clock.setTimer(delayMs, fire),
    );
    this.connections = { turn, queueLimits: limits, bodyBytesMax: limits.frameBytesMax };
    this.#table = new PeerTable(this);
    this.#acceptor = new PeerAcceptor(this);
    this.#rate = new ByteRate(limits.snapshotBytesPerSecond);
  }

  /** Who this member is: known once its storage is open, and before `start`. */
  identify(memberId: bigint, clusterId: bigint): void {
    assert(this.#identity === null, "a member has one identity");
    this.#identity = { memberId, clusterId };
  }

  get memberId(): bigint {
    assert(this.#identity !== null, "the member has no identity yet");
    return this.#identity.memberId;
  }

  get clusterId(): bigint {
    assert(this.#identity !== null, "the member has no identity yet");
    return this.#identity.clusterId;
  }

  get events(): PeerEvents {
    assert(this.#events !== null, "the transport has not started");
    return this.#events;
  }

  start(events: PeerEvents): void {
    assert(this.#identity !== null && this.#events === null, "start once, with an identity");
    this.#events = events;
    this.#table.connect();
    this.#armCheck();
  }

  setPeers(peers: readonly PeerAddress[]): void {
    const gone = this.#table.set(peers.filter(({ id }) => id !== this.#identity?.memberId));
    if (this.#events !== null) this.#table.connect();
    for (const link of gone) this.#drop(link);
  }

  setRemoved(members: readonly bigint[]): void {
    this.#removed = new Set(members);
    for (const member of members) this.#acceptor.drop(member);
  }

  send(messages: readonly Message[]): void {
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]!;
      const link = this.#table.get(message.to);
      if (link !== null && !link.send(message)) this.noteUnreachable(message.to);
    }
    // Before the own disk is written and before what is committed is applied.
    this.connections.turn.flushNow();
  }

  sendSnapshot(
    message: SnapshotMessage,
    source: SnapshotSource,
    done: (arrived: boolean) => void,
  ): void {
    const member = message.to;
    const id = new Uint8Array(TRANSFER_ID_BYTES);
    this.options.random.fill(id);
    const transfer = { id: bytesToHex(id), message, sizeBytes: source.sizeBytes };
    const target = { member, urls: () => this.#table.get(member)?.urls ?? [] };
    const sending = new SnapshotSending(
      transfer,
      target,
      source,
      this,
      this.#rate,
      (own, outcome) => this.#snapshotEnded(own, outcome),
    );
    this.#dones.set(sending, done);
    this.#sendings.add(sending);
    this.options.logger.info("sending database snapshot", {
      "remote-peer-id": member.toString(16),
      "snapshot-index": message.snapshot.index,
      bytes: source.sizeBytes,
    });
    this.#soon(() => {
      if (this.#table.get(member) !== null) sending.start();
      else sending.finish({ arrived: false, reason: "the member is not known" });
    });
  }

  request(
    to: bigint,
    name: string,
    body: Uint8Array,
    timeoutMs: number,
    done: (answer: PeerAnswer | null) => void,
  ): void {
    assert(name.length <= REQUEST_NAME_MAX, `the name of a request: ${name}`);
    const deadlineMs = this.options.clock.monotonicMs() + timeoutMs;
    if (this.#table.get(to)?.request(name, body, deadlineMs, done) === true) this.#armDeadlines();
    else this.#soon(() => done(null));
  }

  activeSinceMs(member: bigint): number {
    return this.#table.get(member)?.activeSinceMs ?? Number.NaN;
  }

  roundTripMs(member: bigint): number {
    return this.#table.get(member)?.roundTripMs ?? Number.NaN;
  }

  leaseObstacle(member: bigint): string | null {
    const link = this.#table.get(member);
    return link === null ? NEVER_MET : link.leaseObstacle;
  }

  /** Of all known members, by ascending id. */
  statistics(): PeerStatistics[] {
    return this.#table.statistics();
  }

  stop(): void {
    this.#isStopped = true;
    this.#checkTimer?.cancel();
    this.#deadlineTimer?.cancel();
    for (const sending of this.#sendings) sending.abandon();
    this.#sendings.clear();
    this.#acceptor.stop();
    for (const link of this.#table.set([])) {
      link.requests.forgetAll();
      link.end();
    }
  }

  /** The listener's hook: takes the connection over, or refuses it. */
  accept(request: UpgradeRequest, socket: PeerSocket, head: Uint8Array): void {
    socket.on("error", () => {});
    if (this.#isStopped || this.#events === null) {
      refuseUpgrade(socket, 503, "the member is not ready");
      return;
    }
    this.#acceptor.accept(request, socket, head);
  }

  helloTo(to: bigint, channel: ChannelKind): Hello {
    const { memberId: from, clusterId, serverVersion } = this;
    return ownHello({
      ...{ clusterId, from, to, channel, serverVersion },
      ...{ peerUrls: this.#advertisedPeerUrls, lease: this.leaseSettings },
    });
  }

  noteUnreachable(member: bigint): void {
    if (this.#unreachable.add(member).size > 1) return;
    this.#soon(() => {
      const members = this.#unreachable;
      this.#unreachable = new Set();
      for (const each of members) this.#events?.unreachable(each);
    });
  }

  noteRemoved(): void {
    if (this.#wasToldRemoved) return;
    this.#wasToldRemoved = true;
    this.#soon(() => this.#events?.removed());
  }

  isRemoved(member: bigint): boolean {
    return this.#removed.has(member);
  }

  welcome(member: bigint, peerUrls: readonly string[], lease: LeaseSettings | null): boolean {
    const link = this.#table.get(member) ?? this.#table.learn(member, peerUrls);
    link?.noteLease(lease);
    link?.reachable();
    return link !== null;
  }

  left(member: bigint): void {
    const link = this.#table.forgetLearned(member);
    if (link !== null) this.#drop(link);
  }

  countersOf(member: bigint): PeerCounters {
    return this.#table.get(member)?.counters ?? new PeerCounters();
  }

  #snapshotEnded(sending: SnapshotSending, { arrived, reason }: SnapshotOutcome): void {
    this.#sendings.delete(sending);
    const { member } = sending.target;
    const counters = this.countersOf(member);
    const fields = {
      "remote-peer-id": member.toString(16),
      "snapshot-index": sending.transfer.message.snapshot.index,
      bytes: sending.transfer.sizeBytes,
    };
    if (arrived) {
      counters.snapshotsSent++;
      this.options.logger.info("sent database snapshot", fields);
    } else {
      counters.snapshotSendFailures++;
      this.options.logger.warn("failed to send database snapshot", { ...fields, error: reason });
    }
    this.#dones.get(sending)?.(arrived);
  }

  #drop(link: PeerLink): void {
    link.end();
    this.#acceptor.drop(link.member);
    this.#soon(() => {
      link.requests.failAll();
      for (const sending of [...this.#sendings]) {
        if (sending.target.member !== link.member || this.#table.get(link.member) !== null)
          continue;
        sending.finish({ arrived: false, reason: "the member is not known any more" });
      }
    });
  }

  #armCheck(): void {
    this.#checkTimer = this.options.clock.setTimer(this.options.limits.checkIntervalMs, () => {
      const nowMs = this.options.clock.monotonicMs();
      for (const link of this.#table.all()) link.check(nowMs);
      this.#acceptor.check();
      for (const sending of [...this.#sendings]) sending.check(nowMs);
      if (!this.#isStopped) this.#armCheck();
    });
  }

  #armDeadlines(): void {
    this.#deadlineTimer ??= this.options.clock.setTimer(DEADLINE_CHECK_MS, () => {
      this.#deadlineTimer = null;
      const nowMs = this.options.clock.monotonicMs();
      for (const link of this.#table.all()) link.requests.expire(nowMs);
      if (!this.#isStopped && this.#table.all().some((link) => link.requests.count > 0)) {
        this.#armDeadlines();
      }
    });
  }

  /** In a later turn, unless the transport has stopped by then. */
  #soon(fire: () => void): void {
    this.options.clock.soon(() => {
      if (!this.#isStopped) fire();
    });
  }
}
