/** A reader's hold on one committed state. Its pages are not reused until close(). */
import { assert } from "../base/assert.ts";
import type { BucketReader } from "./bucket.ts";
import type { Meta } from "./meta.ts";
import type { PagedFile } from "./paged-file.ts";
import { TreeReader } from "./tree-reader.ts";

export class ReadTransaction {
  readonly transactionId: number;
  /** The state read, for checks and copies. */
  readonly meta: Readonly<Meta>;
  readonly #file: PagedFile;
  readonly #release: (transactionId: number) => void;
  readonly #root: TreeReader;
  #open = true;

  constructor(file: PagedFile, meta: Meta, release: (transactionId: number) => void) {
    this.transactionId = meta.transactionId;
    this.meta = meta;
    this.#file = file;
    this.#release = release;
    const { rootPageId, rootSequence } = meta;
    this.#root = new TreeReader(file, { rootPageId, sequence: rootSequence, inline: null });
  }

  /** The bucket of buckets. */
  root(): BucketReader {
    this.#assertOpen();
    return this.#root;
  }

  /** Pages of the state, used or free. */
  pageCount(): number {
    return this.meta.pageCount;
  }

  /**
   * One page's bytes as the file has them now (pages not used by this state may change any time).
   */
  readPage(pageId: number): Uint8Array {
    assert(pageId >= 0 && pageId < this.meta.pageCount, "a page of the state is read");
    const bytes = new Uint8Array(this.meta.pageBytes);
    this.readRaw(bytes, 0, bytes.length, pageId * this.meta.pageBytes);
    return bytes;
  }

  /** The same for any range, past the page cache. */
  readRaw(target: Uint8Array, offset: number, length: number, position: number): void {
    this.#assertOpen();
    this.#file.readRaw(target, offset, length, position);
  }

  /** Where the walk of a check reads pages, past the page cache. */
  get file(): PagedFile {
    this.#assertOpen();
    return this.#file;
  }

  close(): void {
    this.#assertOpen();
    this.#open = false;
    this.#release(this.transactionId);
  }

  #assertOpen(): void {
    assert(this.#open, "the read transaction is open");
  }
}
