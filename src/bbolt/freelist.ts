/**
 * Which pages may be written: the free ones, and the pending ones that become free when no reader
 * is left that could see them. Low page ids are handed out first, so that the tail of the file
 * empties over time.
 *
 * Invariants: free and pending are disjoint; a page freed by transaction T is pending until every
 * open reader has a transaction id of T or more; pages 0 and 1 are never in either.
 */
import { assert } from "../base/assert.ts";
import { PageBitmap } from "./page-bitmap.ts";

const FIRST_PAGE = 2;
/** A file never becomes shorter than the four pages that it began with. */
const PAGES_MIN = 4;
/**
 * Search positions are remembered for runs up to this long; longer ones are searched from the
 * start.
 */
const HINTED_RUN_MAX = 511;
/**
 * In a very scattered list a long run is searched piece by piece, and new pages are taken
 * meanwhile.
 */
const PROBES_MAX = 16_384;

interface PendingPages {
  transactionId: number;
  pages: number[];
}

export class Freelist {
  readonly #free = new PageBitmap();
  readonly #pending = new PageBitmap();
  /** By ascending transaction id. */
  #pendingByTransaction: PendingPages[] = [];
  /** hints[n]: no run of n free pages begins below this page. */
  readonly #hints = new Int32Array(HINTED_RUN_MAX + 1).fill(FIRST_PAGE);

  get freePages(): number {
    return this.#free.count;
  }

  get pendingPages(): number {
    return this.#pending.count;
  }

  /** Known to be free already, as read from the file. False when it is in the list twice. */
  addFree(pageId: number): boolean {
    assert(pageId >= FIRST_PAGE, "meta pages are never free");
    return this.#free.add(pageId);
  }

  /** The page can hold no live data: it is free or about to be. */
  has(pageId: number): boolean {
    return this.#free.has(pageId) || this.#pending.has(pageId);
  }

  /**
   * Marks a page that the running write transaction drops. False when it is free or dropped
   * already.
   */
  drop(pageId: number): boolean {
    return !this.#free.has(pageId) && this.#pending.add(pageId);
  }

  /** The running write transaction is given up: what it dropped is live again. */
  undrop(pages: readonly number[]): void {
    for (const pageId of pages) this.#pending.remove(pageId);
  }

  /** The dropped pages wait from now on for the readers older than `transactionId`. */
  settle(transactionId: number, pages: number[]): void {
    const last = this.#pendingByTransaction.at(-1);
    assert(
      last === undefined || last.transactionId < transactionId,
      "transactions settle in order",
    );
    if (pages.length > 0) this.#pendingByTransaction.push({ transactionId, pages });
  }

  /** Frees what was dropped by transactions up to `transactionId`; calls back for each page. */
  release(transactionId: number, freed: (pageId: number) => void): void {
    let lowest = -1;
    let taken = 0;
    for (const pending of this.#pendingByTransaction) {
      if (pending.transactionId > transactionId) break;
      taken++;
      for (const pageId of pending.pages) {
        this.#pending.remove(pageId);
        this.#free.add(pageId);
        freed(pageId);
        if (lowest < 0 || pageId < lowest) lowest = pageId;
      }
    }
    if (taken > 0) this.#pendingByTransaction = this.#pendingByTransaction.slice(taken);
    if (lowest >= 0) this.#lowerHints(lowest);
  }

  /**
   * The lowest run of free pages, taken out of the list; -1 when there is none (or none found in
   * bounds).
   */
  allocate(pageCount: number): number {
    assert(pageCount > 0, "a run has pages");
    if (this.#free.count < pageCount) return -1;
    const hinted = pageCount <= HINTED_RUN_MAX;
    let at = this.#free.next(hinted ? this.#hints[pageCount]! : FIRST_PAGE);
    for (let probes = 0; at >= 0; probes++) {
      if (probes === PROBES_MAX) {
        if (hinted) this.#hints[pageCount] = at;
        return -1;
      }
      const run = this.#free.runLength(at, pageCount);
      if (run === pageCount) {
        for (let i = 0; i < pageCount; i++) this.#free.remove(at + i);
        if (hinted) this.#hints[pageCount] = at + pageCount;
        return at;
      }
      at = this.#free.next(at + run);
    }
    if (hinted) this.#hints[pageCount] = 0x7fffffff;
    return -1;
  }

  /** Gives back what allocate() returned (the transaction is given up). */
  unallocate(pageId: number, pageCount: number): void {
    for (let i = 0; i < pageCount; i++) this.#free.add(pageId + i);
    this.#lowerHints(pageId);
  }

  /** How many free pages lie directly below `pageCount`, the high-water mark. */
  tailPages(pageCount: number): number {
    let end = pageCount;
    while (end > PAGES_MIN && this.#free.has(end - 1)) end--;
    return pageCount - end;
  }

  /** Forgets the free pages from `pageCount` on: they leave the file. */
  cutTail(pageCount: number, pageCountBefore: number): void {
    for (let pageId = pageCount; pageId < pageCountBefore; pageId++) this.#free.remove(pageId);
  }

  /**
   * Free and pending pages in ascending order into `out` as 64-bit little-endian; returns how many.
   */
  writeIds(out: Uint32Array, at: number): number {
    let free = this.#free.next(FIRST_PAGE);
    let pending = this.#pending.next(FIRST_PAGE);
    let word = at;
    while (free >= 0 || pending >= 0) {
      if (pending < 0 || (free >= 0 && free < pending)) {
        out[word] = free;
        free = this.#free.next(free + 1);
      } else {
        out[word] = pending;
        pending = this.#pending.next(pending + 1);
      }
      word += 2;
    }
    return (word - at) / 2;
  }

  #lowerHints(pageId: number): void {
    for (let n = 1; n <= HINTED_RUN_MAX; n++) {
      const from = Math.max(FIRST_PAGE, pageId - n + 1);
      if (this.#hints[n]! > from) this.#hints[n] = from;
    }
  }
}
