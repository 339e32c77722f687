/**
 * Long work in short slices: compaction, hashing, watch catch-up, snapshots. Tasks take turns, each turn of the
 * event loop spends at most one slice on them, and whatever arrives meanwhile goes first.
 */
import type { Clock } from "../io/index.ts";

/** Does a little work; true while more is left. */
export type BackgroundTask = () => boolean;

const SLICE_MS = 2;

export class Background {
  readonly #clock: Clock;
  readonly #tasks: BackgroundTask[] = [];
  #scheduled = false;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a task until it is done. The same task may be added while it is running; it then goes on. */
  add(task: BackgroundTask): void {
    if (this.#stopped) return;
    if (!this.#tasks.includes(task)) this.#tasks.push(task);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#tasks.length = 0;
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#slice());
  }

  #slice(): void {
    this.#scheduled = false;
    const end = this.#clock.monotonicMs() + SLICE_MS;
    while (this.#tasks.length > 0) {
      const task = this.#tasks.shift()!;
      if (task()) this.#tasks.push(task);
      if (this.#clock.monotonicMs() >= end) break;
    }
    if (this.#tasks.length > 0) this.#schedule();
  }
}
