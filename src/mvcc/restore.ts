/**
 * Rebuilds the index from the rows of the database. Whatever way a store was opened, its index afterwards is
 * the one that the store which wrote the rows had (etcd's incident 19179 broke this for lone tombstones),
 * with everything dropped that the last compaction made unreadable.
 */
import { type Database, DatabaseDamage } from "../database/index.ts";
import { type KeyIndex, TOMBSTONE_BIT } from "./key-index/index.ts";
import { RecordReader } from "./record.ts";

/** Lease ids by entry id, as they turn up. */
export type LeasesByEntry = Map<number, bigint>;

/** Replays the rows from `fromRevision` on into the index; answers the revision of the last row, or 0. */
export function replayRows(
  database: Database,
  index: KeyIndex,
  leases: LeasesByEntry,
  fromRevision: number,
): number {
  const reader = new RecordReader();
  const rows = database.rows(fromRevision, 0);
  let last = 0;
  while (rows.next()) {
    const value = rows.value();
    if (!reader.read(value) || reader.keyEnd === reader.keyStart) {
      const row = `${rows.main}.${rows.sub}`;
      throw new DatabaseDamage(database.path, `the record of revision ${row} cannot be read`);
    }
    const key = value.subarray(reader.keyStart, reader.keyEnd);
    const { main, sub, tombstone } = rows;
    const id = index.restore(
      key,
      main,
      tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub,
      tombstone ? 0 : reader.create,
      tombstone ? 0 : reader.version,
      !tombstone && reader.lease !== 0n,
    );
    if (reader.lease !== 0n && !tombstone) leases.set(id, reader.lease);
    else if (leases.size > 0) leases.delete(id);
    last = main;
  }
  return last;
}

/** Drops from the whole index what compaction at `revision` made unreadable. */
export function pruneAll(index: KeyIndex, revision: number): void {
  const everything = new Uint8Array([0]);
  const ids: number[] = [];
  index.scan(everything, everything, true, (id) => {
    if (!index.isPlain(id)) ids.push(id);
    return true;
  });
  for (const id of ids) index.prune(id, revision);
}
