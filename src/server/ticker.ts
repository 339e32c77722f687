/**
 * Gives raft its time: one tick per heartbeat interval of the monotonic clock. A member that is alone needs none,
 * and an idle one should not wake up.
 *
 * Lease reads trust that all ticks that are due come before a read (docs/raft.md), so in lease mode every missed one
 * is made up for. Elsewhere a process that was stopped for long gets two at most, as with etcd's dropping ticker: it
 * hears from the others before it acts on its long silence.
 */
import type { Clock, Timer } from "../io/index.ts";

const MISSED_TICKS_MAX = 2;
/** More than an election timeout can have: what was promised before is over, and so is every lease. */
const MADE_UP_TICKS_MAX = 100_000;

export interface TickerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly everyTick: boolean;
  readonly tick: () => void;
  /** A tick came more than an interval late. */
  readonly late: () => void;
  /** Whether time may stand still. */
  readonly mayRest: () => boolean;
}

export class Ticker {
  readonly #options: TickerOptions;
  #timer: Timer | null = null;
  /** When the last tick was due. */
  #tickedMs: number;
  #stopped = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#tickedMs = options.clock.monotonicMs();
  }

  /** Starts again after a rest; does nothing while time runs. */
  wake(): void {
    if (this.#timer !== null || this.#stopped || this.#options.mayRest()) return;
    this.#tickedMs = this.#options.clock.monotonicMs();
    this.#schedule();
  }

  /** Ticks that are due, now. */
  catchUp(): void {
    if (this.#timer === null) return;
    const { clock, intervalMs, everyTick, tick, late } = this.#options;
    const nowMs = clock.monotonicMs();
    let due = Math.floor((nowMs - this.#tickedMs) / intervalMs);
    if (due <= 0) return;
    this.#tickedMs += due * intervalMs;
    if (due > 1) late();
    due = Math.min(due, everyTick ? MADE_UP_TICKS_MAX : MISSED_TICKS_MAX);
    for (; due > 0; due--) tick();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#options;
    const delayMs = Math.max(1, this.#tickedMs + intervalMs - clock.monotonicMs());
    this.#timer = clock.setTimer(delayMs, () => {
      this.catchUp();
      this.#timer = null;
      if (this.#stopped || this.#options.mayRest()) return;
      this.#schedule();
    });
  }
}
