/**
 * A database file that is not (yet) the member's own: one that another member sent, or the one found at a start. It
 * is read and checked, never written. Bytes that make no sense are answered, not thrown.
 */
import { type ReadTransaction, TreeCheck, TreeDamage, TreeFile } from "../bbolt/index.ts";
import { type Disk, DiskError, type DiskFile } from "../io/index.ts";
import {
  BUCKET_NAMES,
  type BucketName,
  bucketNameBytes,
  META_CONSISTENT_INDEX,
  META_TERM,
} from "./buckets.ts";
import { readUint64 } from "./revision-key.ts";

const PAGE_CACHE_BYTES = 1 << 20;

export class DatabaseImage {
  readonly consistentIndex: number;
  readonly consistentTerm: number;
  readonly #tree: TreeFile;
  readonly #read: ReadTransaction;
  readonly #check: TreeCheck;

  /** Opens the file at a path; a text says why it is no database, or why the disk does not give it. */
  static open(disk: Disk, path: string): DatabaseImage | string {
    let file: DiskFile | null = null;
    try {
      file = disk.open(path, { readOnly: true });
      return new DatabaseImage(file);
    } catch (error) {
      if (!(error instanceof TreeDamage || error instanceof DiskError)) throw error;
      file?.close();
      return error.message;
    }
  }

  private constructor(file: DiskFile) {
    this.#tree = TreeFile.open(file, { readOnly: true, pageCacheBytes: PAGE_CACHE_BYTES });
    this.#read = this.#tree.beginRead();
    this.#check = new TreeCheck(this.#read);
    const root = this.#read.root();
    for (const name of BUCKET_NAMES) {
      if (root.bucket(bucketNameBytes(name)) === undefined) {
        throw new TreeDamage(file.path, this.#read.meta.rootPageId, `there is no bucket ${name}`);
      }
    }
    this.consistentIndex = this.#number(META_CONSISTENT_INDEX);
    this.consistentTerm = this.#number(META_TERM);
  }

  /** Visits a bucket in key order; for small buckets. Throws TreeDamage. */
  forEach(bucket: BucketName, visit: (key: Uint8Array, value: Uint8Array) => void): void {
    const cursor = this.#read.root().bucket(bucketNameBytes(bucket))!.cursor();
    for (let more = cursor.first(); more; more = cursor.next()) visit(cursor.key(), cursor.value());
  }

  /** The check of every page, in slices; true when it is over. */
  checkStep(work: number): boolean {
    return this.#check.step(work);
  }

  /** What the check has found so far. */
  get problems(): readonly string[] {
    return this.#check.problems;
  }

  close(): void {
    this.#read.close();
    this.#tree.close();
  }

  #number(key: Uint8Array): number {
    const value = this.#read.root().bucket(bucketNameBytes("meta"))!.get(key);
    return value === undefined || value.length !== 8 ? 0 : readUint64(value, 0);
  }
}
