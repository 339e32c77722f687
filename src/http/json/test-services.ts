/** Services in memory for the tests of the gateway: a map instead of a store, streams driven by the test. */
import {
  type EtcdError,
  errEmptyKey,
  type PutRequest,
  type RangeRequest,
  type RequestStream,
  type Services,
  type StreamCall,
  type UnaryCall,
  type WatchRequest,
} from "../../api/index.ts";
import type { Clock, Timer } from "../../io/index.ts";

export const HEADER = {
  cluster_id: 10144879847569953045n,
  member_id: 12428976124636271536n,
  revision: 5,
  raft_term: 2,
};

/** A stream the test holds both ends of. */
export interface HeldStream {
  readonly requests: RequestStream<WatchRequest> | null;
  readonly call: StreamCall<unknown>;
  readonly received: unknown[];
  ended: boolean;
}

export class FakeServices {
  readonly store = new Map<string, Uint8Array>();
  readonly streams: HeldStream[] = [];
  /** Unary calls of `compact`, which is never answered by itself. */
  readonly held: UnaryCall<unknown>[] = [];
  readonly contexts: UnaryCall<unknown>["context"][] = [];
  streamError: EtcdError | null = null;
  alarms: string[] = [];
  leader = true;
  learner = false;
  stalledDiskMs = 0;
  readError: string | null = null;

  get services(): Services {
    const hold = (call: StreamCall<unknown>, requests: RequestStream<WatchRequest> | null) => {
      const held: HeldStream = { requests, call, received: [], ended: false };
      this.streams.push(held);
      requests?.onMessage((request) => held.received.push(request));
      requests?.onEnd(() => {
        held.ended = true;
      });
      if (this.streamError !== null) call.fail(this.streamError);
    };
    return {
      kv: {
        put: (request: PutRequest, call: UnaryCall<unknown>) => this.#put(request, call),
        range: (request: RangeRequest, call: UnaryCall<unknown>) => this.#range(request, call),
        compact: (_: unknown, call: UnaryCall<unknown>) => this.held.push(call),
      },
      watch: {
        watch: (requests: RequestStream<WatchRequest>, call: StreamCall<unknown>) =>
          hold(call, requests),
      },
      maintenance: { snapshot: (_: unknown, call: StreamCall<unknown>) => hold(call, null) },
      health: {
        hasLeader: () => this.leader,
        activeAlarms: () => this.alarms,
        isLearner: () => this.learner,
        stalledDiskMs: () => this.stalledDiskMs,
        probeRead: (serializable: boolean, done: (error: string | null) => void) =>
          done(serializable ? null : this.readError),
        versions: () => ({ server: "3.7.1", cluster: "3.7.0", storage: "3.7.0", cairn: "0.1.0" }),
      },
    } as unknown as Services;
  }

  #put(request: PutRequest, call: UnaryCall<unknown>): void {
    this.contexts.push(call.context);
    if (request.key.length === 0) {
      call.fail(errEmptyKey);
      return;
    }
    this.store.set(Buffer.from(request.key).toString("hex"), request.value);
    call.succeed({ header: HEADER });
  }

  #range(request: RangeRequest, call: UnaryCall<unknown>): void {
    const value = this.store.get(Buffer.from(request.key).toString("hex"));
    if (value === undefined) call.succeed({ header: HEADER, kvs: [], count: 0 });
    else {
      const kv = { key: request.key, create_revision: 2, mod_revision: 3, version: 2, value };
      call.succeed({ header: HEADER, kvs: [kv], count: 1 });
    }
  }
}

/** Time that a test moves. */
export class ManualClock implements Clock {
  nowMs = 1000;
  #timers: { at: number; fire: () => void }[] = [];

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { at: this.nowMs + delayMs, fire };
    this.#timers.push(timer);
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  soon(fire: () => void): void {
    queueMicrotask(fire);
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    const due = this.#timers.filter((timer) => timer.at <= this.nowMs);
    this.#timers = this.#timers.filter((timer) => timer.at > this.nowMs);
    for (const timer of due) timer.fire();
  }
}
