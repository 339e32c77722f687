/**
 * The multi-version store: etcd's revision model over the database and the key index. The state
 * machine is its caller: one transaction at a time, no waiting, no clock. Physical work that takes
 * long (sweeping after a compaction, hashing, writing the index checkpoint) is done in steps that
 * the server calls when it has time.
 *
 * Invariants: the revision grows by exactly one per transaction that changed something and never
 * goes back, not even over a restart; reads below the compact revision are refused from the moment
 * it is set; rows are in the same database batch as the applied index that the caller sets.
 */
import { assert } from "../base/assert.ts";
import {
  type Database,
  META_FINISHED_COMPACTION,
  META_SCHEDULED_COMPACTION,
  revisionKey,
} from "../database/index.ts";
import {
  type CheckpointSink,
  type CheckpointSource,
  CheckpointWriter,
} from "./checkpoint/index.ts";
import { type CompactionResult, CompactionSweep } from "./compaction.ts";
import { EMPTY_HASH, type KeyValueHash, KeyValueHashTask } from "./key-value-hash.ts";
import { readChanges } from "./read-changes.ts";
import { StoreLoader } from "./restore.ts";
import type { StoreCore } from "./store-core.ts";
import { countRange, readRange, readRecord, visitRange } from "./store-reads.ts";
import { StoreTransaction } from "./store-transaction.ts";
import type {
  ChangeBatch,
  ChangeSource,
  RangeOptions,
  RangeResult,
  RevisionProblem,
} from "./types.ts";

export interface StoreOptions {
  database: Database;
  /** Called at the end of each transaction that changed something. */
  onChanges: (batch: ChangeBatch) => void;
  /** Called while opening for each living key that has a lease. */
  onLease?: (key: Uint8Array, leaseId: bigint) => void;
  /** The index checkpoint, if there is one. */
  checkpoint?: CheckpointSource;
  /** Why the checkpoint was of no use; the store was opened by reading all rows. */
  onCheckpointIgnored?: (reason: string) => void;
  /** Unpredictable, against keys chosen to collide in the index. */
  hashSeed?: number;
}

export interface KeyRevisions {
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

const COMPACTION_HASHES_MAX = 10;

export class Store implements ChangeSource {
  #core: StoreCore;
  readonly #onChanges: (batch: ChangeBatch) => void;
  readonly #sweeps: CompactionSweep[] = [];
  readonly #hashes: KeyValueHash[] = [];
  #checkpointRevision = 0;
  #inTransaction = false;

  static open(options: StoreOptions): Store {
    return new Store(options);
  }

  private constructor(options: StoreOptions) {
    this.#onChanges = options.onChanges;
    const loader = new StoreLoader(options);
    while (!loader.step(Number.POSITIVE_INFINITY));
    this.#core = loader.core(options.database);
    this.#begin(loader);
    const { onLease } = options;
    if (onLease !== undefined) while (!loader.leaseStep(Number.POSITIVE_INFINITY, onLease));
  }

  /**
   * Goes on with what the loader read, after the database was replaced by the one that it read from. The history is
   * the same, only longer, so reads that are pinned at a revision go on; what watchers missed they get from history.
   * Hashes and checkpoints that are being made see the old state to its end, or begin again.
   */
  replaceBy(loader: StoreLoader): void {
    assert(!this.#inTransaction, "no transaction is open");
    const before = this.#core;
    const core = loader.core(before.database);
    assert(core.revision >= before.revision, "a received state is not older");
    before.isReplaced = true;
    this.#core = core;
    this.#sweeps.length = 0;
    this.#hashes.length = 0;
    this.#begin(loader);
  }

  #begin({ checkpointRevision, scheduled, finished }: StoreLoader): void {
    this.#checkpointRevision = checkpointRevision;
    if (scheduled > finished) {
      this.#sweeps.push(new CompactionSweep(this.#core, scheduled, finished, false));
    }
  }

  revision(): number {
    return this.#core.revision;
  }

  compactRevision(): number {
    return this.#core.compactRevision;
  }

  /** An empty `rangeEnd` means `key` alone, a single zero byte means no end. */
  range(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    options: RangeOptions,
  ): RangeResult | RevisionProblem {
    const problem = this.revisionProblem(options.revision);
    if (problem !== undefined) return problem;
    return readRange(this.#core, key, rangeEnd, this.#readable(options.revision), options);
  }

  /** Why a read at this revision is impossible; 0 or less is the newest. */
  revisionProblem(revision: number): RevisionProblem | undefined {
    if (revision <= 0) return undefined;
    if (revision > this.#core.revision) return "future";
    return revision < this.#core.compactRevision ? "compacted" : undefined;
  }

  /** Visits records in key order until `visit` answers false; for streams and filters. */
  visit(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    revision: number,
    keysOnly: boolean,
    visit: (record: Uint8Array) => boolean,
  ): RevisionProblem | undefined {
    const problem = this.revisionProblem(revision);
    if (problem !== undefined) return problem;
    if (rangeEnd.length === 0) {
      const options = { revision, limit: 0, countOnly: false, keysOnly };
      const single = readRange(this.#core, key, rangeEnd, this.#readable(revision), options);
      for (const record of single.kvs) visit(record);
    } else {
      visitRange(this.#core, key, rangeEnd, this.#readable(revision), keysOnly, visit);
    }
    return undefined;
  }

  /** Keys of [key, rangeEnd) at a revision (0: newest) that the caller knows to be readable. */
  count(key: Uint8Array, rangeEnd: Uint8Array, revision: number): number {
    assert(this.revisionProblem(revision) === undefined, "counting at a readable revision");
    if (rangeEnd.length === 0) return readRecord(this.#core, key, this.#readable(revision)) ? 1 : 0;
    return countRange(this.#core, key, rangeEnd, this.#readable(revision));
  }

  /** The newest record of a key: the way of most reads. */
  getRecord(key: Uint8Array): Uint8Array | undefined {
    return readRecord(this.#core, key, 0);
  }

  recordAt(key: Uint8Array, revision: number): Uint8Array | undefined {
    if (revision <= 0 || this.revisionProblem(revision) !== undefined) return undefined;
    return readRecord(this.#core, key, this.#readable(revision));
  }

  /**
   * What transaction compares need; the value is read only where the lease or an older revision
   * asks for it.
   */
  keyRevisions(key: Uint8Array, atRevision: number): KeyRevisions | undefined {
    const { index, reader } = this.#core;
    const id = index.find(key);
    if (id === 0) return undefined;
    if (atRevision <= 0 && !index.isLeased(id)) {
      if (!index.isLive(id)) return undefined;
      return {
        create: index.create(id),
        mod: index.mod(id),
        version: index.version(id),
        lease: 0n,
      };
    }
    const record = readRecord(this.#core, key, this.#readable(atRevision));
    if (record === undefined) return undefined;
    const readable = reader.read(record);
    assert(readable, "a stored record can be read");
    const { create, mod, version, lease } = reader;
    return { create, mod, version, lease };
  }

  readChanges(
    fromRevision: number,
    revisionsMax: number,
    bytesMax: number,
  ): { batches: ChangeBatch[]; nextRevision: number } | "compacted" {
    return readChanges(this.#core, fromRevision, revisionsMax, bytesMax);
  }

  beginTransaction(): StoreTransaction {
    assert(!this.#inTransaction, "one transaction at a time");
    this.#inTransaction = true;
    return new StoreTransaction(this.#core, (batch) => {
      this.#inTransaction = false;
      if (batch !== null) this.#onChanges(batch);
    });
  }

  /** Makes everything before `revision` unreadable at once; `compactionStep` removes it. */
  scheduleCompaction(revision: number): RevisionProblem | undefined {
    const core = this.#core;
    if (revision <= core.compactRevision) return "compacted";
    if (revision > core.revision) return "future";
    // After a restart in the middle of a sweep, or with an earlier one still going on, rows are
    // missing.
    const hashUsable = this.#sweeps.length === 0;
    core.database.put("meta", META_SCHEDULED_COMPACTION, revisionKey(revision, 0, false));
    this.#sweeps.push(new CompactionSweep(core, revision, core.compactRevision, hashUsable));
    core.compactRevision = revision;
    return undefined;
  }

  /** A scheduled compaction is not swept to its end yet. */
  isCompacting(): boolean {
    return this.#sweeps.length > 0;
  }

  /** Sweeps up to `rowsMax` rows; a result when that ended a compaction. */
  compactionStep(rowsMax: number): CompactionResult | undefined {
    const sweep = this.#sweeps[0];
    if (sweep === undefined || !sweep.step(rowsMax)) return undefined;
    this.#sweeps.shift();
    const finished = revisionKey(sweep.revision, 0, false);
    this.#core.database.put("meta", META_FINISHED_COMPACTION, finished);
    const result = sweep.result();
    if (result.hashUsable) {
      const { hash, previousRevision: compactRevision, revision: hashRevision } = result;
      this.#hashes.push({ hash, compactRevision, hashRevision });
      if (this.#hashes.length > COMPACTION_HASHES_MAX) this.#hashes.shift();
    }
    return result;
  }

  /**
   * HashKV at a revision (0: newest) in steps. A hash that a compaction made at exactly that
   * revision is answered at once, as etcd does, unless it has to be computed anew.
   */
  beginHash(revision: number, isAnew = false): KeyValueHashTask | KeyValueHash | RevisionProblem {
    if (revision < 0) {
      // As etcd: nothing is at or before a negative revision, and that is what is hashed.
      const { revision: hashRevision, compactRevision } = this.#core;
      return { hash: EMPTY_HASH, compactRevision, hashRevision };
    }
    const at = revision === 0 ? this.#core.revision : revision;
    // Not for 0: a compaction at revision 0 must not answer for the newest one (on a real member it
    // does).
    const known = this.#hashes.find((hash) => hash.hashRevision === revision && revision > 0);
    if (known !== undefined && !isAnew) return known;
    const problem = this.revisionProblem(at);
    return problem ?? new KeyValueHashTask(() => this.#core, at);
  }

  /** Hashes that compactions made, oldest first; at most ten. */
  compactionHashes(): readonly KeyValueHash[] {
    return this.#hashes;
  }

  /** Writes the index as of now to a file that `open` can begin with. One at a time. */
  beginCheckpoint(sink: CheckpointSink): CheckpointWriter {
    return new CheckpointWriter(this.#core, sink, (revision) => {
      this.#checkpointRevision = revision;
    });
  }

  /** Of the last checkpoint written or loaded; 0 when there is none. */
  checkpointRevision(): number {
    return this.#checkpointRevision;
  }

  /** Living keys. */
  keyCount(): number {
    return this.#core.index.liveCount();
  }

  /** Keys in the index, those with a tombstone included, and all their revisions. */
  indexSize(): { entries: number; revisions: number } {
    const { index } = this.#core;
    return { entries: index.keyCount(), revisions: index.revisionCount() };
  }

  /** Memory of the key index. */
  indexBytes(): number {
    return this.#core.index.allocatedBytes();
  }

  /** The revision as the parts take it: 0 for the newest, also when it is named. */
  #readable(revision: number): number {
    return revision <= 0 || revision === this.#core.revision ? 0 : revision;
  }
}
