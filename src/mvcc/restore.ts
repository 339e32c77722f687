/**
 * Rebuilds the index from the rows of the database. Whatever way a store was opened, its index
 * afterwards is the one that the store which wrote the rows had (etcd's incident 19179 broke this
 * for lone tombstones), with everything dropped that the last compaction made unreadable.
 */
import { verify } from "../base/assert.ts";
import {
  type Database,
  DatabaseDamage,
  META_FINISHED_COMPACTION,
  META_SCHEDULED_COMPACTION,
  revisionKeyMain,
} from "../database/index.ts";
import { type CheckpointSource, loadCheckpoint } from "./checkpoint/index.ts";
import { KeyIndex, TOMBSTONE_BIT } from "./key-index/index.ts";
import { RecordReader } from "./record.ts";
import { StoreCore } from "./store-core.ts";

/** Lease ids by entry id, as they turn up. */
export type LeasesByEntry = Map<number, bigint>;

export interface RestoreOptions {
  database: Database;
  checkpoint?: CheckpointSource;
  onCheckpointIgnored?: (reason: string) => void;
  hashSeed?: number;
}

export interface Restored {
  readonly core: StoreCore;
  /** Of the checkpoint that was used, or 0. */
  readonly checkpointRevision: number;
  /** Revisions of the last compaction begun and of the last one swept to its end, or -1. */
  readonly scheduled: number;
  readonly finished: number;
}

/** Opens what a database holds; with a checkpoint that fits, only the rows after it are read. */
export function restore(options: RestoreOptions, leases: LeasesByEntry): Restored {
  const { database } = options;
  const finished = readCompaction(database, META_FINISHED_COMPACTION);
  const scheduled = readCompaction(database, META_SCHEDULED_COMPACTION);
  const compacted = Math.max(finished, scheduled);
  const loaded = load(options, compacted, leases);
  const index = loaded?.index ?? new KeyIndex({ hashSeed: options.hashSeed ?? 0 });
  const checkpointRevision = loaded?.revision ?? 0;
  const prunable = new Set<number>(loaded?.prunable);
  const last = replayRows(database, index, leases, checkpointRevision + 1, prunable);
  const core = new StoreCore(database, index);
  // What was compacted away may have been newer than all that is left (etcd's incident 17780).
  core.revision = Math.max(1, checkpointRevision, last, compacted);
  core.compactRevision = compacted;
  for (const id of prunable) index.prune(id, compacted);
  index.startToggles(core.revision);
  verify(() => index.check());
  return { core, checkpointRevision, scheduled, finished };
}

function load(options: RestoreOptions, compacted: number, leases: LeasesByEntry) {
  const { checkpoint, database, hashSeed } = options;
  if (checkpoint === undefined) return undefined;
  const loaded = loadCheckpoint(checkpoint, database, compacted, hashSeed ?? 0, leases);
  if (typeof loaded !== "string") return loaded;
  leases.clear();
  options.onCheckpointIgnored?.(loaded);
  return undefined;
}

/** The revision kept under a key of the meta bucket, or -1. */
function readCompaction(database: Database, key: Uint8Array): number {
  const value = database.get("meta", key);
  return value === undefined || value.length < 8 ? -1 : revisionKeyMain(value);
}

/**
 * Replays the rows from `fromRevision` on into the index; answers the revision of the last row, or
 * 0. Entries that a compaction can take something from go into `prunable`.
 */
function replayRows(
  database: Database,
  index: KeyIndex,
  leases: LeasesByEntry,
  fromRevision: number,
  prunable: Set<number>,
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
    if (!index.isPlain(id)) prunable.add(id);
    if (reader.lease !== 0n && !tombstone) leases.set(id, reader.lease);
    else if (leases.size > 0) leases.delete(id);
    last = main;
  }
  return last;
}
