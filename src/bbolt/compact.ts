/**
 * Rewrites everything that a read transaction sees into another, empty file, in slices and in key
 * order, so that pages are full and nothing is free. The caller runs the commits, which may block
 * or not.
 */
import { assert } from "../base/assert.ts";
import type { DiskError } from "../io/index.ts";
import type { BucketReader, BucketWriter, Cursor } from "./bucket.ts";
import { decodeBucketValue } from "./bucket-value.ts";
import type { ReadTransaction } from "./read-transaction.ts";
import type { TreeFile } from "./tree-file.ts";
import type { WriteTransaction } from "./write-transaction.ts";

const FILL_PERCENT = 0.9;
const BATCH_BYTES = 4 << 20;
const BATCH_ENTRIES = 20_000;

interface Frame {
  name: Uint8Array | null;
  reader: BucketReader;
  cursor: Cursor;
  /** The cursor stands on an entry that is not copied yet. */
  more: boolean;
  /** Belongs to the running transaction; null after a commit until it is looked up again. */
  writer: BucketWriter | null;
}

/**
 * "more": call step again. "commit": call commit or commitNow, then step again. "done": all is
 * durable.
 */
export type CompactProgress = "more" | "commit" | "done";

export class TreeCompact {
  readonly #source: ReadTransaction;
  readonly #target: TreeFile;
  readonly #frames: Frame[] = [];
  /** Root pages of the buckets copied so far. */
  readonly #roots = new Set<number>();
  #write: WriteTransaction | null = null;
  #batchBytes = 0;
  #batchEntries = 0;

  constructor(source: ReadTransaction, target: TreeFile) {
    this.#source = source;
    this.#target = target;
    this.#enter(null, source.root());
  }

  /** Copies up to `work` entries. */
  step(work: number): CompactProgress {
    if (this.#write === null) {
      if (this.#frames.length === 0) return "done";
      this.#write = this.#target.beginWrite();
    }
    for (let left = work; left > 0; left--) {
      const frame = this.#frames.at(-1);
      if (frame === undefined || this.#batchIsFull()) return "commit";
      this.#copyOne(frame);
    }
    return "more";
  }

  /** Makes the batch durable; `done` as in WriteTransaction.commit. */
  commit(done: (error: DiskError | null) => void): void {
    this.#takeWrite().commit(done);
  }

  /** The same, blocking; throws DiskError. */
  commitNow(): void {
    this.#takeWrite().commitNow();
  }

  /** Gives up; the target is left as of the last commit. */
  abandon(): void {
    this.#write?.rollback();
    this.#write = null;
    this.#frames.length = 0;
  }

  #takeWrite(): WriteTransaction {
    const write = this.#write;
    assert(write !== null, "there is a batch to commit");
    this.#write = null;
    this.#batchBytes = 0;
    this.#batchEntries = 0;
    for (const frame of this.#frames) frame.writer = null;
    return write;
  }

  #batchIsFull(): boolean {
    return this.#batchBytes >= BATCH_BYTES || this.#batchEntries >= BATCH_ENTRIES;
  }

  #enter(name: Uint8Array | null, reader: BucketReader): void {
    const cursor = reader.cursor();
    this.#frames.push({ name, reader, cursor, more: cursor.first(), writer: null });
  }

  #copyOne(frame: Frame): void {
    const writer = this.#writerOf(this.#frames.length - 1);
    if (!frame.more) {
      writer.setSequence(frame.reader.sequence());
      this.#frames.pop();
      return;
    }
    const { cursor } = frame;
    const key = cursor.key();
    if (cursor.isBucket()) {
      const bucket = frame.reader.bucket(key);
      if (bucket === undefined) {
        const { file, meta } = this.#source;
        throw file.damage(meta.rootPageId, "leads to a bucket that is not where its name belongs");
      }
      this.#assertNotEntered(cursor.value());
      this.#enter(key, bucket);
    } else {
      const value = cursor.value();
      writer.put(key, value);
      this.#batchBytes += key.length + value.length;
    }
    this.#batchEntries++;
    frame.more = cursor.next();
  }

  /** On a damaged file a bucket may contain itself: copying it would never end. */
  #assertNotEntered(value: Uint8Array): void {
    const header = decodeBucketValue(value);
    assert(typeof header !== "string", "the bucket was opened, so its header is valid");
    if (header.rootPageId === 0) return;
    if (this.#roots.has(header.rootPageId)) {
      throw this.#source.file.damage(header.rootPageId, "is the root of two buckets");
    }
    this.#roots.add(header.rootPageId);
  }

  #writerOf(depth: number): BucketWriter {
    const frame = this.#frames[depth]!;
    if (frame.writer === null) {
      frame.writer =
        frame.name === null
          ? this.#write!.root()
          : this.#writerOf(depth - 1).createBucketIfMissing(frame.name);
      frame.writer.fillPercent = FILL_PERCENT;
    }
    return frame.writer;
  }
}
