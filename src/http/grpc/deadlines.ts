/**
 * Deadlines of calls that wait for their answer: a wheel of slots, one timer for all, entries linked through
 * themselves. Adding and removing cost no allocation; a deadline is met up to one slot late.
 */
import type { Clock, Timer } from "../../io/index.ts";

export interface DeadlineEntry {
  deadlineMs: number;
  nextEntry: DeadlineEntry | null;
  previousEntry: DeadlineEntry | null;
  /** -1 while not in the wheel. */
  slot: number;
  onDeadline(): void;
}

const SLOT_MS = 10;
const SLOTS = 1024;

export class Deadlines {
  readonly #clock: Clock;
  readonly #slots: (DeadlineEntry | null)[] = new Array(SLOTS).fill(null);
  /** Number of the last slot that was looked at: time / SLOT_MS. */
  #turned: number;
  #timer: Timer | null = null;
  #timerTurn = 0;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#turned = Math.floor(clock.monotonicMs() / SLOT_MS);
  }

  add(entry: DeadlineEntry): void {
    if (this.#count === 0) this.#turned = Math.floor(this.#clock.monotonicMs() / SLOT_MS);
    const turn = Math.max(this.#turned + 1, Math.ceil(entry.deadlineMs / SLOT_MS));
    const slot = turn % SLOTS;
    entry.slot = slot;
    entry.previousEntry = null;
    entry.nextEntry = this.#slots[slot]!;
    if (entry.nextEntry !== null) entry.nextEntry.previousEntry = entry;
    this.#slots[slot] = entry;
    this.#count++;
    if (this.#timer === null || turn < this.#timerTurn) this.#arm();
  }

  remove(entry: DeadlineEntry): void {
    if (entry.slot < 0) return;
    if (entry.previousEntry === null) this.#slots[entry.slot] = entry.nextEntry;
    else entry.previousEntry.nextEntry = entry.nextEntry;
    if (entry.nextEntry !== null) entry.nextEntry.previousEntry = entry.previousEntry;
    entry.nextEntry = null;
    entry.previousEntry = null;
    entry.slot = -1;
    this.#count--;
  }

  /** Stops the timer; for shutting down. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#count === 0) return;
    let turn = this.#turned + 1;
    while (this.#slots[turn % SLOTS] === null) turn++;
    this.#timerTurn = turn;
    const delayMs = Math.max(1, Math.ceil(turn * SLOT_MS - this.#clock.monotonicMs()));
    this.#timer = this.#clock.setTimer(delayMs, () => this.#turn());
  }

  #turn(): void {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    const turn = Math.floor(nowMs / SLOT_MS);
    const due: DeadlineEntry[] = [];
    const last = Math.min(turn, this.#turned + SLOTS);
    for (let t = this.#turned + 1; t <= last; t++) {
      let entry = this.#slots[t % SLOTS]!;
      while (entry !== null) {
        const next: DeadlineEntry | null = entry.nextEntry;
        if (entry.deadlineMs <= nowMs) {
          this.remove(entry);
          due.push(entry);
        }
        entry = next!;
      }
    }
    this.#turned = Math.max(this.#turned, turn);
    this.#arm();
    for (const entry of due) entry.onDeadline();
  }
}
