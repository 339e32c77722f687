/**
 * The start decision: a write-ahead log that exists wins over every initial-* setting (ids come from it); without
 * one a new member is made from the settings. The database and the log must belong together, or nothing starts.
 */
import type { Database } from "../database/index.ts";
import { NO_MEMBERS } from "../raft/index.ts";
import { isEtcdLog, WriteAheadLog } from "../wal/index.ts";
import {
  type BootstrapOptions,
  type Bootstrapped,
  type MemberPaths,
  walOptions,
} from "./bootstrap-options.ts";
import { type FirstStart, firstStart } from "./first-start.ts";
import { writeJoinRecord } from "./join-record.ts";
import { openDatabase } from "./open-database.ts";
import { restart } from "./restart.ts";
import { StartProblem } from "./start-problem.ts";
import { refuseUnfinishedRepair } from "./unfinished-repair.ts";

export type { BootstrapOptions, Bootstrapped } from "./bootstrap-options.ts";

export function bootstrap(options: BootstrapOptions): Bootstrapped {
  const { disk } = options;
  refuseUnfinishedRepair(disk, options.dataDirectory);
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
  const first = hasLog ? null : firstStart(options, options.logger.warn);
  disk.makeDirectory(snapshotDirectory);
  disk.syncDirectory(`${options.dataDirectory}/member`);
  disk.syncDirectory(options.dataDirectory);
  const paths = { snapshotDirectory, databasePath };
  const database = openDatabase(options, paths, hasLog);
  // The file's name must not be lost while the log survives.
  disk.syncDirectory(snapshotDirectory);
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

function start(
  options: BootstrapOptions,
  database: Database,
  paths: MemberPaths,
  { metadata, beginning, remotes }: FirstStart,
): Bootstrapped {
  if (database.consistentIndex() !== 0) {
    throw new StartProblem(
      `the database ${paths.databasePath} has applied index ${database.consistentIndex()}, but there ` +
        `is no write-ahead log in ${options.walDirectory}: restore it from a snapshot instead`,
    );
  }
  if (options.initialClusterState === "existing") {
    writeJoinRecord(options.disk, `${options.dataDirectory}/member`, remotes);
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
