/**
 * Moves pages in use down from the end of the file, in slices inside of ordinary write
 * transactions, so that the file can become shorter while it is served. One pass takes every page
 * from `firstPageId` on into memory; the commit then writes it to the lowest free pages, and when
 * the tail is free the high-water mark goes down.
 *
 * Covers the bucket of buckets and the buckets in it, which is all that etcd has; deeper ones stay
 * in place.
 */
import { assert } from "../base/assert.ts";
import { equalBytes } from "../base/bytes.ts";
import type { WriteTransaction } from "./write-transaction.ts";

const WORK_MIN = 32;

export class TailMove {
  readonly #firstPageId: number;
  #movedPages = 0;
  /** The bucket that is walked; null is the bucket of buckets. */
  #bucket: Uint8Array | null = null;
  /** Where in that bucket to go on; null at its beginning. */
  #from: Uint8Array | null = null;
  #isDone = false;

  /** Pages from `firstPageId` on are to become free. */
  constructor(firstPageId: number) {
    assert(firstPageId >= 2, "meta pages stay where they are");
    this.#firstPageId = firstPageId;
  }

  get movedPages(): number {
    return this.#movedPages;
  }

  /**
   * One slice of about `work` elements looked at (a page moved counts for 20); true when the pass
   * is over. The transaction may hold other changes as well.
   */
  step(write: WriteTransaction, work: number): boolean {
    assert(work >= WORK_MIN, "a slice is large enough to get on");
    let left = work;
    while (left > 0 && !this.#isDone) {
      const root = write.tree;
      const bucket = this.#bucket === null ? root : root.bucket(this.#bucket);
      // A bucket deleted since the last slice has nothing to move.
      if (bucket === undefined) {
        this.#nextBucket(write);
        continue;
      }
      const slice = bucket.moveFrom(this.#firstPageId, this.#from, left);
      this.#movedPages += slice.moved;
      left -= slice.work;
      this.#from = slice.next;
      if (slice.next === null) this.#nextBucket(write);
    }
    return this.#isDone;
  }

  #nextBucket(write: WriteTransaction): void {
    this.#from = null;
    const cursor = write.tree.cursor();
    let more = this.#bucket === null ? cursor.first() : cursor.seek(this.#bucket);
    if (more && this.#bucket !== null && equalBytes(cursor.key(), this.#bucket)) {
      more = cursor.next();
    }
    while (more && !cursor.isBucket()) more = cursor.next();
    if (more) this.#bucket = cursor.key().slice();
    else this.#isDone = true;
  }
}
