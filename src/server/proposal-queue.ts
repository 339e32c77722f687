/**
 * Who waits for which command. A request id names a waiter from its proposal until its command was applied, was
 * refused, or took longer than the request timeout (then the outcome is unknown, and the error says so).
 */
import { type EtcdError, errTimeout } from "../api/index.ts";
import type { Clock, Random, Timer } from "../io/index.ts";

/** Gets the reply of one command; a UnaryCall is one. */
export interface Waiter {
  succeed(reply: never): void;
  fail(error: EtcdError): void;
}

const SCAN_INTERVAL_MS = 500;
/** Ids of one run share a random number of 21 bits above a sequence of 32: both fit a safe integer. */
const RUNS = 2 ** 21;
const IDS_PER_RUN = 2 ** 32;
const FIRST_SLOTS = 1024;
/** Distances begin anew before they outgrow the small integers that are fast. */
const DISTANCE_MAX = 2 ** 30;
/** A ring that a flood or a stuck proposal made larger than this goes back to the first size when it is empty. */
const SLOTS_KEPT_MAX = 1 << 16;

/**
 * Ids are given out one after the other and mostly come back in that order, so waiters lie in a ring: slot = distance
 * of the id from the first one of this run. The ring spans from the longest waiting to the newest id.
 */
export class ProposalQueue {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** The error of a proposal that was made at `sinceMs` and has no reply by now. */
  readonly #timeoutError: (sinceMs: number) => EtcdError;
  #firstId: number;
  #waiters: (Waiter | null)[] = new Array(FIRST_SLOTS).fill(null);
  #sinceMs = new Float64Array(FIRST_SLOTS);
  /** Distances from the first id: [oldest, next) are in the ring; the slot at `oldest` is taken unless it is empty. */
  #oldest = 0;
  #next = 0;
  #size = 0;
  #timer: Timer | null = null;
  failedCount = 0;

  constructor(
    clock: Clock,
    random: Random,
    timeoutMs: number,
    timeoutError: (sinceMs: number) => EtcdError = () => errTimeout,
  ) {
    this.#timeoutError = timeoutError;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    // Ids of an earlier run must not meet a waiter of this one when the log is replayed.
    this.#firstId = (random.uint32() % RUNS) * IDS_PER_RUN + 1;
  }

  get size(): number {
    return this.#size;
  }

  register(waiter: Waiter): number {
    if (this.#size === 0 && this.#next >= DISTANCE_MAX) this.#beginAnew();
    if (this.#next - this.#oldest === this.#waiters.length) this.#resize(this.#waiters.length * 2);
    const slot = this.#next % this.#waiters.length;
    this.#waiters[slot] = waiter;
    this.#sinceMs[slot] = this.#clock.monotonicMs();
    this.#size++;
    if (this.#timer === null) this.#startTimer();
    return this.#firstId + this.#next++;
  }

  /** Takes the waiter of a command off; undefined when it gave up or belongs to another member. */
  take(id: number): Waiter | undefined {
    const distance = id - this.#firstId;
    if (distance < this.#oldest || distance >= this.#next) return undefined;
    const slot = distance % this.#waiters.length;
    const waiter = this.#waiters[slot]!;
    if (waiter === null) return undefined;
    this.#waiters[slot] = null;
    this.#size--;
    if (distance === this.#oldest) this.#skipTaken();
    return waiter;
  }

  failAll(error: EtcdError): void {
    const waiters: Waiter[] = [];
    for (let distance = this.#oldest; distance < this.#next; distance++) {
      const waiter = this.#waiters[distance % this.#waiters.length]!;
      if (waiter !== null) waiters.push(waiter);
    }
    this.#waiters.fill(null);
    this.#oldest = this.#next;
    this.#size = 0;
    for (const waiter of waiters) waiter.fail(error);
    this.#timer?.cancel();
    this.#timer = null;
  }

  #beginAnew(): void {
    this.#firstId += this.#next;
    this.#oldest = 0;
    this.#next = 0;
  }

  #skipTaken(): void {
    const slots = this.#waiters.length;
    while (this.#oldest < this.#next && this.#waiters[this.#oldest % slots] === null)
      this.#oldest++;
    if (this.#size === 0 && slots > SLOTS_KEPT_MAX) this.#resize(FIRST_SLOTS);
  }

  #resize(slots: number): void {
    const waiters: (Waiter | null)[] = new Array(slots).fill(null);
    const sinceMs = new Float64Array(slots);
    for (let distance = this.#oldest; distance < this.#next; distance++) {
      const from = distance % this.#waiters.length;
      waiters[distance % slots] = this.#waiters[from]!;
      sinceMs[distance % slots] = this.#sinceMs[from]!;
    }
    this.#waiters = waiters;
    this.#sinceMs = sinceMs;
  }

  #startTimer(): void {
    this.#timer = this.#clock.setTimer(SCAN_INTERVAL_MS, () => {
      this.#timer = null;
      this.#failOverdue();
      if (this.#size > 0) this.#startTimer();
    });
  }

  #failOverdue(): void {
    const before = this.#clock.monotonicMs() - this.#timeoutMs;
    while (this.#size > 0) {
      const slot = this.#oldest % this.#waiters.length;
      if (this.#sinceMs[slot]! > before) break;
      this.failedCount++;
      const error = this.#timeoutError(this.#sinceMs[slot]!);
      this.take(this.#firstId + this.#oldest)!.fail(error);
    }
  }
}
