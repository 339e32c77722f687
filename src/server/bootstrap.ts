/**
 * The start decision: a write-ahead log that exists wins over every initial-* setting (ids come from it); without
 * one a new member is made from the settings. The database and the log must belong together, or nothing starts.
 */
import { Membership } from "../cluster/index.ts";
import { Database } from "../database/index.ts";
import type { Clock, Disk, DiskError, Logger } from "../io/index.ts";
import type { PeerAddress } from "../peer/index.ts";
import { type Configuration, type Entry, NO_MEMBERS } from "../raft/index.ts";
import {
  type HardState,
  isEtcdLog,
  type SnapshotMark,
  type WalObserver,
  type WalOptions,
  WriteAheadLog,
} from "../wal/index.ts";
import { type FirstStart, type FirstStartSettings, firstStart } from "./first-start.ts";
import { StartProblem } from "./start-problem.ts";

export interface BootstrapOptions extends FirstStartSettings {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dataDirectory: string;
  readonly walDirectory: string;
  /** Only tests need segments of another size. */
  readonly walSegmentBytes?: number;
  readonly walObserver?: WalObserver;
  /** Restart with this member's data as a cluster of one. */
  readonly forceNewCluster?: boolean;
  readonly pageCacheBytes: number;
  /** A write or sync of log or database failed: the process must end before it acknowledges anything. */
  readonly onDiskFailure: (error: DiskError) => void;
}

export interface Bootstrapped {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly isNew: boolean;
  readonly database: Database;
  readonly wal: WriteAheadLog;
  readonly hardState: HardState;
  /** What stands right before the first of the entries; index and term 0 where the log begins. */
  readonly previous: SnapshotMark;
  /** What the log holds after `previous`, without a gap; may begin at or below the applied index. */
  readonly entries: readonly Entry[];
  /** The members as of the database's applied index. */
  readonly configuration: Configuration;
  /** Others that are known already while the state names nobody: the initial cluster, or the one to join. */
  readonly remotes: readonly PeerAddress[];
  readonly snapshotDirectory: string;
  readonly databasePath: string;
}

export function bootstrap(options: BootstrapOptions): Bootstrapped {
  const { disk } = options;
  const snapshotDirectory = `${options.dataDirectory}/member/snap`;
  const databasePath = `${snapshotDirectory}/db`;
  const hasLog =
    disk.exists(options.walDirectory) && disk.list(options.walDirectory).some(isSegment);
  if (hasLog && !disk.exists(databasePath)) {
    throw new StartProblem(`database file (${databasePath}) of the backend is missing`);
  }
  if (hasLog && isEtcdLog(disk, options.walDirectory)) {
    throw new StartProblem(
      `${options.walDirectory} holds the write-ahead log of an etcd, which cairn does not read: ` +
        "give cairn a data directory of its own and copy the keys with a client",
    );
  }
  // Wrong settings leave nothing behind.
  const first = hasLog ? null : firstStart(options);
  disk.makeDirectory(snapshotDirectory);
  disk.syncDirectory(`${options.dataDirectory}/member`);
  disk.syncDirectory(options.dataDirectory);
  const database = openDatabase(options, databasePath);
  // The file's name must not be lost while the log survives.
  disk.syncDirectory(snapshotDirectory);
  const paths = { snapshotDirectory, databasePath };
  try {
    if (first === null) return restart(options, database, paths);
    return start(options, database, paths, first);
  } catch (error) {
    database.close();
    throw error;
  }
}

function isSegment(name: string): boolean {
  return name.endsWith(".wal");
}

const LOCK_WARNING_EVERY = 10_000;
const LOCK_RETRY_MS = 100;

function openDatabase(options: BootstrapOptions, path: string): Database {
  const { disk, logger, clock } = options;
  const startMs = clock.monotonicMs();
  const file = disk.open(path, { create: true });
  let warnedMs = startMs;
  while (!file.tryLock()) {
    // As etcd: wait for the other process, and say so.
    if (clock.monotonicMs() - warnedMs >= LOCK_WARNING_EVERY) {
      warnedMs = clock.monotonicMs();
      logger.warn("db file is flocked by another process, or taking too long", { path });
    }
    sleepBlocking(LOCK_RETRY_MS);
  }
  const database = Database.open({
    file,
    pageCacheBytes: options.pageCacheBytes,
    onFailure: options.onDiskFailure,
  });
  logger.info("opened backend db", {
    path,
    took: `${(clock.monotonicMs() - startMs).toFixed(3)}ms`,
  });
  return database;
}

/** Blocks the thread: at start nothing else may happen before the database is ours. */
function sleepBlocking(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

interface Paths {
  readonly snapshotDirectory: string;
  readonly databasePath: string;
}

function walOptions(options: BootstrapOptions): WalOptions {
  const { disk, clock, walDirectory, walSegmentBytes, walObserver } = options;
  return {
    disk,
    directory: walDirectory,
    clock,
    ...(walSegmentBytes === undefined ? {} : { segmentBytes: walSegmentBytes }),
    ...(walObserver === undefined ? {} : { observer: walObserver }),
  };
}

function restart(options: BootstrapOptions, database: Database, paths: Paths): Bootstrapped {
  const { logger } = options;
  const appliedIndex = database.consistentIndex();
  const { log, recovered } = WriteAheadLog.open(walOptions(options), appliedIndex);
  log.onFailure = options.onDiskFailure;
  if (recovered.tornTail !== null) {
    logger.warn("dropped the torn end of the write-ahead log; nothing in it was acknowledged", {
      ...recovered.tornTail,
    });
  }
  const last = recovered.entries.at(-1)?.index ?? log.lastIndex();
  if (last < appliedIndex) {
    throw new StartProblem(
      `the database has applied index ${appliedIndex}, but the write-ahead log ends at ${last}: ` +
        "they do not belong together, or the log lost synced entries; restore from a snapshot",
    );
  }
  logger.info("restarting local member", {
    "local-member-id": recovered.metadata.memberId,
    "cluster-id": recovered.metadata.clusterId,
    "commit-index": recovered.hardState.commit,
    "applied-index": appliedIndex,
    "entries-to-apply": recovered.entries.length,
  });
  return {
    ...paths,
    memberId: recovered.metadata.memberId,
    clusterId: recovered.metadata.clusterId,
    isNew: false,
    database,
    wal: log,
    hardState: recovered.hardState,
    previous: { index: appliedIndex, term: database.consistentTerm() },
    entries: recovered.entries,
    configuration: storedConfiguration(database),
    remotes: [],
  };
}

function start(
  options: BootstrapOptions,
  database: Database,
  paths: Paths,
  { metadata, beginning, remotes }: FirstStart,
): Bootstrapped {
  if (database.consistentIndex() !== 0) {
    throw new StartProblem(
      `the database ${paths.databasePath} has applied index ${database.consistentIndex()}, but there ` +
        `is no write-ahead log in ${options.walDirectory}: restore it from a snapshot instead`,
    );
  }
  const wal = WriteAheadLog.create(walOptions(options), metadata, beginning);
  wal.onFailure = options.onDiskFailure;
  const { memberId, clusterId } = metadata;
  options.logger.info("starting local member", {
    "local-member-id": memberId,
    "cluster-id": clusterId,
    name: options.name,
  });
  return {
    ...paths,
    ...{ memberId, clusterId, database, wal, remotes },
    isNew: true,
    hardState: beginning.hardState,
    previous: { index: 0, term: 0 },
    entries: beginning.entries,
    configuration: NO_MEMBERS,
  };
}

/** Learners and voters as the database has them, which is as of its applied index. */
function storedConfiguration(database: Database): Configuration {
  const members = new Membership(database).members();
  const idsOf = (isLearner: boolean): bigint[] =>
    members.filter((member) => member.isLearner === isLearner).map((member) => member.id);
  return { voters: idsOf(false), learners: idsOf(true) };
}
