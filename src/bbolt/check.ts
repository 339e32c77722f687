/**
 * The consistency check over one read transaction, in slices: every page below the high-water mark
 * is reachable or free and never both, no page is used twice, keys ascend and lie within their
 * parents' bounds, buckets are whole, a meta page is valid. Reads the file itself, past the page
 * cache, and leaves no trace in it.
 */
import { compareBytes } from "../base/bytes.ts";
import { decodeFreelist } from "./freelist-page.ts";
import { decodeMeta, NO_FREELIST } from "./meta.ts";
import type { Page } from "./page.ts";
import { PageBitmap } from "./page-bitmap.ts";
import { ReachWalk } from "./reachable.ts";
import type { ReadTransaction } from "./read-transaction.ts";
import { TreeDamage } from "./tree-damage.ts";

const PROBLEMS_MAX = 100;
const META_PAGES = 2;

export class TreeCheck {
  /** What is wrong, in words; at most 100, then one more that says so. */
  readonly problems: string[] = [];
  readonly #read: ReadTransaction;
  readonly #used = new PageBitmap();
  readonly #free = new PageBitmap();
  /** The free pages are known: stored in the file. */
  #freeKnown = false;
  #walk: ReachWalk | null = null;
  #nextPageId = META_PAGES;

  constructor(read: ReadTransaction) {
    this.#read = read;
  }

  /**
   * Handles about `work` elements (a page of 4096 bytes has 10 to 100); true when the check is
   * over.
   */
  step(work: number): boolean {
    if (this.#walk === null) {
      this.#checkMetas();
      this.#readFreelist();
      this.#walk = this.#startWalk();
      return false;
    }
    if (!this.#walk.step(work)) return false;
    return this.#comparePages(work);
  }

  /** The whole check at once; for tools and tests. */
  run(): string[] {
    while (!this.step(1 << 16)) {
      // Every step visits pages not seen before or page ids not compared before.
    }
    return this.problems;
  }

  #report(problem: string): void {
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem);
    else if (this.problems.length === PROBLEMS_MAX) this.problems.push("and more problems");
  }

  #checkMetas(): void {
    const { pageBytes, transactionId } = this.#read.meta;
    const reasons: string[] = [];
    for (const slot of [0, 1]) {
      const bytes = new Uint8Array(pageBytes);
      this.#read.readRaw(bytes, 0, pageBytes, slot * pageBytes);
      const meta = decodeMeta(bytes, 0);
      // One slot may be torn by a power cut; then the other one is the state.
      if (typeof meta !== "string" && meta.transactionId >= transactionId) return;
      reasons.push(`meta page ${slot} ${typeof meta === "string" ? meta : "is older"}`);
    }
    this.#report(reasons.join("; "));
  }

  #readFreelist(): void {
    const { freelistPageId, pageBytes, pageCount } = this.#read.meta;
    if (freelistPageId === NO_FREELIST) return;
    const read = (length: number, position: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      this.#read.readRaw(bytes, 0, length, position);
      return bytes;
    };
    const stored = decodeFreelist(read, freelistPageId, pageBytes, pageCount);
    if (typeof stored === "string") {
      this.#report(`page ${freelistPageId}: the freelist ${stored}`);
      return;
    }
    this.#freeKnown = true;
    this.#markUsed(freelistPageId, stored.pageCount);
    for (const id of stored.ids) {
      if (!this.#free.add(id)) this.#report(`page ${id}: free twice`);
    }
  }

  #startWalk(): ReachWalk {
    const visitor = {
      visit: (
        pageId: number,
        lower: Uint8Array | null,
        upper: Uint8Array | null,
        isRoot: boolean,
      ): Page | null => {
        const page = this.#readPage(pageId);
        if (page === null || !this.#markUsed(pageId, page.pageCount)) return null;
        this.#checkBounds(page, lower, upper, isRoot);
        return page;
      },
      badBucket: (page: Page, reason: string) => this.#report(`page ${page.pageId}: ${reason}`),
    };
    return new ReachWalk(visitor, this.#read.meta.rootPageId);
  }

  #readPage(pageId: number): Page | null {
    try {
      return this.#read.file.readPage(pageId);
    } catch (error) {
      if (!(error instanceof TreeDamage)) throw error;
      this.#report(`page ${pageId}: ${error.reason}`);
      // The page itself is referred to, so it is not lost as well.
      if (pageId >= META_PAGES && pageId < this.#read.meta.pageCount) this.#used.add(pageId);
      return null;
    }
  }

  /** False when a page of the run was used already. */
  #markUsed(pageId: number, pageCount: number): boolean {
    if (pageId + pageCount > this.#read.meta.pageCount) {
      this.#report(`page ${pageId}: beyond the high-water mark ${this.#read.meta.pageCount}`);
      return false;
    }
    for (let id = pageId; id < pageId + pageCount; id++) {
      if (!this.#used.add(id)) {
        this.#report(`page ${id}: used more than once`);
        return false;
      }
    }
    return true;
  }

  #checkBounds(
    page: Page,
    lower: Uint8Array | null,
    upper: Uint8Array | null,
    isRoot: boolean,
  ): void {
    if (page.count === 0) {
      if (!isRoot) this.#report(`page ${page.pageId}: an empty leaf below a branch`);
      return;
    }
    if (lower !== null && compareBytes(page.key(0), lower) < 0) {
      this.#report(`page ${page.pageId}: its first key sorts before its parent's`);
    }
    if (upper !== null && compareBytes(page.key(page.count - 1), upper) >= 0) {
      this.#report(`page ${page.pageId}: its last key reaches into the next page's range`);
    }
  }

  #comparePages(work: number): boolean {
    const { pageCount } = this.#read.meta;
    const end = Math.min(this.#nextPageId + work, pageCount);
    for (; this.#nextPageId < end; this.#nextPageId++) {
      const id = this.#nextPageId;
      const used = this.#used.has(id);
      const free = this.#free.has(id);
      if (used && free) this.#report(`page ${id}: in use and free`);
      if (this.#freeKnown && !used && !free) this.#report(`page ${id}: neither in use nor free`);
    }
    return this.#nextPageId >= pageCount;
  }
}
