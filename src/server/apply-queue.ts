/**
 * Committed entries on their way into the state machine: in order, in slices of two milliseconds, so that a flood
 * never holds up heartbeats, pings or new requests.
 */
import type { Clock } from "../io/index.ts";
import type { Entry } from "../raft/index.ts";

const SLICE_MS = 2;
/** The clock is asked this often only. */
const CHUNK_COUNT = 64;

export interface ApplyQueueOptions {
  readonly clock: Clock;
  readonly apply: (entry: Entry, nowMs: number) => void;
  /** After each slice: everything up to `index` is in the state machine. */
  readonly onApplied: (index: number) => void;
}

export class ApplyQueue {
  readonly #options: ApplyQueueOptions;
  /** Pages as raft handed them out; `#next` is the position in the first. */
  #pages: (readonly Entry[])[] = [];
  #next = 0;
  #bytes = 0;
  #scheduled = false;
  #stopped = false;

  constructor(options: ApplyQueueOptions) {
    this.#options = options;
  }

  /** Data of entries that wait here. */
  get bytes(): number {
    return this.#bytes;
  }

  push(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#pages.push(entries);
    for (let i = 0; i < entries.length; i++) this.#bytes += entries[i]!.data.length;
  }

  /** What waits is overtaken by a snapshot. */
  clear(): void {
    this.#pages = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  stop(): void {
    this.#stopped = true;
    this.clear();
  }

  /** Applies a slice now, and the rest in later turns. */
  run(): void {
    if (this.#scheduled || this.#stopped || this.#pages.length === 0) return;
    const { clock, onApplied } = this.#options;
    const nowMs = clock.monotonicMs();
    const end = nowMs + SLICE_MS;
    let index = 0;
    do index = this.#chunk(nowMs) || index;
    while (this.#pages.length > 0 && clock.monotonicMs() < end);
    if (this.#pages.length > 0) this.#continueLater();
    onApplied(index);
  }

  #continueLater(): void {
    this.#scheduled = true;
    this.#options.clock.soon(() => {
      this.#scheduled = false;
      this.run();
    });
  }

  /** The last index applied. A membership change may clear the queue under our hands. */
  #chunk(nowMs: number): number {
    const { apply } = this.#options;
    let index = 0;
    for (let count = 0; count < CHUNK_COUNT; count++) {
      const page = this.#pages[0];
      if (page === undefined) break;
      const entry = page[this.#next++]!;
      if (this.#next === page.length) {
        this.#pages.shift();
        this.#next = 0;
      }
      this.#bytes -= entry.data.length;
      apply(entry, nowMs);
      index = entry.index;
    }
    return index;
  }
}
