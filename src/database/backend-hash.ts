/**
 * The Hash of etcd's maintenance service: CRC-32C over the whole database, bucket by bucket: its
 * name, then every key and value in order. The applied index and term are left out. In steps over
 * one committed state.
 */

import { assert } from "../base/assert.ts";
import { equalBytes, utf8 } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import type { BucketReader, Cursor } from "../bbolt/index.ts";
import { META_CONSISTENT_INDEX, META_TERM } from "./buckets.ts";
import type { DatabaseSnapshot } from "./database-snapshot.ts";

const META = utf8("meta");

export class BackendHash {
  readonly #snapshot: DatabaseSnapshot;
  readonly #root: BucketReader;
  readonly #buckets: Cursor;
  #entries: Cursor | null = null;
  #isMeta = false;
  #isStarted = false;
  #hash = 0;
  #isDone = false;

  constructor(snapshot: DatabaseSnapshot) {
    this.#snapshot = snapshot;
    this.#root = snapshot.transaction.root();
    this.#buckets = this.#root.cursor();
  }

  /** Hashes up to `entriesMax` entries; true when done, which closes the snapshot. */
  step(entriesMax: number): boolean {
    for (let left = entriesMax; left > 0; left--) {
      if (this.#entries === null) {
        if (this.#enterBucket()) continue;
        this.#isDone = true;
        this.#snapshot.close();
        return true;
      }
      const entries: Cursor = this.#entries;
      const key = entries.key();
      if (!this.#isMeta || !isApplied(key)) {
        this.#hash = crc32c(entries.value(), crc32c(key, this.#hash));
      }
      if (!entries.next()) this.#entries = null;
    }
    return false;
  }

  hash(): number {
    assert(this.#isDone, "the hash is done");
    return this.#hash;
  }

  /** Goes to the next bucket; false behind the last. */
  #enterBucket(): boolean {
    const found: boolean = this.#isStarted ? this.#buckets.next() : this.#buckets.first();
    this.#isStarted = true;
    if (!found) return false;
    const name = this.#buckets.key();
    const bucket = this.#root.bucket(name);
    if (bucket === undefined) return true;
    this.#hash = crc32c(name, this.#hash);
    this.#isMeta = equalBytes(name, META);
    const entries = bucket.cursor();
    this.#entries = entries.first() ? entries : null;
    return true;
  }
}

function isApplied(key: Uint8Array): boolean {
  return equalBytes(key, META_CONSISTENT_INDEX) || equalBytes(key, META_TERM);
}
