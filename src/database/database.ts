/**
 * The one bbolt file as the server sees it: etcd's buckets, written in batches.
 *
 * Writes go into the open write transaction of the tree and are seen by every read at once;
 * `commit` makes them durable while the next batch already collects. Rows of the `key` bucket are
 * kept in a buffer beside it, from which reads are served until they are durable, and are handed to
 * the tree a few at a time so that a commit has little left to do.
 *
 * Invariants: the applied log index is written by the same transaction as the effects of its entry
 * (etcd's incident 13766 came from a shared variable that a background commit sampled), so nothing
 * may commit between the changes of an entry and its setConsistentIndex: `commit` is only called
 * between entries. One commit is under way at a time. After a failed write or sync nothing is
 * retried: `onFailure` ends the process.
 */
import { assert } from "../base/assert.ts";
import {
  type BucketReader,
  type BucketWriter,
  type Cursor,
  type ReadTransaction,
  SnapshotReader,
  TreeFile,
  type WriteTransaction,
} from "../bbolt/index.ts";
import type { DiskError, DiskFile } from "../io/index.ts";
import { type BucketName, META_CONSISTENT_INDEX, META_TERM } from "./buckets.ts";
import { DatabaseSnapshot } from "./database-snapshot.ts";
import { Defragmentation } from "./defragmentation.ts";
import { RevisionBuffer } from "./revision-buffer.ts";
import {
  REVISION_KEY_BYTES,
  readUint64,
  TOMBSTONE_KEY_BYTES,
  uint64Bytes,
  writeRevisionKey,
} from "./revision-key.ts";
import { RevisionRows } from "./revision-rows.ts";
import { bucketOf, createBuckets } from "./tree-buckets.ts";

export interface DatabaseOptions {
  file: DiskFile;
  pageCacheBytes: number;
  /** Called once when the disk failed; the caller ends the process. */
  onFailure: (error: DiskError) => void;
}

/** Rows are handed to the tree in groups of so many: a commit finds at most this many left. */
const FEED_ROWS = 64;
const KEY_BUCKET_FILL_PERCENT = 0.9;

export class Database {
  #tree: TreeFile;
  #reader: ReadTransaction;
  #keyReader: BucketReader;
  #writer: WriteTransaction | null = null;
  #keyWriter: BucketWriter | null = null;
  #committing: WriteTransaction | null = null;
  #rows = new RevisionBuffer();
  #committingRows = new RevisionBuffer();
  /** Rows of #rows that the writer has. */
  #fedRows = 0;
  #pendingWrites = 0;
  #indexChanged = false;
  /** The next commit runs even if it holds nothing. */
  #isForced = false;
  #consistentIndex = 0;
  #consistentTerm = 0;
  /** Callers whose writes are in the commit under way, and those who wait for the next. */
  #committingDone: (() => void)[] = [];
  #waitingDone: (() => void)[] = [];
  #isNextWanted = false;
  /** While the file is about to be replaced no commit begins; called when none is under way. */
  #onIdle: (() => void) | null = null;
  #snapshots = 0;
  #soon: ((fire: () => void) => void) | null = null;
  readonly #onFailure: (error: DiskError) => void;
  readonly #rowKey = new Uint8Array(REVISION_KEY_BYTES);
  readonly #tombstoneKey = new Uint8Array(TOMBSTONE_KEY_BYTES);
  readonly #path: string;

  static open(options: DatabaseOptions): Database {
    const { file, pageCacheBytes } = options;
    const tree = TreeFile.open(file, { pageCacheBytes });
    createBuckets(tree);
    return new Database(tree, file.path, options.onFailure);
  }

  private constructor(tree: TreeFile, path: string, onFailure: (error: DiskError) => void) {
    this.#tree = tree;
    this.#path = path;
    this.#onFailure = onFailure;
    this.#reader = tree.beginRead();
    this.#keyReader = bucketOf(this.#reader.root(), "key");
    this.#consistentIndex = this.#readNumber(META_CONSISTENT_INDEX);
    this.#consistentTerm = this.#readNumber(META_TERM);
  }

  get path(): string {
    return this.#path;
  }

  put(bucket: BucketName, key: Uint8Array, value: Uint8Array): void {
    this.#pendingWrites++;
    bucketOf(this.#write().root(), bucket).put(key, value);
  }

  delete(bucket: BucketName, key: Uint8Array): void {
    this.#pendingWrites++;
    bucketOf(this.#write().root(), bucket).delete(key);
  }

  /** Sees every write made so far. The answer is a view of immutable memory. */
  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.#newest(bucket).get(key);
  }

  /** Visits a bucket in key order, with every write made so far; for small buckets. */
  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    const cursor = this.cursor(bucket);
    for (let more = cursor.first(); more; more = cursor.next()) visit(cursor.key(), cursor.value());
  }

  /** A walk over a bucket, with every write made so far; valid until the next change. */
  cursor(bucket: BucketName): Cursor {
    return this.#newest(bucket).cursor();
  }

  /** Appends a row to the `key` bucket: after all others, and kept as it is (not copied). */
  appendRevision(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    this.#pendingWrites++;
    this.#rows.append(main, sub, tombstone, value);
    if (this.#rows.count - this.#fedRows >= FEED_ROWS) this.#feed();
  }

  /** The value of a row that is no tombstone. */
  getRevision(main: number, sub: number): Uint8Array | undefined {
    const pending = this.#rows.get(main, sub) ?? this.#committingRows.get(main, sub);
    if (pending !== undefined) return pending;
    writeRevisionKey(this.#rowKey, main, sub, false);
    return this.#keyReader.get(this.#rowKey);
  }

  /** Removes a row that compaction no longer needs. It must not be read again. */
  deleteRevision(main: number, sub: number, tombstone: boolean): void {
    this.#pendingWrites++;
    this.#feed();
    this.#write();
    const key = tombstone ? this.#tombstoneKey : this.#rowKey;
    writeRevisionKey(key, main, sub, tombstone);
    this.#keyWriter!.delete(key);
  }

  /**
   * Walks the rows from (main, sub) on, those not durable yet included; valid until the next
   * change. Rows that compaction removed in this batch may still turn up.
   */
  rows(main: number, sub: number): RevisionRows {
    const pending = [this.#committingRows, this.#rows];
    return new RevisionRows(this.#keyReader.cursor(), this.#path, main, sub, pending);
  }

  /** Whether all rows up to a revision are durable. */
  isCommitted(main: number): boolean {
    const first = this.#committingRows.count > 0 ? this.#committingRows : this.#rows;
    return first.count === 0 || first.main(0) > main;
  }

  /** The log entry whose effects, and those of all before it, are in the batch. */
  setConsistentIndex(index: number, term: number): void {
    assert(index >= this.#consistentIndex, "the consistent index never goes back");
    this.#consistentIndex = index;
    this.#consistentTerm = term;
    this.#indexChanged = true;
  }

  consistentIndex(): number {
    return this.#consistentIndex;
  }

  consistentTerm(): number {
    return this.#consistentTerm;
  }

  /** Writes since the last commit began. */
  pendingWrites(): number {
    return this.#pendingWrites;
  }

  /** From now on a large commit is written in pieces, each in a turn that `soon` gives. */
  commitInPieces(soon: (fire: () => void) => void): void {
    this.#soon = soon;
  }

  /** Makes all writes so far durable; `done` comes then. Joins the next commit while one runs. */
  commit(done?: () => void): void {
    if (done !== undefined) this.#waitingDone.push(done);
    if (this.#committing !== null || this.#onIdle !== null) {
      this.#isNextWanted = true;
      return;
    }
    if (!this.#hasChanges()) {
      this.#callAll(this.#waitingDone);
      return;
    }
    const writer = this.#beginCommit();
    this.#committingDone = this.#waitingDone;
    this.#waitingDone = [];
    writer.commit((error) => {
      if (error !== null) this.#onFailure(error);
      else this.#commitEnded();
    }, this.#soon);
  }

  /** The same, blocking; no commit may be under way. Throws DiskError. */
  commitNow(): void {
    assert(this.#committing === null && this.#onIdle === null, "a commit is under way");
    if (this.#hasChanges()) {
      this.#beginCommit().commitNow();
      this.#commitEnded();
    }
    this.#callAll(this.#waitingDone);
  }

  isCommitting(): boolean {
    return this.#committing !== null;
  }

  sizeBytes(): number {
    return this.#tree.sizeBytes();
  }

  inUseBytes(): number {
    return this.#tree.sizeBytes() - this.#tree.freeBytes();
  }

  /** Snapshots and hashes under way. */
  openReadTransactions(): number {
    return this.#snapshots;
  }

  /** A hold on the last committed state; the caller commits first when it wants everything. */
  openSnapshot(): DatabaseSnapshot {
    this.#snapshots++;
    const tree = this.#tree;
    const read = tree.beginRead();
    return new DatabaseSnapshot(read, new SnapshotReader(read), this.#path, () => {
      this.#snapshots--;
      // The file was replaced meanwhile, and this was its last reader.
      if (tree !== this.#tree && tree.openReaders() === 0) tree.close();
    });
  }

  /** From now on no commit begins; `idle` comes when none is under way. Ends with `resume`. */
  suspend(idle: () => void): void {
    assert(this.#onIdle === null, "suspended once at a time");
    this.#onIdle = idle;
    if (this.#committing === null) idle();
  }

  /**
   * This database goes on as `next`, which nobody else uses: everything read from now on is of its file. What was
   * written and not committed is dropped: it is older. Snapshots that are open keep the old file until they close.
   * Suspended; callers who wait for a commit are called by `resume`, for a state that holds what they wrote.
   */
  replaceBy(next: Database): void {
    assert(this.#onIdle !== null && this.#committing === null, "replaced while suspended");
    assert(!next.#hasChanges() && next.#snapshots === 0, "the new database is at rest");
    this.#writer?.rollback();
    this.#writer = null;
    this.#keyWriter = null;
    this.#rows.clear();
    this.#fedRows = 0;
    this.#pendingWrites = 0;
    this.#indexChanged = false;
    this.#isForced = false;
    this.#reader.close();
    if (this.#tree.openReaders() === 0) this.#tree.close();
    this.#tree = next.#tree;
    this.#reader = next.#reader;
    this.#keyReader = next.#keyReader;
    this.#consistentIndex = next.#consistentIndex;
    this.#consistentTerm = next.#consistentTerm;
  }

  resume(): void {
    assert(this.#onIdle !== null && this.#committing === null, "resumed after a suspension");
    this.#onIdle = null;
    this.#isNextWanted = false;
    this.commit();
  }

  /** Makes the file shorter in steps that the caller makes when it has time. One at a time. */
  beginDefragmentation(): Defragmentation {
    return new Defragmentation({
      pageBytes: this.#tree.pageBytes,
      sizeBytes: () => this.sizeBytes(),
      inUseBytes: () => this.inUseBytes(),
      isCommitting: () => this.isCommitting(),
      writer: () => this.#write(),
      commitAlways: (done) => {
        this.#isForced = true;
        this.commit(done);
      },
    });
  }

  /** Nothing may be pending or open. */
  close(): void {
    assert(this.#committing === null && this.#snapshots === 0, "the database is in use");
    if (this.#writer !== null) this.#writer.rollback();
    this.#writer = null;
    this.#reader.close();
    this.#tree.close();
  }

  #hasChanges(): boolean {
    return this.#pendingWrites > 0 || this.#indexChanged || this.#isForced;
  }

  #write(): WriteTransaction {
    if (this.#writer === null) {
      this.#writer = this.#tree.beginWrite();
      this.#keyWriter = bucketOf(this.#writer.root(), "key");
      this.#keyWriter.fillPercent = KEY_BUCKET_FILL_PERCENT;
    }
    return this.#writer;
  }

  /**
   * The bucket with all changes: of the open batch, else of the one being committed, else the last
   * state.
   */
  #newest(bucket: BucketName): BucketReader {
    if (bucket === "key") this.#feed();
    return bucketOf((this.#writer ?? this.#committing ?? this.#reader).root(), bucket);
  }

  #feed(): void {
    const rows = this.#rows;
    if (this.#fedRows === rows.count) return;
    this.#write();
    const bucket = this.#keyWriter!;
    for (let i = this.#fedRows; i < rows.count; i++) {
      const tombstone = rows.isTombstone(i);
      const key = tombstone ? this.#tombstoneKey : this.#rowKey;
      writeRevisionKey(key, rows.main(i), rows.sub(i), tombstone);
      bucket.put(key, rows.value(i));
    }
    this.#fedRows = rows.count;
  }

  #beginCommit(): WriteTransaction {
    this.#feed();
    const writer = this.#write();
    if (this.#indexChanged) {
      const meta = bucketOf(writer.root(), "meta");
      meta.put(META_CONSISTENT_INDEX, uint64Bytes(this.#consistentIndex));
      meta.put(META_TERM, uint64Bytes(this.#consistentTerm));
    }
    this.#committing = writer;
    this.#writer = null;
    this.#keyWriter = null;
    const rows = this.#committingRows;
    this.#committingRows = this.#rows;
    this.#rows = rows;
    this.#fedRows = 0;
    this.#pendingWrites = 0;
    this.#indexChanged = false;
    this.#isForced = false;
    return writer;
  }

  #commitEnded(): void {
    this.#committing = null;
    this.#reader.close();
    this.#reader = this.#tree.beginRead();
    this.#keyReader = bucketOf(this.#reader.root(), "key");
    this.#committingRows.clear();
    this.#callAll(this.#committingDone);
    if (this.#onIdle !== null && this.#committing === null) {
      this.#onIdle();
      return;
    }
    if (!this.#isNextWanted || this.#committing !== null) return;
    this.#isNextWanted = false;
    this.commit();
  }

  /** Calls and forgets. What they call in turn finds the list empty. */
  #callAll(list: (() => void)[]): void {
    for (const done of list.splice(0)) done();
  }

  #readNumber(key: Uint8Array): number {
    const value = this.get("meta", key);
    return value === undefined || value.length !== 8 ? 0 : readUint64(value, 0);
  }
}
