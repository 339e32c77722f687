/** A hold on one committed state of the database: as a stream of bytes, or row by row. Close it. */
import type { ReadTransaction, SnapshotReader } from "../bbolt/index.ts";
import { bucketNameBytes } from "./buckets.ts";
import { DatabaseDamage } from "./database-damage.ts";
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

  /** Walks the `key` bucket of this state from (main, sub) on. */
  rows(main: number, sub: number): RevisionRows {
    const bucket = this.#read.root().bucket(bucketNameBytes("key"));
    if (bucket === undefined) throw new DatabaseDamage(this.#path, "it has no bucket key");
    return new RevisionRows(bucket.cursor(), this.#path, main, sub);
  }

  get transaction(): ReadTransaction {
    return this.#read;
  }

  close(): void {
    this.#read.close();
    this.#closed();
  }
}
