/**
 * One run of unary calls: `clients` callers with one call in flight each. Without a rate every caller sends its
 * next request when the answer is there (closed loop). With a rate the starts are fixed beforehand, latency counts
 * from the intended start, and a request that finds every caller busy waits with its clock running: a stalled
 * server cannot hide the requests that it kept from being sent.
 *
 * Invariants: a slot is in flight, free, or parked because its connection is lost; `issued` requests were started,
 * each ends as one success or one error.
 */
import { LatencyRecorder } from "../report/latency-recorder.ts";
import { type CallListener, ConnectionSet, type Target } from "./connection-set.ts";
import { ErrorCounts } from "./error-counts.ts";
import type { RequestSource } from "./request-source.ts";

export interface LoadPlan {
  readonly clients: number;
  readonly connections: number;
  /** Infinity when only time bounds the run. */
  readonly total: number;
  /** Infinity when only the number bounds it. */
  readonly durationMs: number;
  /** Requests per second, 0: as fast as the answers come. */
  readonly ratePerSecond: number;
}

export interface LoadResult {
  readonly latencies: LatencyRecorder;
  readonly errors: ErrorCounts;
  readonly elapsedMs: number;
  /** Requests whose intended start passed without being sent: the rate was too high for the server. */
  readonly unsent: number;
}

const CALL_TIMEOUT_MS = 30_000;
const SUPERVISE_MS = 200;
/** Closer than this a timer is too coarse: the event loop turns until the moment comes. */
const SPIN_MS = 1.5;
const ALL_LOST_MAX_MS = 10_000;

export class LoadRun implements CallListener {
  readonly latencies = new LatencyRecorder();
  readonly errors = new ErrorCounts();
  issued = 0;
  readonly #plan: LoadPlan;
  readonly #source: RequestSource;
  readonly #set: ConnectionSet;
  readonly #startMs: Float64Array;
  readonly #sentMs: Float64Array;
  readonly #isFlying: Uint8Array;
  #flying = 0;
  #free: number[] = [];
  readonly #parked = new Set<number>();
  readonly #touched = new Set<number>();
  #beganMs = 0;
  #lastAnswerMs = 0;
  #endMs = Number.POSITIVE_INFINITY;
  #isStopped = false;
  /** The end of the duration was seen. */
  #isTimeUp = false;
  #hasWakeUp = false;
  #lostSinceMs = -1;
  #finish: ((failure: Error | null) => void) | null = null;

  constructor(target: Target, plan: LoadPlan, source: RequestSource) {
    this.#plan = plan;
    this.#source = source;
    this.#set = new ConnectionSet(target, plan.connections, source.path, this);
    this.#startMs = new Float64Array(plan.clients);
    this.#sentMs = new Float64Array(plan.clients);
    this.#isFlying = new Uint8Array(plan.clients);
  }

  /** Connects, runs to the end and disconnects; fails when no connection could be made or all stay lost. */
  async run(): Promise<LoadResult> {
    try {
      await this.#set.open();
      await this.#work();
    } finally {
      this.#set.close();
    }
    const until = Math.max(this.#lastAnswerMs, this.#beganMs);
    return {
      latencies: this.latencies,
      errors: this.errors,
      elapsedMs: until - this.#beganMs,
      unsent: this.#unsentCount(),
    };
  }

  /** Sends nothing more; the run ends when the answers under way are there. */
  stop(): void {
    this.#isStopped = true;
    this.#checkFinished();
  }

  /** How far the run is, 0 to 1. */
  progress(): number {
    if (this.#beganMs === 0) return 0;
    const { total, durationMs } = this.#plan;
    const byTime = (performance.now() - this.#beganMs) / durationMs;
    return Math.min(1, Math.max((this.latencies.count + this.errors.total) / total, byTime));
  }

  elapsedMs(): number {
    return this.#beganMs === 0 ? 0 : performance.now() - this.#beganMs;
  }

  onAnswer(slot: number, code: number, message: string, atMs: number): void {
    this.#isFlying[slot] = 0;
    this.#flying--;
    this.#lastAnswerMs = atMs;
    if (code === 0) this.latencies.record(atMs - this.#startMs[slot]!);
    else this.errors.add(message === "" ? `gRPC code ${code}` : message);
    this.#free.push(slot);
  }

  onBatch(): void {
    this.#issueFree();
  }

  onLost(index: number, slots: readonly number[], reason: string): void {
    const now = performance.now();
    for (const slot of slots) this.onAnswer(slot, -1, `connection lost: ${reason}`, now);
    for (let slot = index; slot < this.#plan.clients; slot += this.#set.size) {
      this.#parked.add(slot);
    }
    this.#free = this.#free.filter((slot) => !this.#parked.has(slot));
    this.#issueFree();
  }

  onRestored(index: number): void {
    for (let slot = index; slot < this.#plan.clients; slot += this.#set.size) {
      if (this.#parked.delete(slot)) this.#free.push(slot);
    }
    this.#issueFree();
  }

  #work(): Promise<void> {
    return new Promise((resolve, reject) => {
      const supervisor = setInterval(() => this.#supervise(), SUPERVISE_MS);
      this.#finish = (failure) => {
        this.#finish = null;
        clearInterval(supervisor);
        if (failure === null) resolve();
        else reject(failure);
      };
      this.#beganMs = performance.now();
      this.#endMs = this.#beganMs + this.#plan.durationMs;
      for (let slot = this.#plan.clients - 1; slot >= 0; slot--) this.#free.push(slot);
      this.#issueFree();
    });
  }

  /** Starts what is due on the callers that are free. */
  #issueFree(): void {
    if (this.#finish === null) return;
    const { ratePerSecond } = this.#plan;
    while (this.#free.length > 0 && this.#mayIssue()) {
      const now = performance.now();
      let startMs = now;
      if (ratePerSecond > 0) {
        startMs = this.#beganMs + (this.issued * 1000) / ratePerSecond;
        if (startMs > now) {
          if (startMs < this.#endMs) this.#wakeUpAt(startMs - now);
          break;
        }
      }
      if (startMs >= this.#endMs || this.#isTimeUp) break;
      this.#start(this.#free.pop()!, startMs, now);
    }
    // What was due before the end and finds a free client in the first look after it is still sent.
    if (performance.now() >= this.#endMs) this.#isTimeUp = true;
    for (const index of this.#touched) this.#set.of(index)?.flush();
    this.#touched.clear();
    this.#checkFinished();
  }

  #start(slot: number, startMs: number, now: number): void {
    const connection = this.#set.of(slot);
    if (connection === null) {
      // It takes no new calls (server going away); onRestored frees the slot again.
      this.#parked.add(slot);
      return;
    }
    this.#startMs[slot] = startMs;
    this.#sentMs[slot] = now;
    this.#isFlying[slot] = 1;
    this.#flying++;
    connection.start(slot, this.#source.next(this.issued, startMs));
    this.issued++;
    this.#touched.add(slot % this.#set.size);
  }

  #wakeUpAt(delayMs: number): void {
    if (this.#hasWakeUp) return;
    this.#hasWakeUp = true;
    const wake = () => {
      this.#hasWakeUp = false;
      this.#issueFree();
    };
    if (delayMs > SPIN_MS) setTimeout(wake, Math.floor(delayMs - SPIN_MS / 2));
    else setImmediate(wake);
  }

  #mayIssue(): boolean {
    return !this.#isStopped && this.issued < this.#plan.total;
  }

  #checkFinished(): void {
    if (this.#finish === null || this.#flying > 0) return;
    if (!this.#mayIssue() || this.#isTimeUp) this.#finish(null);
  }

  #supervise(): void {
    const now = performance.now();
    for (let slot = 0; slot < this.#plan.clients; slot++) {
      if (this.#isFlying[slot] === 1 && now - this.#sentMs[slot]! > CALL_TIMEOUT_MS) {
        this.#set.abandon(slot % this.#set.size, `no answer in ${CALL_TIMEOUT_MS / 1000} s`);
      }
    }
    if (this.#parked.size < this.#plan.clients) this.#lostSinceMs = -1;
    else if (this.#lostSinceMs < 0) this.#lostSinceMs = now;
    else if (now - this.#lostSinceMs > ALL_LOST_MAX_MS) {
      this.#finish?.(new Error("all connections were lost and none came back"));
      return;
    }
    this.#issueFree();
  }

  #unsentCount(): number {
    const { ratePerSecond, durationMs } = this.#plan;
    if (ratePerSecond === 0 || durationMs === Number.POSITIVE_INFINITY || this.#isStopped) return 0;
    const due = Math.min(this.#plan.total, Math.ceil((durationMs / 1000) * ratePerSecond));
    return Math.max(0, due - this.issued);
  }
}
