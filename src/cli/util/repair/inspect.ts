/**
 * Looks at all files of a member that does not run, changes none, and says what is to be repaired:
 *
 *   log        the write-ahead log is damaged, missing or too short: what this member promised is not known any more
 *   database   the log is whole, the database is damaged, missing or older than the log begins
 *   nothing    a start will succeed
 */
import { hexId } from "../../../cluster/index.ts";
import type { Disk } from "../../../io/index.ts";
import { SnapshotFiles } from "../../../server/index.ts";
import { isEtcdLog, verifyLog, WalDamage, type WalReport } from "../../../wal/index.ts";
import { checkDatabase, type DatabaseState } from "./check-database.ts";
import type { MemberPaths } from "./member-paths.ts";
import { RepairProblem } from "./repair-problem.ts";

export type LogState =
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly problem: string; readonly report: WalReport | null }
  | { readonly kind: "whole"; readonly report: WalReport };

/** A snapshot that another member sent and that is not the database yet. */
export interface ReceivedSnapshot {
  readonly index: number;
  readonly path: string;
  readonly state: DatabaseState;
}

export interface Inspection {
  readonly database: DatabaseState;
  readonly log: LogState;
  readonly received: readonly ReceivedSnapshot[];
  readonly damaged: "nothing" | "database" | "log";
  /** Why, in one line; empty when nothing is damaged. */
  readonly reason: string;
}

export function inspect(disk: Disk, paths: MemberPaths): Inspection {
  const database = checkDatabase(disk, paths.databasePath);
  const log = checkLog(disk, paths.walDirectory);
  if (database.kind === "missing" && log.kind === "missing") {
    throw new RepairProblem(`there is no member in ${paths.dataDirectory}`);
  }
  const received = receivedSnapshots(disk, paths.snapshotDirectory);
  return { database, log, received, ...judge(database, log, received) };
}

function checkLog(disk: Disk, directory: string): LogState {
  const isThere = disk.exists(directory) && disk.list(directory).length > 0;
  if (!isThere) return { kind: "missing" };
  if (isEtcdLog(disk, directory)) {
    throw new RepairProblem(`${directory} holds the write-ahead log of an etcd`);
  }
  try {
    const report = verifyLog(disk, directory);
    if (report.verdict !== "damaged") return { kind: "whole", report };
    const { file, offset, reason } = report.finding!;
    return { kind: "damaged", problem: `${file} at offset ${offset}: ${reason}`, report };
  } catch (error) {
    if (!(error instanceof WalDamage)) throw error;
    return { kind: "damaged", problem: `${error.file}: ${error.reason}`, report: null };
  }
}

function receivedSnapshots(disk: Disk, directory: string): ReceivedSnapshot[] {
  if (!disk.exists(directory)) return [];
  const files = new SnapshotFiles(disk, directory);
  return files.present().map((index) => {
    const path = files.pathOf(index);
    return { index, path, state: checkDatabase(disk, path) };
  });
}

function judge(
  database: DatabaseState,
  log: LogState,
  received: readonly ReceivedSnapshot[],
): Pick<Inspection, "damaged" | "reason"> {
  if (log.kind !== "whole") {
    const reason = log.kind === "missing" ? "the write-ahead log is missing" : log.problem;
    return { damaged: "log", reason };
  }
  const { report } = log;
  if (database.kind === "missing") return { damaged: "database", reason: "it is missing" };
  if (database.kind === "damaged") return { damaged: "database", reason: database.problem };
  if (database.index > report.lastIndex) {
    const reason =
      `the database has applied entry ${database.index}, but the log ends at ${report.lastIndex}: ` +
      "it lost entries that were synced";
    return { damaged: "log", reason };
  }
  const { memberId } = report.metadata!;
  if (database.removed.includes(memberId)) {
    throw new RepairProblem(
      `member ${hexId(memberId)} was removed from its cluster: its data is of no use any more`,
    );
  }
  const { previous } = report;
  if (database.index < previous.index && adoptable(log, received) === null) {
    const reason =
      `the log continues from a snapshot at entry ${previous.index}, but the database ends at ` +
      `${database.index}, and the snapshot is not there`;
    return { damaged: "database", reason };
  }
  return { damaged: "nothing", reason: "" };
}

/** The received snapshot that the log continues from: the state of this member, whatever the database is. */
export function adoptable(
  log: LogState,
  received: readonly ReceivedSnapshot[],
): ReceivedSnapshot | null {
  if (log.kind !== "whole") return null;
  const { previous } = log.report;
  for (const snapshot of received) {
    const { index, state } = snapshot;
    if (index !== previous.index || state.kind !== "whole") continue;
    if (state.index === previous.index && state.term === previous.term) return snapshot;
  }
  return null;
}
