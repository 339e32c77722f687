/** Stand-ins around the watch service for its tests: a call that keeps what it is sent, a clock set by hand. */
import {
  type CallContext,
  decodeWatchRequest,
  decodeWatchResponse,
  type EtcdError,
  encodeWatchRequest,
  encodeWatchResponse,
  ProtoWriter,
  type RequestStream,
  type StreamCall,
  type WatchRequest,
  type WatchRequestInit,
  type WatchResponse,
  type WatchResponseInit,
} from "../api/index.ts";
import type { Clock, Random, Timer } from "../io/index.ts";
import { type MemoryChange, MemoryChangeSource } from "../mvcc/watch/change-source-model.ts";
import { WatchHub } from "../mvcc/watch/index.ts";
import { WatchServer } from "./watch-service.ts";
import type { WatchPermission, WatchServiceLimits } from "./watch-service-parts.ts";

export class FakeClock implements Clock {
  nowMs = 0;
  readonly #timers: { atMs: number; fire: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, fire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        const at = this.#timers.indexOf(timer);
        if (at >= 0) this.#timers.splice(at, 1);
      },
    };
  }

  soon(fire: () => void): void {
    this.setTimer(0, fire);
  }

  get timerCount(): number {
    return this.#timers.length;
  }

  advance(byMs: number): void {
    const end = this.nowMs + byMs;
    for (;;) {
      this.#timers.sort((left, right) => left.atMs - right.atMs);
      const next = this.#timers[0];
      if (next === undefined || next.atMs > end) break;
      this.#timers.shift();
      this.nowMs = next.atMs;
      next.fire();
    }
    this.nowMs = end;
  }
}

const CONTEXT: CallContext = {
  token: null,
  requireLeader: false,
  clientApiVersion: "unknown",
  peerName: "",
  viaGateway: false,
  peerAddress: "127.0.0.1:1",
  deadlineMs: Infinity,
};

/** One client's Watch call. What it is sent waits in `queue` while `reading` is false. */
export class FakeWatchCall implements StreamCall<WatchResponseInit>, RequestStream<WatchRequest> {
  readonly context: CallContext;
  readonly responses: WatchResponse[] = [];
  readonly messages: Uint8Array[] = [];
  error: EtcdError | null = null;
  reading = true;
  paused = false;
  aborted = false;
  queuedBytes = 0;
  /** From so many queued bytes on, send answers false. */
  highWaterBytes: number;
  #message: (request: WatchRequest) => void = () => {};
  #drain: () => void = () => {};
  #abort: () => void = () => {};
  #waiting: WatchRequest[] = [];
  #owesDrain = false;
  ended = false;

  constructor(highWaterBytes = Infinity, context: Partial<CallContext> = {}) {
    this.highWaterBytes = highWaterBytes;
    this.context = { ...CONTEXT, ...context };
  }

  // The client's side.

  request(init: WatchRequestInit): void {
    const writer = new ProtoWriter();
    encodeWatchRequest(writer, init);
    const request = decodeWatchRequest(writer.finish());
    if (this.paused) this.#waiting.push(request);
    else this.#message(request);
  }

  /** The client reads everything that waits. */
  drainAll(): void {
    this.queuedBytes = 0;
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    this.#drain();
  }

  hangUp(): void {
    this.aborted = true;
    this.#abort();
  }

  take(): WatchResponse[] {
    return this.responses.splice(0);
  }

  // What the service sees.

  send(response: WatchResponseInit): boolean {
    const writer = new ProtoWriter();
    encodeWatchResponse(writer, response);
    return this.sendEncoded(writer.finish());
  }

  sendEncoded(bytes: Uint8Array): boolean {
    this.messages.push(bytes);
    this.responses.push(decodeWatchResponse(bytes));
    if (!this.reading) this.queuedBytes += bytes.length;
    if (this.queuedBytes < this.highWaterBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  end(): void {
    this.ended = true;
  }

  fail(error: EtcdError): void {
    this.error = error;
  }

  onDrain(listener: () => void): void {
    this.#drain = listener;
  }

  onAbort(listener: () => void): void {
    this.#abort = listener;
  }

  onMessage(listener: (request: WatchRequest) => void): void {
    this.#message = listener;
  }

  onEnd(_listener: () => void): void {}

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    while (!this.paused && this.#waiting.length > 0) this.#message(this.#waiting.shift()!);
  }
}

export interface WatchServerSetup {
  readonly limits?: Partial<WatchServiceLimits>;
  readonly permission?: WatchPermission;
}

/** A watch service over a store in memory, driven by hand. */
export class WatchBench {
  readonly source = new MemoryChangeSource();
  readonly hub: WatchHub;
  readonly clock = new FakeClock();
  readonly server: WatchServer;
  readonly #tasks = new Set<() => boolean>();

  constructor(setup: WatchServerSetup = {}) {
    this.hub = new WatchHub(this.source);
    const random: Random = { uint32: () => 12345, fill: () => {} };
    this.server = new WatchServer({
      hub: this.hub,
      clock: this.clock,
      random,
      background: { add: (task) => this.#tasks.add(task) },
      headers: {
        header: (revision) => ({ cluster_id: 7n, member_id: 8n, revision, raft_term: 2 }),
      },
      permission: setup.permission ?? (() => null),
      limits: {
        progressNotifyIntervalMs: 600_000,
        fragmentBytesMax: 2 << 20,
        streamQueueBytesMax: 1 << 20,
        watchersPerStreamMax: 100_000,
        ...setup.limits,
      },
    });
  }

  open(highWaterBytes = Infinity, context: Partial<CallContext> = {}): FakeWatchCall {
    const call = new FakeWatchCall(highWaterBytes, context);
    this.server.watch(call, call);
    return call;
  }

  commit(changes: readonly MemoryChange[]): void {
    const batch = this.source.commit(changes);
    if (batch !== null) this.hub.notify(batch);
  }

  /** Runs spare-time work until none is left. */
  settle(): void {
    for (const task of this.#tasks) {
      for (let turns = 0; task(); turns++) {
        if (turns > 10_000) throw new Error("spare-time work does not end");
      }
      this.#tasks.delete(task);
    }
  }
}
