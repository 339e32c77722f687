/**
 * A stable sort in short steps that keeps only the first items: for long ranges, of which often few are wanted and
 * which must not hold up everybody else. Items arrive one by one, are sorted in small batches, and sorted runs of
 * like size are merged. Ranges are its caller.
 *
 * Invariants: each run is sorted and no longer than what is wanted; earlier runs hold earlier items; there are at
 * most as many runs as the number of batches has bits.
 */
import { assert } from "../base/assert.ts";

const BATCH_COUNT = 512;
/** Items merged between two breaks. */
const MERGE_STEP_COUNT = 2048;

interface Run<Item> {
  readonly items: Item[];
  /** It was made of 2^level batches. */
  readonly level: number;
}

export class SortedRuns<Item> {
  readonly #order: (a: Item, b: Item) => number;
  readonly #wantedCount: number;
  readonly #runs: Run<Item>[] = [];
  #batch: Item[] = [];
  /** As many as are wanted come before or are this one, so none like it or behind it is needed. */
  #worst: Item | undefined;

  /** `wantedCount` may be infinite. */
  constructor(order: (a: Item, b: Item) => number, wantedCount: number) {
    assert(wantedCount > 0, "a sort of which nothing is wanted");
    this.#order = order;
    this.#wantedCount = wantedCount;
  }

  add(item: Item): void {
    if (this.#worst !== undefined && this.#order(item, this.#worst) >= 0) return;
    this.#batch.push(item);
    if (this.#batch.length === BATCH_COUNT) this.#closeBatch();
  }

  #closeBatch(): void {
    const items = this.#batch.sort(this.#order);
    this.#batch = [];
    if (items.length > this.#wantedCount) items.length = this.#wantedCount;
    this.#push({ items, level: 0 });
  }

  #push(run: Run<Item>): void {
    this.#runs.push(run);
    if (run.items.length < this.#wantedCount) return;
    const last = run.items.at(-1)!;
    if (this.#worst === undefined || this.#order(last, this.#worst) < 0) this.#worst = last;
  }

  /** Merges runs of like size, with breaks; to be called now and then while items are added. */
  *settle(): Generator<void, void> {
    for (;;) {
      const [a, b] = this.#runs.slice(-2);
      if (a === undefined || b === undefined || a.level > b.level) return;
      yield* this.#mergeLast(a, b);
    }
  }

  /** The wanted items in order; nothing is added afterwards. */
  *finish(): Generator<void, Item[]> {
    if (this.#batch.length > 0) this.#closeBatch();
    for (;;) {
      const [a, b] = this.#runs.slice(-2);
      if (a === undefined) return [];
      if (b === undefined) return a.items;
      yield* this.#mergeLast(a, b);
    }
  }

  *#mergeLast(a: Run<Item>, b: Run<Item>): Generator<void, void> {
    const items: Item[] = [];
    const wanted = Math.min(this.#wantedCount, a.items.length + b.items.length);
    let nextA = 0;
    let nextB = 0;
    while (items.length < wanted) {
      const end = Math.min(wanted, items.length + MERGE_STEP_COUNT);
      while (items.length < end) {
        // The earlier item first among equals.
        const takesA =
          nextB === b.items.length ||
          (nextA < a.items.length && this.#order(a.items[nextA]!, b.items[nextB]!) <= 0);
        items.push(takesA ? a.items[nextA++]! : b.items[nextB++]!);
      }
      if (items.length < wanted) yield;
    }
    this.#runs.length -= 2;
    this.#push({ items, level: Math.max(a.level, b.level) + 1 });
  }
}
