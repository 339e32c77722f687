/**
 * Rebuilds the index from the rows of a database, in steps. Whatever way a store was opened, its index
 * afterwards is the one that the store which wrote the rows had (etcd's incident 19179 broke this
 * for lone tombstones), with everything dropped that the last compaction made unreadable.
 */
import { assert, verify } from "../base/assert.ts";
import {
  type Database,
  DatabaseDamage,
  META_FINISHED_COMPACTION,
  META_SCHEDULED_COMPACTION,
  type RevisionRows,
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

/** Reads what a database holds; with a checkpoint that fits, only the rows after it. */
export class StoreLoader {
  /** Of the checkpoint that was used, or 0. */
  readonly checkpointRevision: number;
  /** Revisions of the last compaction begun and of the last one swept to its end, or -1. */
  readonly scheduled: number;
  readonly finished: number;
  readonly #database: Database;
  readonly #index: KeyIndex;
  readonly #leases: LeasesByEntry = new Map();
  readonly #reader = new RecordReader();
  readonly #rows: RevisionRows;
  /** Entries that a compaction can take something from. */
  readonly #prunable: Set<number>;
  #pruning: Iterator<number> | null = null;
  #visiting: Iterator<[number, bigint]> | null = null;
  #lastMain = 0;
  #isDone = false;

  constructor(options: RestoreOptions) {
    const { database, hashSeed = 0 } = options;
    this.#database = database;
    this.finished = readCompaction(database, META_FINISHED_COMPACTION);
    this.scheduled = readCompaction(database, META_SCHEDULED_COMPACTION);
    const loaded = load(options, this.compactRevision, this.#leases);
    this.#index = loaded?.index ?? new KeyIndex({ hashSeed });
    this.checkpointRevision = loaded?.revision ?? 0;
    this.#prunable = new Set<number>(loaded?.prunable);
    this.#rows = database.rows(this.checkpointRevision + 1, 0);
  }

  get compactRevision(): number {
    return Math.max(this.finished, this.scheduled);
  }

  /** Reads up to `rowsMax` rows; true when all is read. Throws DatabaseDamage, TreeDamage. */
  step(rowsMax: number): boolean {
    assert(!this.#isDone, "a loader that is done");
    let left = rowsMax;
    if (this.#pruning === null) {
      while (left > 0 && this.#rows.next()) {
        this.#replayRow();
        left--;
      }
      if (left === 0) return false;
      this.#pruning = this.#prunable.values();
    }
    for (; left > 0; left--) {
      const next = this.#pruning.next();
      if (next.done === true) {
        this.#end();
        return true;
      }
      this.#index.prune(next.value, this.compactRevision);
    }
    return false;
  }

  /** What was read, to be used with a database that holds the same. */
  core(database: Database): StoreCore {
    assert(this.#isDone, "all rows are read");
    const core = new StoreCore(database, this.#index);
    core.revision = this.#revision();
    core.compactRevision = this.compactRevision;
    return core;
  }

  /** Visits up to `countMax` of the living keys that have a lease; true when that were all. */
  leaseStep(countMax: number, visit: (key: Uint8Array, leaseId: bigint) => void): boolean {
    assert(this.#isDone, "all rows are read");
    this.#visiting ??= this.#leases.entries();
    for (let left = countMax; left > 0; left--) {
      const next = this.#visiting.next();
      if (next.done === true) return true;
      visit(this.#index.copyKey(next.value[0]), next.value[1]);
    }
    return false;
  }

  #end(): void {
    this.#isDone = true;
    this.#index.startToggles(this.#revision());
    verify(() => this.#index.check());
  }

  /** What was compacted away may have been newer than all that is left (etcd's incident 17780). */
  #revision(): number {
    return Math.max(1, this.checkpointRevision, this.#lastMain, this.compactRevision);
  }

  #replayRow(): void {
    const rows = this.#rows;
    const reader = this.#reader;
    const value = rows.value();
    if (!reader.read(value) || reader.keyEnd === reader.keyStart) {
      const row = `${rows.main}.${rows.sub}`;
      throw new DatabaseDamage(this.#database.path, `the record of revision ${row} cannot be read`);
    }
    const key = value.subarray(reader.keyStart, reader.keyEnd);
    const { main, sub, tombstone } = rows;
    const id = this.#index.restore(
      key,
      main,
      tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub,
      tombstone ? 0 : reader.create,
      tombstone ? 0 : reader.version,
      !tombstone && reader.lease !== 0n,
    );
    if (!this.#index.isPlain(id)) this.#prunable.add(id);
    const leases = this.#leases;
    if (reader.lease !== 0n && !tombstone) leases.set(id, reader.lease);
    else if (leases.size > 0) leases.delete(id);
    this.#lastMain = main;
  }
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
