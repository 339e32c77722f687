/** Ranges over the store, at the newest or at an older revision. */
import type { StoreCore } from "./store-core.ts";
import type { RangeOptions, RangeResult } from "./types.ts";

/**
 * `revision` is 0 for the newest (which inside a transaction includes its own changes), else
 * readable.
 */
export function readRange(
  core: StoreCore,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  revision: number,
  options: RangeOptions,
): RangeResult {
  if (rangeEnd.length === 0) return readSingle(core, key, revision, options);
  if (options.countOnly) return { kvs: [], count: countRange(core, key, rangeEnd, revision) };
  const limit = options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  const kvs: Uint8Array[] = [];
  let isCut = false;
  visitRange(core, key, rangeEnd, revision, options.keysOnly, (record) => {
    if (kvs.length === limit) {
      isCut = true;
      return false;
    }
    kvs.push(record);
    return true;
  });
  return { kvs, count: isCut ? countRange(core, key, rangeEnd, revision) : kvs.length };
}

/** Visits the records of [key, rangeEnd) in key order until `visit` answers false. */
export function visitRange(
  core: StoreCore,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  revision: number,
  keysOnly: boolean,
  visit: (record: Uint8Array) => boolean,
): void {
  const { index } = core;
  if (revision === 0) {
    index.scan(key, rangeEnd, false, (id) => {
      // Not through the cache of hot records: a long range would only empty it.
      if (keysOnly) return visit(core.newestKeyOnly(id));
      return visit(core.record(index.mod(id), index.sub(id)));
    });
    return;
  }
  index.scan(key, rangeEnd, true, (id) => {
    if (!index.locateLive(id, revision)) return true;
    if (keysOnly) return visit(core.foundKeyOnly(id));
    return visit(core.record(index.foundMain, index.foundSub));
  });
}

/** O(log n) at the newest revision, and cheap a little before it. */
export function countRange(
  core: StoreCore,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  revision: number,
): number {
  if (revision === 0) return core.index.countLive(key, rangeEnd);
  return core.index.countLiveAt(key, rangeEnd, revision);
}

/** The record of a key at a revision (0: newest), or undefined. */
export function readRecord(
  core: StoreCore,
  key: Uint8Array,
  revision: number,
): Uint8Array | undefined {
  const { index } = core;
  const id = index.find(key);
  if (id === 0) return undefined;
  if (revision === 0) return index.isLive(id) ? core.newestRecord(id) : undefined;
  if (!index.locateLive(id, revision)) return undefined;
  return core.record(index.foundMain, index.foundSub);
}

function readSingle(
  core: StoreCore,
  key: Uint8Array,
  revision: number,
  options: RangeOptions,
): RangeResult {
  const { index } = core;
  const id = index.find(key);
  const lives = id !== 0 && (revision === 0 ? index.isLive(id) : index.locateLive(id, revision));
  if (!lives) return { kvs: [], count: 0 };
  if (options.countOnly) return { kvs: [], count: 1 };
  if (options.keysOnly) {
    return { kvs: [revision === 0 ? core.newestKeyOnly(id) : core.foundKeyOnly(id)], count: 1 };
  }
  if (revision === 0) return { kvs: [core.newestRecord(id)], count: 1 };
  return { kvs: [core.record(index.foundMain, index.foundSub)], count: 1 };
}
