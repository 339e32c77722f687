/**
 * HashKV: CRC-32C over what the store holds at a revision. Over the bucket's name, then key and
 * record of each row up to the revision; of the rows at or before the compact revision only those
 * that live at the hashed revision, because members sweep at their own pace; never a tombstone
 * exactly at the compact revision, which older versions of etcd remove.
 *
 * So it follows from replicated state alone: equal on all members at equal (revision, compact
 * revision), however far each has swept, and equal to the hash that a compaction makes of the same
 * two revisions. A real etcd's is the same but for one case: where nothing lives at the revision it
 * takes all rows that are still there.
 *
 * Works in steps over a hold on one committed state. The index goes on changing meanwhile, which
 * does no harm: what it says about an uncompacted revision never changes.
 */
import { assert } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { DatabaseDamage, type DatabaseSnapshot, type RevisionRows } from "../database/index.ts";
import { TOMBSTONE_BIT } from "./key-index/index.ts";
import type { StoreCore } from "./store-core.ts";

export interface KeyValueHash {
  readonly hash: number;
  readonly compactRevision: number;
  readonly hashRevision: number;
}

/** The hash of no rows at all. */
export const EMPTY_HASH = crc32c(utf8("key"));

export class KeyValueHashTask {
  readonly #newestCore: () => StoreCore;
  /** As it was when the rows were pinned: the index belongs to them. */
  #core: StoreCore;
  readonly #revision: number;
  #compactRevision = -1;
  #snapshot: DatabaseSnapshot | null = null;
  #rows: RevisionRows | null = null;
  #hash = EMPTY_HASH;
  #result: KeyValueHash | null = null;

  constructor(newestCore: () => StoreCore, revision: number) {
    this.#newestCore = newestCore;
    this.#core = newestCore();
    this.#revision = revision;
  }

  /**
   * Hashes up to `rowsMax` rows; false when there is more to do. "compacted" when that overtook the
   * hash.
   */
  step(rowsMax: number): boolean | "compacted" {
    if (this.#snapshot === null) this.#core = this.#newestCore();
    if (this.#revision < this.#core.compactRevision) {
      this.close();
      return "compacted";
    }
    const rows = this.#rows ?? this.#begin();
    if (rows === null) return false;
    for (let left = rowsMax; left > 0; left--) {
      if (!rows.next() || rows.main > this.#revision) {
        this.close();
        const compactRevision = this.#compactRevision;
        this.#result = { hash: this.#hash, compactRevision, hashRevision: this.#revision };
        return true;
      }
      const value = rows.value();
      if (this.#counts(rows, value)) this.#hash = crc32c(value, crc32c(rows.key(), this.#hash));
    }
    return false;
  }

  result(): KeyValueHash {
    assert(this.#result !== null, "the hash is done");
    return this.#result;
  }

  /** Gives up, or frees what is held; done by the last step too. */
  close(): void {
    this.#snapshot?.close();
    this.#snapshot = null;
    this.#rows = null;
  }

  #begin(): RevisionRows | null {
    const { database, compactRevision } = this.#core;
    if (!database.isCommitted(this.#revision)) {
      database.commit();
      return null;
    }
    this.#compactRevision = compactRevision;
    this.#snapshot = database.openSnapshot();
    this.#rows = this.#snapshot.rows(0, 0);
    return this.#rows;
  }

  #counts(rows: RevisionRows, value: Uint8Array): boolean {
    const { main, sub, tombstone } = rows;
    if (main > this.#compactRevision) return true;
    if (tombstone) return false;
    const { index, reader, database } = this.#core;
    if (!reader.read(value)) {
      throw new DatabaseDamage(
        database.path,
        `the record of revision ${main}.${sub} cannot be read`,
      );
    }
    const id = index.find(value.subarray(reader.keyStart, reader.keyEnd));
    if (id === 0 || !index.locate(id, this.#revision)) return false;
    return index.foundMain === main && index.foundSub === sub && sub < TOMBSTONE_BIT;
  }
}
