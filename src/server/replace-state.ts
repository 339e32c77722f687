/**
 * Makes a received snapshot this member's state, while it serves. The one owner of that change (incident 15): nobody
 * else renames, opens or swaps the database.
 *
 * Before: the file lies whole and durable beside the database, and the log names it durably (`replaceBySnapshot`,
 * hard state, flush). From there on it is the state, whatever happens; a start finishes what is left to do
 * (adopt-snapshot.ts). Then, in this order:
 *
 *   1 the file takes the database's name, durably; what is open goes on with the old file, which has no name now
 *   2 key index and leases of the new one are read beside the old, in slices; reads are served from the old state
 *   3 commits stop; when none is under way, within one turn: database, store, leases, members, alarms, applied index
 *     and watchers go over to the new state; commits go on
 *
 * Long work that runs meanwhile: snapshots and hashes hold the old file until they end; ranges read at their pinned
 * revision of the same, longer history; compaction and defragmentation go on with the new state; a checkpoint of the
 * index is given up.
 */
import { TreeDamage } from "../bbolt/index.ts";
import type { Alarms, Membership } from "../cluster/index.ts";
import { Database, DatabaseDamage } from "../database/index.ts";
import { type Clock, DiskError, type Logger } from "../io/index.ts";
import type { LeaseLoader, Lessor } from "../lease/index.ts";
import { type Store, StoreLoader } from "../mvcc/index.ts";
import type { WatchHub } from "../mvcc/watch/index.ts";
import type { SnapshotMark } from "../raft/index.ts";
import type { StateMachine } from "../state-machine/index.ts";
import type { Background } from "./background.ts";
import type { SnapshotFiles } from "./snapshot-files.ts";

/** About half a millisecond of work. */
const ROWS_PER_STEP = 500;

export interface StateReplacementParts {
  readonly files: SnapshotFiles;
  readonly databasePath: string;
  readonly pageCacheBytes: number;
  /** Unpredictable, for the new key index. */
  readonly hashSeed: () => number;
  readonly database: Database;
  readonly store: Store;
  readonly lessor: Lessor;
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly stateMachine: StateMachine;
  readonly hub: WatchHub;
  readonly background: Background;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The state that the log names cannot be opened: the process must end. */
  readonly onDiskFailure: (error: DiskError) => void;
}

interface Installation {
  readonly mark: SnapshotMark;
  readonly done: () => void;
}

/** What is read of the new database before anything changes. */
class Loading {
  readonly rows: StoreLoader;
  readonly leases: LeaseLoader;
  #phase: "rows" | "leases" | "keys of leases" = "rows";

  constructor({ hashSeed, lessor }: StateReplacementParts, next: Database) {
    this.rows = new StoreLoader({ database: next, hashSeed: hashSeed() });
    this.leases = lessor.loaderOf(next);
  }

  /** True when all is read. Throws DatabaseDamage, TreeDamage, DiskError. */
  step(): boolean {
    switch (this.#phase) {
      case "rows":
        if (this.rows.step(ROWS_PER_STEP)) this.#phase = "leases";
        return false;
      case "leases":
        if (this.leases.step(ROWS_PER_STEP)) this.#phase = "keys of leases";
        return false;
      case "keys of leases":
        return this.rows.leaseStep(ROWS_PER_STEP, (key, id) => this.leases.attach(key, id));
    }
  }
}

export class StateReplacement {
  readonly #parts: StateReplacementParts;
  /** The first one is under way. */
  readonly #installations: Installation[] = [];
  #next: Database | null = null;
  #startMs = 0;
  #stopped = false;

  constructor(parts: StateReplacementParts) {
    this.#parts = parts;
  }

  isUnderWay(): boolean {
    return this.#installations.length > 0;
  }

  /** The log names the snapshot durably; `done` comes when it is the state. One after the other. */
  install(mark: SnapshotMark, done: () => void): void {
    if (this.#stopped) return;
    this.#installations.push({ mark, done });
    if (this.#installations.length === 1) this.#start();
  }

  /** What is not swapped yet is left to the next start. */
  stop(): void {
    this.#stopped = true;
    this.#installations.length = 0;
    this.#next?.close();
    this.#next = null;
  }

  #start(): void {
    const { clock, logger, stateMachine, background } = this.#parts;
    const { mark } = this.#installations[0]!;
    this.#startMs = clock.monotonicMs();
    logger.info("applying snapshot", {
      "current-applied-index": stateMachine.appliedIndex(),
      "incoming-leader-snapshot-index": mark.index,
      "incoming-leader-snapshot-term": mark.term,
    });
    const loading = this.#orFail(() => this.#open(mark));
    if (loading === null) return;
    background.add(() => {
      if (this.#stopped) return false;
      const isDone = this.#orFail(() => loading.step());
      if (isDone === true) this.#swapWhenIdle(loading);
      return isDone === false;
    });
  }

  /** Step 1: from here on the file is found under the database's name. */
  #open(mark: SnapshotMark): Loading {
    const { files, databasePath, pageCacheBytes, logger, onDiskFailure } = this.#parts;
    const { disk } = files;
    disk.rename(files.pathOf(mark.index), databasePath);
    disk.syncDirectory(files.directory);
    const file = disk.open(databasePath);
    if (!file.tryLock()) {
      throw new DiskError("lock", databasePath, "", "another process holds the received database");
    }
    this.#next = Database.open({ file, pageCacheBytes, onFailure: onDiskFailure });
    logger.info("applySnapshot: opened snapshot backend", { path: databasePath });
    return new Loading(this.#parts, this.#next);
  }

  #swapWhenIdle(loading: Loading): void {
    const { database } = this.#parts;
    database.suspend(() => {
      if (!this.#stopped) this.#swap(loading);
      database.resume();
      if (!this.#stopped) this.#ended();
    });
  }

  /** All within this turn: nobody sees half of it. */
  #swap({ rows, leases }: Loading): void {
    const { database, store, lessor, membership, alarms, stateMachine, hub } = this.#parts;
    database.replaceBy(this.#next!);
    this.#next = null;
    // Every derived fact is rebuilt from what is stored, on every way of loading it (incident 4).
    store.replaceBy(rows);
    lessor.replaceBy(leases);
    membership.reload();
    alarms.reload();
    stateMachine.reload();
    hub.onStoreReplaced();
  }

  #ended(): void {
    const { files, clock, logger, store } = this.#parts;
    const { mark, done } = this.#installations.shift()!;
    this.#orFail(() => files.settle(mark.index));
    logger.info("applied snapshot", {
      "applied-index": mark.index,
      "current-rev": store.revision(),
      took: `${(clock.monotonicMs() - this.#startMs).toFixed(3)}ms`,
    });
    done();
    if (this.#installations.length > 0 && !this.#stopped) this.#start();
  }

  /** Null when it failed: then the process ends. */
  #orFail<T>(action: () => T): T | null {
    try {
      return action();
    } catch (error) {
      const isDamage = error instanceof TreeDamage || error instanceof DatabaseDamage;
      if (!isDamage && !(error instanceof DiskError)) throw error;
      const { databasePath, onDiskFailure } = this.#parts;
      const failure = isDamage ? new DiskError("open", databasePath, "", error.message) : error;
      onDiskFailure(failure);
      return null;
    }
  }
}
