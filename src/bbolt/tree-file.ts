/**
 * The open database file: the last durable state, its readers and its one writer. Called by
 * src/database.
 *
 * Invariants: a reader sees the state of the last completed commit for as long as it likes; pages
 * that an open reader or the durable state uses are never written; at most one transaction takes
 * changes and at most one commit is under way.
 */
import { assert } from "../base/assert.ts";
import type { DiskError, DiskFile } from "../io/index.ts";
import { Freelist } from "./freelist.ts";
import type { Meta } from "./meta.ts";
import { createEmpty, isUnfinishedCreation, loadFreelist, readNewestMeta } from "./open-file.ts";
import { PagedFile } from "./paged-file.ts";
import { ReadTransaction } from "./read-transaction.ts";
import { type WriterHost, WriteTransaction } from "./write-transaction.ts";

export interface TreeFileOptions {
  readOnly?: boolean;
  /** What pages in memory may take, besides those that callers hold on to. */
  pageCacheBytes: number;
  /** When creating: a power of two, 4096 unless set. */
  pageBytes?: number;
  /** When creating: the file is made this long at once. */
  initialBytes?: number;
  /**
   * A freelist longer than this is not stored (the meta page then says "none", as in etcd's own
   * files) and is found by a walk over the tree when opening: writing it with every commit would
   * cost more. 256 KiB unless set, which is 128 MiB of free pages; 0 never stores it.
   */
  freelistBytesMax?: number;
}

const DEFAULT_PAGE_BYTES = 4096;
const DEFAULT_FREELIST_BYTES_MAX = 256 * 1024;

export class TreeFile {
  readonly pageBytes: number;
  readonly #file: PagedFile;
  readonly #freelist = new Freelist();
  readonly #host: WriterHost;
  readonly #readOnly: boolean;
  /** The last durable state. */
  #meta: Meta;
  /** The state whose commit is under way. */
  #committing: Meta | null = null;
  #writer: WriteTransaction | null = null;
  /** Open readers by transaction id. */
  readonly #readers = new Map<number, number>();
  #openReaders = 0;
  readonly #releaseReader = (transactionId: number): void => this.#readerClosed(transactionId);

  /**
   * Opens, or creates in an empty file. Throws TreeDamage when the bytes are not a whole database.
   */
  static open(file: DiskFile, options: TreeFileOptions): TreeFile {
    const pageBytes = options.pageBytes ?? DEFAULT_PAGE_BYTES;
    if (!options.readOnly) {
      if (isUnfinishedCreation(file, pageBytes)) {
        createEmpty(file, pageBytes, options.initialBytes ?? 0);
      }
      // A killed process may have left a meta page that only the system's memory holds. It counts from here on, and
      // the next commit writes over pages of the one before: so it must be on the disk first.
      else file.syncNow();
    }
    return new TreeFile(file, options);
  }

  private constructor(file: DiskFile, options: TreeFileOptions) {
    this.#meta = readNewestMeta(file);
    const { pageBytes, pageCount } = this.#meta;
    this.pageBytes = pageBytes;
    this.#readOnly = options.readOnly ?? false;
    this.#file = new PagedFile(file, pageBytes, pageCount, options.pageCacheBytes);
    const freelistPageCount = this.#readOnly
      ? 0
      : loadFreelist(this.#file, this.#meta, this.#freelist);
    const freelistBytesMax = options.freelistBytesMax ?? DEFAULT_FREELIST_BYTES_MAX;
    this.#host = this.#makeHost(freelistPageCount, freelistBytesMax);
  }

  get path(): string {
    return this.#file.path;
  }

  /** The size of the database: its high-water mark. The file may be longer. */
  sizeBytes(): number {
    return this.#meta.pageCount * this.pageBytes;
  }

  /** Free pages and those that wait for readers; unknown (0) in a file opened read-only. */
  freeBytes(): number {
    return (this.#freelist.freePages + this.#freelist.pendingPages) * this.pageBytes;
  }

  /** Free pages at the very end, which the next commit takes off the file. */
  tailFreePages(): number {
    return this.#freelist.tailPages(this.#meta.pageCount);
  }

  /** Bytes that the page cache holds. */
  cachedBytes(): number {
    return this.#file.cachedBytes;
  }

  /** The last durable transaction. */
  transactionId(): number {
    return this.#meta.transactionId;
  }

  openReaders(): number {
    return this.#openReaders;
  }

  beginRead(): ReadTransaction {
    this.#file.refuseAfterFailure();
    const { transactionId } = this.#meta;
    this.#readers.set(transactionId, (this.#readers.get(transactionId) ?? 0) + 1);
    this.#openReaders++;
    return new ReadTransaction(this.#file, this.#meta, this.#releaseReader);
  }

  /** On top of the last commit, even while that is still under way. */
  beginWrite(): WriteTransaction {
    this.#file.refuseAfterFailure();
    assert(!this.#readOnly, "a file opened read-only takes no writer");
    assert(this.#writer === null, "one writer at a time");
    this.#writer = new WriteTransaction(this.#host, this.#committing ?? this.#meta);
    return this.#writer;
  }

  /** No transaction may be open. */
  close(): void {
    assert(this.#openReaders === 0, "every reader is closed before the file");
    assert(this.#writer === null && this.#committing === null, "no writer is open");
    this.#file.close();
  }

  #readerClosed(transactionId: number): void {
    const left = this.#readers.get(transactionId)! - 1;
    assert(left >= 0, "a reader closes once");
    if (left === 0) this.#readers.delete(transactionId);
    else this.#readers.set(transactionId, left);
    this.#openReaders--;
  }

  #makeHost(freelistPageCount: number, freelistBytesMax: number): WriterHost {
    return {
      file: this.#file,
      freelist: this.#freelist,
      freelistPageCount,
      freelistBytesMax,
      releasableTransactionId: () => {
        let oldest = this.#meta.transactionId;
        for (const transactionId of this.#readers.keys()) oldest = Math.min(oldest, transactionId);
        return oldest;
      },
      assertIdle: () => assert(this.#committing === null, "an earlier commit is over"),
      begun: (transaction) => this.#begun(transaction),
      rolledBack: () => {
        this.#writer = null;
      },
      committed: (transaction, error) => this.#committed(transaction, error),
    };
  }

  #begun(transaction: WriteTransaction): void {
    this.#committing = transaction.meta;
    this.#writer = null;
    this.#file.pageCount = transaction.meta.pageCount;
    this.#freelist.settle(transaction.transactionId, transaction.dropped);
    this.#host.freelistPageCount = transaction.freelistPageCount;
  }

  #committed(transaction: WriteTransaction, error: DiskError | null): void {
    if (error !== null) return; // the PagedFile refuses everything from now on
    assert(this.#committing === transaction.meta, "the commit under way has ended");
    this.#meta = transaction.meta;
    this.#committing = null;
  }
}
