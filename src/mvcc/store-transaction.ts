/**
 * One change of the store: all its puts and deletes share one revision, the current one plus one,
 * and are told apart by their sub. Synchronous and alone: the store begins no other until `end`.
 * Nothing is rolled back, so callers check everything that could fail first.
 */
import { assert } from "../base/assert.ts";
import { encodeDeleted, encodeRecord, encodeTombstone } from "./record.ts";
import type { StoreCore } from "./store-core.ts";
import { readRange, readRecord } from "./store-reads.ts";
import { CHANGE_DELETE, CHANGE_PUT, StoredChange } from "./stored-change.ts";
import type {
  ChangeBatch,
  ChangeEvent,
  RangeOptions,
  RangeResult,
  RevisionProblem,
} from "./types.ts";

export interface DeleteResult {
  readonly deleted: number;
  /** Records as they were, in key order; empty unless wanted. */
  readonly previous: Uint8Array[];
  /** The deleted keys in key order, for taking them off their leases. */
  readonly keys: Uint8Array[];
}

const SUB_LIMIT = 2 ** 31;

export class StoreTransaction {
  readonly #core: StoreCore;
  readonly #ended: (batch: ChangeBatch | null) => void;
  readonly #main: number;
  #events: ChangeEvent[] = [];
  #open = true;

  /** Only the store makes these. */
  constructor(core: StoreCore, ended: (batch: ChangeBatch | null) => void) {
    this.#core = core;
    this.#ended = ended;
    this.#main = core.revision + 1;
  }

  /** The revision that changes of this transaction get. */
  get nextRevision(): number {
    return this.#main;
  }

  /** Sees what this transaction wrote before, at the newest revision. */
  range(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    options: RangeOptions,
  ): RangeResult | RevisionProblem {
    const newest = this.#core.revision + (this.#events.length > 0 ? 1 : 0);
    const { revision } = options;
    if (revision > newest) return "future";
    if (revision > 0 && revision < this.#core.compactRevision) return "compacted";
    return readRange(this.#core, key, rangeEnd, Math.max(revision, 0), options);
  }

  /** The newest record of a key, own changes included. */
  getRecord(key: Uint8Array): Uint8Array | undefined {
    return readRecord(this.#core, key, 0);
  }

  /** Copies key and value. Answers the record before, if wanted and there. */
  put(
    key: Uint8Array,
    value: Uint8Array,
    lease: bigint,
    wantPrevious: boolean,
  ): Uint8Array | undefined {
    assert(this.#open && key.length > 0, "put of a key in an open transaction");
    const core = this.#core;
    const { index } = core;
    const main = this.#main;
    const sub = this.#events.length;
    const id = index.find(key);
    const lives = id !== 0 && index.isLive(id);
    const previous = wantPrevious && lives ? core.newestRecord(id) : undefined;
    const create = lives ? index.create(id) : main;
    const version = lives ? index.version(id) + 1 : 1;
    const record = encodeRecord(key, create, main, version, value, lease);
    index.put(id, key, main, sub, lease !== 0n);
    core.database.appendRevision(main, sub, false, record);
    this.#events.push(new StoredChange(CHANGE_PUT, main, sub, record, version === 1));
    assert(this.#events.length < SUB_LIMIT, "too many changes in one revision");
    return previous;
  }

  /** Deletes the living keys of [key, rangeEnd), or `key` alone when the end is empty. */
  deleteRange(key: Uint8Array, rangeEnd: Uint8Array, wantPrevious: boolean): DeleteResult {
    assert(this.#open && key.length > 0, "delete of a key in an open transaction");
    const { index } = this.#core;
    const result: DeleteResult = { deleted: 0, previous: [], keys: [] };
    if (rangeEnd.length === 0) {
      const id = index.find(key);
      if (id === 0 || !index.isLive(id)) return result;
      this.#delete(id, wantPrevious, result);
    } else {
      const ids: number[] = [];
      index.scan(key, rangeEnd, false, (id) => ids.push(id) > 0);
      for (const id of ids) this.#delete(id, wantPrevious, result);
    }
    return { ...result, deleted: result.keys.length };
  }

  /** Ends it; answers the store's revision, which grew by one if anything changed. */
  end(): number {
    assert(this.#open, "a transaction ends once");
    this.#open = false;
    if (this.#events.length === 0) {
      this.#ended(null);
      return this.#core.revision;
    }
    this.#core.revision = this.#main;
    this.#ended({ revision: this.#main, events: this.#events });
    return this.#main;
  }

  #delete(id: number, wantPrevious: boolean, result: DeleteResult): void {
    const core = this.#core;
    const main = this.#main;
    const sub = this.#events.length;
    if (wantPrevious) result.previous.push(core.newestRecord(id));
    const key = core.index.copyKey(id);
    core.index.delete(id, key, main, sub);
    core.database.appendRevision(main, sub, true, encodeTombstone(key));
    const kv = encodeDeleted(key, main);
    this.#events.push(new StoredChange(CHANGE_DELETE, main, sub, kv, false));
    result.keys.push(key);
  }
}
