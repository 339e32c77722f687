/**
 * A start with a log: the log says who this member is, whatever the settings say now. Where there are others, entries
 * are read from before the database's applied index on, so that a member that leads soon can bring them up to date
 * without sending its whole database.
 */
import { hexId, Membership } from "../cluster/index.ts";
import type { Database } from "../database/index.ts";
import type { Configuration } from "../raft/index.ts";
import { type WalRecovery, WriteAheadLog } from "../wal/index.ts";
import {
  type BootstrapOptions,
  type Bootstrapped,
  type MemberPaths,
  walOptions,
} from "./bootstrap-options.ts";
import { forceNewCluster } from "./force-new-cluster.ts";
import { readJoinRecord, removeJoinRecord } from "./join-record.ts";
import { RemovedMember, StartProblem } from "./start-problem.ts";

/** As many entries as followers are given from the log after a snapshot of it (etcd's number). */
const LOOK_BACK_ENTRIES = 5000;

export function restart(
  options: BootstrapOptions,
  database: Database,
  paths: MemberPaths,
): Bootstrapped {
  const { logger } = options;
  const appliedIndex = database.consistentIndex();
  const opened = openLog(options, database);
  const { memberId, clusterId } = opened.recovered.metadata;
  if (new Membership(database).isRemoved(memberId)) {
    opened.log.close();
    throw new RemovedMember(memberId);
  }
  const { log, recovered } = options.forceNewCluster ? forced(options, database, opened) : opened;
  const configuration = storedConfiguration(database);
  const fields = {
    "cluster-id": hexId(clusterId),
    "local-member-id": hexId(memberId),
    "commit-index": recovered.hardState.commit,
  };
  if (options.forceNewCluster) logger.info("forcing restart member", fields);
  else logger.info("restarting local member", { ...fields, "applied-index": appliedIndex });
  return {
    ...paths,
    ...{ memberId, clusterId, database, wal: log, configuration },
    isNew: false,
    hardState: recovered.hardState,
    previous: recovered.previous,
    entries: recovered.entries,
    remotes: remotesOf(options, configuration),
  };
}

interface OpenedLog {
  readonly log: WriteAheadLog;
  readonly recovered: WalRecovery;
}

function openLog(options: BootstrapOptions, database: Database): OpenedLog {
  const appliedIndex = database.consistentIndex();
  const isAlone = new Membership(database).members().length < 2;
  const from = isAlone ? appliedIndex : Math.max(0, appliedIndex - LOOK_BACK_ENTRIES);
  const opened = WriteAheadLog.open(walOptions(options), appliedIndex, from);
  const { log, recovered } = opened;
  log.onFailure = options.onDiskFailure;
  if (recovered.tornTail !== null) {
    options.logger.warn(
      "dropped the torn end of the write-ahead log; nothing in it was acknowledged",
      { ...recovered.tornTail },
    );
  }
  const last = log.lastIndex();
  if (last < appliedIndex) {
    throw new StartProblem(
      `the database has applied index ${appliedIndex}, but the write-ahead log ends at ${last}: ` +
        "they do not belong together, or the log lost synced entries; in a cluster `cairn util repair` replaces this " +
        "member, else restore a snapshot",
    );
  }
  return opened;
}

/** The changed log is read again from the start, as any later restart will. */
function forced(options: BootstrapOptions, database: Database, opened: OpenedLog): OpenedLog {
  forceNewCluster({
    ...opened,
    members: new Membership(database),
    appliedIndex: database.consistentIndex(),
    initialPeerUrls: options.initialPeerUrls,
    logger: options.logger,
  });
  return openLog(options, database);
}

/** Learners and voters as the database has them, which is as of its applied index. */
function storedConfiguration(database: Database): Configuration {
  const members = new Membership(database).members();
  const idsOf = (isLearner: boolean): bigint[] =>
    members.filter((member) => member.isLearner === isLearner).map((member) => member.id);
  return { voters: idsOf(false), learners: idsOf(true) };
}

/** The record of a joiner has served once the state names the members. */
function remotesOf(options: BootstrapOptions, { voters }: Configuration) {
  const { disk, dataDirectory } = options;
  const directory = `${dataDirectory}/member`;
  if (voters.length === 0) return readJoinRecord(disk, directory);
  removeJoinRecord(disk, directory);
  return [];
}
