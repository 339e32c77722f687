/**
 * The physical part of a compaction: a sweep over the rows up to its revision in slices, which
 * removes what no read can reach any more and prunes the index on the way. What stays per key is
 * the newest revision at or before it, a tombstone only at exactly that revision: a watch from
 * there must still see the delete (etcd's incidents 18089 and 19179). Rows after the revision are
 * never touched, so the newest revision survives; were it the compact revision itself and its row
 * gone, the persisted compact revision stands for it (17780).
 *
 * The sweep also makes the hash that etcd compares between members after compactions: CRC-32C over
 * the bucket's name and all rows in (previous compact revision, revision], and of the older ones
 * those that stay.
 */
import { assert } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { DatabaseDamage } from "../database/index.ts";
import { TOMBSTONE_BIT } from "./key-index/index.ts";
import type { StoreCore } from "./store-core.ts";

/** For etcd's log line `finished scheduled compaction` and its metrics. */
export interface CompactionResult {
  readonly revision: number;
  readonly previousRevision: number;
  /** CRC-32C as etcd computes it. */
  readonly hash: number;
  /** False when an earlier sweep was cut off by a restart: then rows are missing from the hash. */
  readonly hashUsable: boolean;
  readonly removedRows: number;
  readonly keptRows: number;
}

export class CompactionSweep {
  readonly revision: number;
  readonly previousRevision: number;
  readonly #core: StoreCore;
  readonly #hashUsable: boolean;
  #hash = crc32c(utf8("key"));
  #nextMain = 0;
  #nextSub = 0;
  #removed = 0;
  #kept = 0;
  #isDone = false;

  constructor(core: StoreCore, revision: number, previousRevision: number, hashUsable: boolean) {
    this.#core = core;
    this.revision = revision;
    this.previousRevision = previousRevision;
    this.#hashUsable = hashUsable;
  }

  /**
   * Looks at up to `rowsMax` rows; true when the sweep is over. Rows are removed from the tree, so
   * those that are not in it yet are committed first.
   */
  step(rowsMax: number): boolean {
    assert(!this.#isDone, "a sweep that is over");
    if (!this.#core.database.isCommitted(this.revision)) {
      this.#core.database.commit();
      return false;
    }
    const removedMains: number[] = [];
    const removedSubs: number[] = [];
    const rows = this.#core.database.rows(this.#nextMain, this.#nextSub);
    let left = rowsMax;
    for (;;) {
      if (left-- === 0) break;
      if (!rows.next() || rows.main > this.revision) {
        this.#isDone = true;
        break;
      }
      const { main, sub, tombstone } = rows;
      const value = rows.value();
      const keeps = this.#decide(main, sub, tombstone, value);
      if (this.#isHashed(main, tombstone, keeps)) {
        this.#hash = crc32c(value, crc32c(rows.key(), this.#hash));
      }
      if (keeps) {
        this.#kept++;
      } else {
        removedMains.push(main);
        removedSubs.push(tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub);
      }
      this.#nextMain = main;
      this.#nextSub = sub + 1;
    }
    for (let i = 0; i < removedMains.length; i++) {
      const sub = removedSubs[i]!;
      const tombstone = sub >= TOMBSTONE_BIT;
      this.#core.database.deleteRevision(removedMains[i]!, sub % TOMBSTONE_BIT, tombstone);
    }
    this.#removed += removedMains.length;
    return this.#isDone;
  }

  result(): CompactionResult {
    assert(this.#isDone, "the sweep is over");
    return {
      revision: this.revision,
      previousRevision: this.previousRevision,
      hash: this.#hash,
      hashUsable: this.#hashUsable,
      removedRows: this.#removed,
      keptRows: this.#kept,
    };
  }

  /** Whether the row stays. Prunes the key at its first row, so later ones find it done. */
  #decide(main: number, sub: number, tombstone: boolean, value: Uint8Array): boolean {
    const { index, reader, database } = this.#core;
    if (!reader.read(value)) {
      throw new DatabaseDamage(
        database.path,
        `the record of revision ${main}.${sub} cannot be read`,
      );
    }
    const key = value.subarray(reader.keyStart, reader.keyEnd);
    const id = index.find(key);
    if (id === 0 || !index.prune(id, this.revision)) return false;
    if (!index.locate(id, this.revision)) return false;
    const found = tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub;
    return index.foundMain === main && index.foundSub === found;
  }

  #isHashed(main: number, tombstone: boolean, keeps: boolean): boolean {
    if (main <= this.previousRevision && !keeps) return false;
    return !(main === this.previousRevision && tombstone);
  }
}
