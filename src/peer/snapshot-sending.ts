/**
 * One snapshot on its way to one member, on connections of its own: as often as one breaks, the next goes on where the
 * receiver stopped. At most a window of chunks is under way and the rate is limited, so neither memory nor the event
 * loop nor the line belongs to it alone. It ends with the receiver's verdict, or when nothing has moved for too long;
 * then `onEnd` is called once and the source is closed once.
 */
import { crc32c } from "../base/crc32c.ts";
import { DiskError, type Timer } from "../io/index.ts";
import { Backoff } from "./backoff.ts";
import type { ByteRate } from "./byte-rate.ts";
import { FRAME_ACKNOWLEDGE, FRAME_REFUSE, FRAME_RESULT, FRAME_RESUME } from "./frame.ts";
import { ChannelFailure, openChannel } from "./open-channel.ts";
import { type ConnectionOwner, PeerConnection } from "./peer-connection.ts";
import type { PeerServices } from "./peer-services.ts";
import type { Dialing } from "./peer-socket.ts";
import {
  beginFrame,
  chunkFrame,
  endFrame,
  readOffset,
  readRefusal,
  readResult,
} from "./snapshot-codec.ts";
import type { SnapshotSource, SnapshotTransfer } from "./types.ts";

/** How a transfer ended; the text is for the log. */
export interface SnapshotOutcome {
  readonly arrived: boolean;
  readonly reason: string;
}

export interface SnapshotTarget {
  readonly member: bigint;
  /** As of now: they may change during the transfer. */
  urls(): readonly string[];
}

export class SnapshotSending implements ConnectionOwner {
  readonly transfer: SnapshotTransfer;
  readonly target: SnapshotTarget;
  readonly #services: PeerServices;
  readonly #source: SnapshotSource;
  readonly #rate: ByteRate;
  readonly #onEnd: (sending: SnapshotSending, outcome: SnapshotOutcome) => void;
  readonly #backoff: Backoff;
  /** The checksum of everything before each chunk that was read, by the chunk's number. */
  readonly #checksums: number[] = [0];
  #connection: PeerConnection | null = null;
  #dialing: Dialing | null = null;
  #timer: Timer | null = null;
  #paceTimer: Timer | null = null;
  #urlIndex = 0;
  /** The receiver said how much it has. */
  #isAgreed = false;
  #sentOffset = 0;
  #acknowledged = 0;
  #hasSentEnd = false;
  #movedAtMs: number;
  #isEnded = false;
  #lastFailure = "";

  constructor(
    transfer: SnapshotTransfer,
    target: SnapshotTarget,
    source: SnapshotSource,
    services: PeerServices,
    rate: ByteRate,
    onEnd: (sending: SnapshotSending, outcome: SnapshotOutcome) => void,
  ) {
    const { clock, limits, random } = services.options;
    this.transfer = transfer;
    this.target = target;
    this.#source = source;
    this.#services = services;
    this.#rate = rate;
    this.#onEnd = onEnd;
    this.#backoff = new Backoff(limits.backoffMsMin, limits.backoffMsMax, random);
    this.#movedAtMs = clock.monotonicMs();
  }

  start(): void {
    this.#dial();
  }

  /** Pings, and gives up what does not move. */
  check(nowMs: number): void {
    const { limits } = this.#services.options;
    const patienceMs = this.#hasSentEnd ? limits.snapshotFinishMs : limits.snapshotStallMs;
    if (nowMs - this.#movedAtMs >= patienceMs) {
      this.finish({ arrived: false, reason: this.#lastFailure || "no progress" });
      return;
    }
    const connection = this.#connection;
    if (connection === null) return;
    if (connection.isSilentFor(limits.silentChecksMax))
      connection.fail("the member does not answer");
    else connection.ping(nowMs);
  }

  finish(outcome: SnapshotOutcome): void {
    if (this.#isEnded) return;
    this.#release();
    this.#onEnd(this, outcome);
  }

  /** Ends it without calling back. */
  abandon(): void {
    if (!this.#isEnded) this.#release();
  }

  onFrame(kind: number, body: Uint8Array): string | null {
    switch (kind) {
      case FRAME_RESUME: {
        const received = readOffset(body);
        return received === null ? "a malformed resume" : this.#resume(received);
      }
      case FRAME_ACKNOWLEDGE: {
        const received = readOffset(body);
        return received === null ? "a malformed acknowledgement" : this.#acknowledge(received);
      }
      case FRAME_RESULT: {
        const accepted = readResult(body);
        if (accepted === null) return "a malformed result";
        const reason = accepted ? "" : "the member did not take it";
        this.finish({ arrived: accepted, reason });
        return null;
      }
      case FRAME_REFUSE:
        this.finish({ arrived: false, reason: readRefusal(body) });
        return null;
      default:
        return `an unexpected frame of kind ${kind}`;
    }
  }

  onChunkEnd(): void {
    this.#sendMore();
  }

  onPong(): void {}

  onClosed(reason: string): void {
    this.#connection = null;
    this.#paceTimer?.cancel();
    this.#paceTimer = null;
    this.#retry(reason);
  }

  #release(): void {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#paceTimer?.cancel();
    this.#dialing?.cancel();
    this.#connection?.close();
    this.#connection = null;
    this.#source.close();
  }

  #dial(): void {
    const { options } = this.#services;
    const urls = this.target.urls();
    const url = urls[this.#urlIndex % Math.max(1, urls.length)];
    if (url === undefined) {
      this.#retry("the member has no peer URL");
      return;
    }
    const timeoutMs = options.limits.dialTimeoutMs;
    this.#timer = options.clock.setTimer(timeoutMs, () => {
      this.#dialing?.cancel();
      this.#retry(`dial ${url}: i/o timeout`);
    });
    const hello = this.#services.helloTo(this.target.member, "snapshot");
    this.#dialing = openChannel(options.dial, url, hello, timeoutMs, (outcome) => {
      this.#timer?.cancel();
      if (outcome instanceof ChannelFailure) {
        this.#urlIndex++;
        this.#retry(outcome.reason);
        return;
      }
      this.#dialing = null;
      this.#isAgreed = false;
      this.#hasSentEnd = false;
      this.#connection = new PeerConnection(this.#services.connections, outcome.socket, this);
      this.#connection.offerFrame(beginFrame(this.transfer), false);
      this.#connection.receive(outcome.head);
    });
  }

  #retry(reason: string): void {
    this.#dialing = null;
    this.#lastFailure = reason;
    this.#timer?.cancel();
    this.#timer = this.#services.options.clock.setTimer(this.#backoff.nextMs(), () => this.#dial());
  }

  /** Goes on at the beginning of the chunk that the receiver asks for. */
  #resume(received: number): string | null {
    const chunkBytes = this.#services.options.limits.snapshotChunkBytes;
    const { sizeBytes } = this.#source;
    if (this.#isAgreed) return "a second resume";
    const chunk = Math.ceil(received / chunkBytes);
    const isBoundary = received === Math.min(chunk * chunkBytes, sizeBytes);
    if (!isBoundary || this.#checksums[chunk] === undefined) {
      return `an offset to resume from, ${received}, that was never sent`;
    }
    this.#isAgreed = true;
    this.#sentOffset = received;
    this.#acknowledged = received;
    return null;
  }

  #acknowledge(received: number): string | null {
    if (received < this.#acknowledged || received > this.#sentOffset) {
      return `an acknowledgement of ${received} of ${this.#sentOffset}`;
    }
    this.#acknowledged = received;
    this.#movedAtMs = this.#services.options.clock.monotonicMs();
    this.#backoff.reset();
    return null;
  }

  #sendMore(): void {
    const { clock, limits } = this.#services.options;
    const { sizeBytes } = this.#source;
    const windowBytes = limits.snapshotWindowChunks * limits.snapshotChunkBytes;
    while (this.#mayRead() && this.#sentOffset - this.#acknowledged < windowBytes) {
      const nowMs = clock.monotonicMs();
      const waitMs = this.#rate.waitMs(nowMs);
      if (waitMs > 0) {
        this.#paceTimer ??= clock.setTimer(waitMs, () => {
          this.#paceTimer = null;
          this.#sendMore();
        });
        return;
      }
      const length = Math.min(limits.snapshotChunkBytes, sizeBytes - this.#sentOffset);
      this.#rate.grant(length, nowMs);
      this.#sendChunk(length);
    }
    if (this.#connection === null || !this.#isAgreed || this.#hasSentEnd) return;
    if (this.#acknowledged < sizeBytes) return;
    this.#hasSentEnd = true;
    this.#movedAtMs = clock.monotonicMs();
    const chunks = Math.ceil(sizeBytes / limits.snapshotChunkBytes);
    this.#connection.offerFrame(endFrame(sizeBytes, this.#checksums[chunks]!), false);
  }

  #mayRead(): boolean {
    return this.#connection !== null && this.#isAgreed && this.#sentOffset < this.#source.sizeBytes;
  }

  #sendChunk(length: number): void {
    const offset = this.#sentOffset;
    const chunk = this.#readChunk(offset, length);
    if (typeof chunk === "string") {
      this.finish({ arrived: false, reason: chunk });
      return;
    }
    const number = offset / this.#services.options.limits.snapshotChunkBytes;
    // Of what was read last: pages that the state does not use may have changed since the receiver missed the chunk.
    this.#checksums[number + 1] = crc32c(chunk.data, this.#checksums[number]!);
    this.#sentOffset = offset + length;
    if (this.#connection?.offerFrame(chunk.frame, false) === false) {
      this.#connection.fail("a snapshot window does not fit into the queue");
    }
  }

  #readChunk(offset: number, length: number): string | { frame: Uint8Array; data: Uint8Array } {
    try {
      const chunk = chunkFrame(offset, length, (space) => this.#source.read(offset, space));
      return chunk ?? "the snapshot is shorter than it was";
    } catch (error) {
      if (error instanceof DiskError) return error.message;
      throw error;
    }
  }
}
