/**
 * The start decision: a write-ahead log that exists wins over every initial-* setting (ids come from it); without
 * one a new member is made from the settings. The database and the log must belong together, or nothing starts.
 */
import { utf8 } from "../base/bytes.ts";
import { clusterIdOf, encodeMember, memberIdOf } from "../cluster/index.ts";
import { Database } from "../database/index.ts";
import type { Clock, Disk, DiskError, Logger, NewDigest } from "../io/index.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import {
  type HardState,
  isEtcdLog,
  type WalMetadata,
  type WalObserver,
  type WalOptions,
  WriteAheadLog,
} from "../wal/index.ts";

/** A start that is refused, with what an operator reads. */
export class StartProblem extends Error {
  override name = "StartProblem";
}

export interface BootstrapOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly newDigest: NewDigest;
  readonly logger: Logger;
  readonly name: string;
  readonly dataDirectory: string;
  readonly walDirectory: string;
  /** Only tests need segments of another size. */
  readonly walSegmentBytes?: number;
  readonly walObserver?: WalObserver;
  readonly initialPeerUrls: readonly string[];
  readonly initialCluster: string;
  readonly initialClusterState: "new" | "existing";
  readonly clusterToken: string;
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
  /** What the log holds beyond the applied index. */
  readonly entries: readonly Entry[];
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
  const peerUrls = hasLog ? [] : checkInitialCluster(options);
  disk.makeDirectory(snapshotDirectory);
  disk.syncDirectory(`${options.dataDirectory}/member`);
  disk.syncDirectory(options.dataDirectory);
  const database = openDatabase(options, databasePath);
  // The file's name must not be lost while the log survives.
  disk.syncDirectory(snapshotDirectory);
  const paths = { snapshotDirectory, databasePath };
  try {
    if (hasLog) return restart(options, database, paths);
    return startNew(options, database, paths, peerUrls);
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
  const isCutShort = appliedIndex === 0 && recovered.entries.length === 0;
  if (isCutShort) return firstEntry(options, database, paths, log, recovered.metadata);
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
    entries: recovered.entries,
  };
}

function startNew(
  options: BootstrapOptions,
  database: Database,
  paths: Paths,
  peerUrls: readonly string[],
): Bootstrapped {
  if (database.consistentIndex() !== 0) {
    throw new StartProblem(
      `the database ${paths.databasePath} has applied index ${database.consistentIndex()}, but there ` +
        `is no write-ahead log in ${options.walDirectory}: restore it from a snapshot instead`,
    );
  }
  const metadata = idsOf(options, peerUrls);
  const wal = WriteAheadLog.create(walOptions(options), metadata);
  wal.onFailure = options.onDiskFailure;
  return beginLog(options, database, paths, wal, metadata, peerUrls);
}

function idsOf(options: BootstrapOptions, peerUrls: readonly string[]): WalMetadata {
  const memberId = memberIdOf(options.newDigest, peerUrls, options.clusterToken);
  return { memberId, clusterId: clusterIdOf(options.newDigest, [memberId]) };
}

/** A first start that ended between making the log and its first entry goes on where it was. */
function firstEntry(
  options: BootstrapOptions,
  database: Database,
  paths: Paths,
  wal: WriteAheadLog,
  metadata: WalMetadata,
): Bootstrapped {
  const peerUrls = checkInitialCluster(options);
  if (idsOf(options, peerUrls).memberId !== metadata.memberId) {
    throw new StartProblem(
      "the first start of this member did not finish, and it was started with other settings now: " +
        `use the same, or remove ${options.dataDirectory} (it holds nothing)`,
    );
  }
  return beginLog(options, database, paths, wal, metadata, peerUrls);
}

/** The log begins with this member's own entry; it is durable with the first sync, before anything is served. */
function beginLog(
  options: BootstrapOptions,
  database: Database,
  paths: Paths,
  wal: WriteAheadLog,
  { memberId, clusterId }: WalMetadata,
  peerUrls: readonly string[],
): Bootstrapped {
  const member = { id: memberId, peerUrls, name: "", clientUrls: [], isLearner: false };
  const data = utf8(encodeMember(member));
  const first: Entry = { term: 1, index: 1, kind: ENTRY_MEMBERSHIP, data };
  const hardState = { term: 1, vote: 0n, commit: 0 };
  wal.append([first], hardState);
  options.logger.info("starting local member", {
    "local-member-id": memberId,
    "cluster-id": clusterId,
    name: options.name,
  });
  return { ...paths, memberId, clusterId, isNew: true, database, wal, hardState, entries: [first] };
}

/** The peer URLs of this member in a cluster of itself alone. */
function checkInitialCluster(options: BootstrapOptions): string[] {
  const { name, initialPeerUrls } = options;
  const byName = new Map<string, string[]>();
  for (const part of options.initialCluster.split(",")) {
    const equals = part.indexOf("=");
    if (equals <= 0) continue;
    const owner = part.slice(0, equals).trim();
    byName.set(owner, [...(byName.get(owner) ?? []), part.slice(equals + 1).trim()]);
  }
  const own = byName.get(name);
  if (own === undefined) {
    throw new StartProblem(
      `couldn't find local name "${name}" in the initial cluster configuration`,
    );
  }
  if (options.initialClusterState === "existing" || byName.size > 1) {
    throw new StartProblem(
      `the initial cluster names ${byName.size} members (state "${options.initialClusterState}"); ` +
        "this version of cairn runs single members only",
    );
  }
  const sorted = [...own].sort();
  if (sorted.join() !== [...initialPeerUrls].sort().join()) {
    throw new StartProblem(
      `--initial-cluster has ${name}=${own.join()} but missing from ` +
        `--initial-advertise-peer-urls=${initialPeerUrls.join()}`,
    );
  }
  return sorted;
}
