/**
 * Who waits for which command. A request id names a waiter from its proposal until its command was applied, was
 * refused, or took longer than the request timeout (then the outcome is unknown, and the error says so).
 */
import { type EtcdError, errTimeout } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";

/** Gets the reply of one command; a UnaryCall is one. */
export interface Waiter {
  succeed(reply: never): void;
  fail(error: EtcdError): void;
}

interface Waiting {
  readonly waiter: Waiter;
  readonly sinceMs: number;
}

const SCAN_INTERVAL_MS = 500;
const SEQUENCE_BITS = 2 ** 21;

export class ProposalQueue {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In order of proposal, so that the longest waiting come first. */
  readonly #waiting = new Map<number, Waiting>();
  #nextId: number;
  #timer: Timer | null = null;
  failedCount = 0;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    // Ids of an earlier run must not meet a waiter of this one when the log is replayed: start at the wall clock.
    this.#nextId = (Math.floor(clock.wallMs() / 1000) % SEQUENCE_BITS) * 2 ** 32 + 1;
  }

  get size(): number {
    return this.#waiting.size;
  }

  register(waiter: Waiter): number {
    const id = this.#nextId++;
    this.#waiting.set(id, { waiter, sinceMs: this.#clock.monotonicMs() });
    if (this.#timer === null) this.#startTimer();
    return id;
  }

  /** Takes the waiter of a command off; undefined when it gave up or belongs to another member. */
  take(id: number): Waiter | undefined {
    const entry = this.#waiting.get(id);
    if (entry === undefined) return undefined;
    this.#waiting.delete(id);
    return entry.waiter;
  }

  failAll(error: EtcdError): void {
    const entries = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const entry of entries) entry.waiter.fail(error);
    this.#timer?.cancel();
    this.#timer = null;
  }

  #startTimer(): void {
    this.#timer = this.#clock.setTimer(SCAN_INTERVAL_MS, () => {
      this.#timer = null;
      this.#failOverdue();
      if (this.#waiting.size > 0) this.#startTimer();
    });
  }

  #failOverdue(): void {
    const before = this.#clock.monotonicMs() - this.#timeoutMs;
    for (const [id, entry] of this.#waiting) {
      if (entry.sinceMs > before) break;
      this.#waiting.delete(id);
      this.failedCount++;
      entry.waiter.fail(errTimeout);
    }
  }
}
