/**
 * What the parts of the store share: the database, the index and the two revisions. Only this
 * folder sees it.
 *
 * Invariant: every revision in the index above the compact revision has its row in the database.
 */
import { assert } from "../base/assert.ts";
import { type Database, DatabaseDamage } from "../database/index.ts";
import type { KeyIndex } from "./key-index/index.ts";
import { encodeKeyOnly, RecordReader } from "./record.ts";

const HOT_SLOTS = 4096;
/** Larger records are not kept: 4096 of them bound the memory held. */
const HOT_RECORD_BYTES_MAX = 4096;

export class StoreCore {
  readonly database: Database;
  readonly index: KeyIndex;
  /** The newest complete revision; 1 in an empty store. */
  revision = 1;
  /** -1 before the first compaction. */
  compactRevision = -1;
  /** The database holds another state by now: only what is pinned in memory may still be read here. */
  isReplaced = false;
  readonly reader = new RecordReader();
  // A small direct-mapped cache of newest records: slot by entry id, right only while the revision
  // is the same.
  readonly #hotMains = new Float64Array(HOT_SLOTS);
  readonly #hotSubs = new Uint32Array(HOT_SLOTS);
  readonly #hotRecords: Uint8Array[] = new Array(HOT_SLOTS);

  constructor(database: Database, index: KeyIndex) {
    this.database = database;
    this.index = index;
  }

  /** The record of a living entry at the newest revision. */
  newestRecord(id: number): Uint8Array {
    const main = this.index.mod(id);
    const sub = this.index.sub(id);
    const slot = id & (HOT_SLOTS - 1);
    // (main, sub) names one change of one key, so the id need not be compared.
    if (this.#hotMains[slot] === main && this.#hotSubs[slot] === sub)
      return this.#hotRecords[slot]!;
    const record = this.record(main, sub);
    if (record.length <= HOT_RECORD_BYTES_MAX) {
      this.#hotMains[slot] = main;
      this.#hotSubs[slot] = sub;
      this.#hotRecords[slot] = record;
    }
    return record;
  }

  /** The record of a revision that the index names. */
  record(main: number, sub: number): Uint8Array {
    const record = this.database.getRevision(main, sub);
    if (record === undefined) {
      throw new DatabaseDamage(this.database.path, `revision ${main}.${sub} is not there`);
    }
    return record;
  }

  /** The newest record without value and lease, from the index alone. */
  newestKeyOnly(id: number): Uint8Array {
    const { index } = this;
    return encodeKeyOnly(index.copyKey(id), index.create(id), index.mod(id), index.version(id));
  }

  /** The same for a revision that `locateLive` just found. */
  foundKeyOnly(id: number): Uint8Array {
    const { index, reader } = this;
    const readable = reader.read(this.record(index.foundMain, index.foundSub));
    assert(readable, "a stored record can be read");
    return encodeKeyOnly(index.copyKey(id), reader.create, reader.mod, reader.version);
  }
}
