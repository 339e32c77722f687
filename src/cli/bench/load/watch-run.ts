/**
 * Watchers on one key and puts to it: each value carries the number of its put, so each event finds the moment its
 * put was meant to start. The watch streams have connections of their own.
 *
 * Invariant: `events.count + missing` is the number of succeeded puts times the number of watchers, unless the run
 * was stopped or a stream failed (which fails the run).
 */
import { decodeWatchResponse, encodeWatchRequest, ProtoError } from "../../../api/index.ts";
import { LatencyRecorder } from "../report/latency-recorder.ts";
import type { ProgressState } from "../report/progress-bar.ts";
import { MessageAssembler } from "../wire/message-assembler.ts";
import { type CallListener, ConnectionSet, type Target } from "./connection-set.ts";
import { type LoadResult, LoadRun } from "./load-run.ts";
import { digitsAt, envelope, numberedPutSource } from "./request-source.ts";

export interface WatchPlan {
  readonly connections: number;
  readonly streams: number;
  readonly watchersPerStream: number;
  readonly putTotal: number;
  readonly putRatePerSecond: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly hasPreviousValue: boolean;
}

export interface WatchResult {
  readonly puts: LoadResult;
  readonly events: LatencyRecorder;
  /** Events that did not come within the patience of the run. */
  readonly missing: number;
}

const NUMBER_DIGITS = 8;
/** Clients of the put side with a rate: enough that a slow put does not delay the next. */
const PUT_CLIENTS = 100;
const CREATE_TIMEOUT_MS = 30_000;
/** Events that do not come within this after the last one are missing. */
const QUIET_MAX_MS = 5000;
const POLL_MS = 20;

export class WatchRun implements CallListener {
  readonly #plan: WatchPlan;
  readonly #watchers: ConnectionSet;
  readonly #puts: LoadRun;
  readonly #key: Uint8Array;
  readonly #events = new LatencyRecorder();
  readonly #putStartMs: Float64Array;
  readonly #assemblers: MessageAssembler[];
  #createdCount = 0;
  #lastEventMs = 0;
  #failure: Error | null = null;
  #isStopped = false;

  constructor(target: Target, plan: WatchPlan) {
    this.#plan = plan;
    // A name of this run's own: the events of another run's puts are none of ours.
    const name = `bench-watch-${process.pid}-${Date.now()}`;
    this.#key = Buffer.from(name.padEnd(plan.keyBytes, "-").slice(-plan.keyBytes));
    this.#putStartMs = new Float64Array(plan.putTotal);
    this.#assemblers = Array.from({ length: plan.streams }, () => new MessageAssembler());
    const connections = Math.min(plan.connections, plan.streams);
    this.#watchers = new ConnectionSet(target, connections, "/etcdserverpb.Watch/Watch", this);
    const isPaced = plan.putRatePerSecond > 0;
    const load = {
      clients: isPaced ? Math.min(PUT_CLIENTS, plan.putTotal) : 1,
      connections: 1,
      total: plan.putTotal,
      durationMs: Number.POSITIVE_INFINITY,
      ratePerSecond: plan.putRatePerSecond,
    };
    const onStart = (index: number, startMs: number) => {
      this.#putStartMs[index] = startMs;
    };
    this.#puts = new LoadRun(
      target,
      load,
      numberedPutSource(this.#key, plan.valueBytes, NUMBER_DIGITS, onStart),
    );
  }

  async run(): Promise<WatchResult> {
    try {
      await this.#watchers.open();
      await this.#createWatchers();
      const puts = await this.#puts.run();
      const expected = puts.latencies.count * this.#watcherCount();
      this.#lastEventMs = Math.max(this.#lastEventMs, performance.now());
      await this.#until(
        () =>
          this.#events.count >= expected ||
          this.#isStopped ||
          performance.now() - this.#lastEventMs > QUIET_MAX_MS,
      );
      const missing = this.#isStopped ? 0 : Math.max(0, expected - this.#events.count);
      return { puts, events: this.#events, missing };
    } finally {
      this.#watchers.close();
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#puts.stop();
  }

  progress(): ProgressState {
    return {
      fraction: this.#puts.progress(),
      elapsedMs: this.#puts.elapsedMs(),
      note: `${this.#events.count} events`,
    };
  }

  onBytes(slot: number, bytes: Buffer, from: number, to: number, atMs: number): void {
    const readable = this.#assemblers[slot]!.push(bytes, from, to, (message, start, end) =>
      this.#message(message, start, end, atMs),
    );
    if (!readable) this.#fail("a watch stream carries what is no gRPC message");
  }

  onAnswer(_slot: number, code: number, message: string): void {
    this.#fail(`a watch stream ended: ${message === "" ? `gRPC code ${code}` : message}`);
  }

  onBatch(): void {}

  onLost(_index: number, _slots: readonly number[], reason: string): void {
    this.#fail(`a watch connection was lost: ${reason}`);
  }

  onRestored(): void {}

  #watcherCount(): number {
    return this.#plan.streams * this.#plan.watchersPerStream;
  }

  async #createWatchers(): Promise<void> {
    const { streams, watchersPerStream, hasPreviousValue } = this.#plan;
    const create = envelope((writer) =>
      encodeWatchRequest(writer, {
        create_request: { key: this.#key, prev_kv: hasPreviousValue },
      }),
    );
    const all = Buffer.concat(new Array<Uint8Array>(watchersPerStream).fill(create));
    for (let slot = 0; slot < streams; slot++) {
      const connection = this.#watchers.of(slot);
      if (connection === null) throw new Error("a watch connection was lost");
      connection.start(slot, all, false);
      connection.flush();
    }
    const deadlineMs = performance.now() + CREATE_TIMEOUT_MS;
    await this.#until(
      () => this.#createdCount >= this.#watcherCount() || performance.now() > deadlineMs,
    );
    if (this.#createdCount < this.#watcherCount() && !this.#isStopped) {
      throw new Error(`only ${this.#createdCount} of ${this.#watcherCount()} watchers were made`);
    }
  }

  #message(bytes: Uint8Array, start: number, end: number, atMs: number): void {
    try {
      const response = decodeWatchResponse(bytes, start, end);
      if (response.created) this.#createdCount++;
      if (response.canceled) this.#fail(`a watcher was cancelled: ${response.cancel_reason}`);
      for (const { kv } of response.events) {
        const index = kv === undefined ? -1 : digitsAt(kv.value, 0, NUMBER_DIGITS);
        if (index < 0 || index >= this.#plan.putTotal) continue;
        this.#events.record(atMs - this.#putStartMs[index]!);
        this.#lastEventMs = atMs;
      }
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      this.#fail("a watch stream carries a message that cannot be read");
    }
  }

  #fail(why: string): void {
    this.#failure ??= new Error(why);
    this.#puts.stop();
  }

  /** Waits for a condition; a failed stream ends the waiting with its error. */
  async #until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#isStopped) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (this.#failure !== null) throw this.#failure;
  }
}
