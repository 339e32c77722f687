/** A hold on one committed state of the database: as a stream of bytes, or row by row. Close it. */
import type { BucketReader, ReadTransaction, SnapshotReader } from "../bbolt/index.ts";
import { type BucketName, bucketNameBytes, META_CONSISTENT_INDEX, META_TERM } from "./buckets.ts";
import { DatabaseDamage } from "./database-damage.ts";
import { readUint64 } from "./revision-key.ts";
import { RevisionRows } from "./revision-rows.ts";

export class DatabaseSnapshot {
  readonly #read: ReadTransaction;
  readonly #stream: SnapshotReader;
  readonly #path: string;
  readonly #closed: () => void;

  constructor(read: ReadTransaction, stream: SnapshotReader, path: string, closed: () => void) {
    this.#read = read;
    this.#stream = stream;
    this.#path = path;
    this.#closed = closed;
  }

  /** The last log entry whose effects are in this state. */
  get consistentIndex(): number {
    return this.#number(META_CONSISTENT_INDEX);
  }

  get consistentTerm(): number {
    return this.#number(META_TERM);
  }

  /** Length of the stream: a whole bbolt file, a multiple of its page size. */
  get totalBytes(): number {
    return this.#stream.totalBytes;
  }

  get remainingBytes(): number {
    return this.#stream.remainingBytes;
  }

  /** Fills target[offset, offset + length) with the next bytes; returns how many, 0 at the end. */
  read(target: Uint8Array, offset = 0, length: number = target.length - offset): number {
    return this.#stream.read(target, offset, length);
  }

  /** The same from any position; does not move the stream. */
  readAt(position: number, target: Uint8Array): number {
    return this.#stream.readAt(position, target);
  }

  /** The value of a key in this state. */
  get(bucket: BucketName, key: Uint8Array): Uint8Array | undefined {
    return this.#bucket(bucket).get(key);
  }

  /** Visits a bucket of this state in key order; for small buckets. */
  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    const cursor = this.#bucket(bucket).cursor();
    for (let more = cursor.first(); more; more = cursor.next()) visit(cursor.key(), cursor.value());
  }

  /** Walks the `key` bucket of this state from (main, sub) on. */
  rows(main: number, sub: number): RevisionRows {
    return new RevisionRows(this.#bucket("key").cursor(), this.#path, main, sub);
  }

  #number(key: Uint8Array): number {
    const value = this.get("meta", key);
    return value === undefined || value.length !== 8 ? 0 : readUint64(value, 0);
  }

  #bucket(name: BucketName): BucketReader {
    const bucket = this.#read.root().bucket(bucketNameBytes(name));
    if (bucket === undefined) throw new DatabaseDamage(this.#path, `it has no bucket ${name}`);
    return bucket;
  }

  get transaction(): ReadTransaction {
    return this.#read;
  }

  close(): void {
    this.#read.close();
    this.#closed();
  }
}
