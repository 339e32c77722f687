/**
 * Pages by id, bounded in bytes. Eviction is CLOCK: a page used since the hand last passed gets
 * another round. The table is open addressing in typed arrays, so its size follows the bound and
 * not the file.
 */
import { assert } from "../base/assert.ts";
import { PAGE_OVERHEAD_BYTES, type Page } from "./page.ts";

const FIRST_CAPACITY = 256;
const EMPTY = -1;

export class PageCache {
  readonly #bytesMax: number;
  #bytes = 0;
  #count = 0;
  #ids = new Int32Array(FIRST_CAPACITY).fill(EMPTY);
  #used = new Uint8Array(FIRST_CAPACITY);
  #pages: (Page | null)[] = new Array(FIRST_CAPACITY).fill(null);
  #mask = FIRST_CAPACITY - 1;
  #hand = 0;

  constructor(bytesMax: number) {
    assert(bytesMax >= 0, "the page cache's bound is a size");
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  get(pageId: number): Page | null {
    let slot = Math.imul(pageId, 0x9e3779b1) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.#mask;
    const ids = this.#ids;
    for (;;) {
      const id = ids[slot]!;
      if (id === pageId) {
        this.#used[slot] = 1;
        return this.#pages[slot]!;
      }
      if (id === EMPTY) return null;
      slot = (slot + 1) & this.#mask;
    }
  }

  /**
   * Puts a page in, in place of an older one with its id. A page larger than the whole bound is not
   * kept.
   */
  put(page: Page): void {
    this.drop(page.pageId);
    const cost = page.bytes.length + PAGE_OVERHEAD_BYTES;
    if (cost > this.#bytesMax) return;
    while (this.#bytes + cost > this.#bytesMax) this.#evictOne();
    if ((this.#count + 1) * 2 > this.#ids.length) this.#grow();
    this.#place(page, 1);
    this.#bytes += cost;
    this.#count++;
  }

  drop(pageId: number): void {
    let slot = this.#home(pageId);
    for (;;) {
      const id = this.#ids[slot]!;
      if (id === EMPTY) return;
      if (id === pageId) break;
      slot = (slot + 1) & this.#mask;
    }
    this.#removeAt(slot);
  }

  #home(pageId: number): number {
    const hash = Math.imul(pageId, 0x9e3779b1) >>> 0;
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  #place(page: Page, used: number): void {
    let slot = this.#home(page.pageId);
    while (this.#ids[slot]! !== EMPTY) slot = (slot + 1) & this.#mask;
    this.#ids[slot] = page.pageId;
    this.#pages[slot] = page;
    this.#used[slot] = used;
  }

  #evictOne(): void {
    assert(this.#count > 0, "an empty cache holds no bytes");
    // Two rounds at most: the first clears every mark.
    for (let steps = 2 * this.#ids.length; steps > 0; steps--) {
      const slot = this.#hand;
      this.#hand = (slot + 1) & this.#mask;
      if (this.#ids[slot]! === EMPTY) continue;
      if (this.#used[slot]! === 0) {
        this.#removeAt(slot);
        return;
      }
      this.#used[slot] = 0;
    }
    assert(false, "the clock found no page to evict");
  }

  /**
   * Empties a slot and moves later entries of its probe chain up, so that no tombstones are needed.
   */
  #removeAt(slot: number): void {
    this.#bytes -= this.#pages[slot]!.bytes.length + PAGE_OVERHEAD_BYTES;
    this.#count--;
    let hole = slot;
    let next = slot;
    for (;;) {
      next = (next + 1) & this.#mask;
      const id = this.#ids[next]!;
      if (id === EMPTY) break;
      const home = this.#home(id);
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      this.#ids[hole] = id;
      this.#pages[hole] = this.#pages[next]!;
      this.#used[hole] = this.#used[next]!;
      hole = next;
    }
    this.#ids[hole] = EMPTY;
    this.#pages[hole] = null;
    this.#used[hole] = 0;
  }

  #grow(): void {
    const pages = this.#pages;
    const used = this.#used;
    const capacity = pages.length * 2;
    this.#ids = new Int32Array(capacity).fill(EMPTY);
    this.#used = new Uint8Array(capacity);
    this.#pages = new Array(capacity).fill(null);
    this.#mask = capacity - 1;
    this.#hand = 0;
    for (let slot = 0; slot < pages.length; slot++) {
      const page = pages[slot]!;
      if (page !== null) this.#place(page, used[slot]!);
    }
  }
}
