/**
 * Puts another member's database in the place of a damaged one. The log is whole, so nothing that this member promised
 * is lost. Where the fetched state stands to the log decides:
 *
 *   the log has its entry, of the same term   the file takes the database's name; the log goes on from there
 *   the log ends before it                    the log names it as a snapshot received from another member, durably,
 *                                             then it takes the database's name (server/adopt-snapshot.ts)
 *   the log begins after it                   of no use: entries between are missing
 *
 * Whatever is interrupted can be run again: until the new file has the database's name the member does not start, and
 * the damaged one is kept beside it.
 */
import { hexId } from "../../../cluster/index.ts";
import { type Clock, type Disk, DiskError } from "../../../io/index.ts";
import { SnapshotFiles } from "../../../server/index.ts";
import { type WalReport, WriteAheadLog } from "../../../wal/index.ts";
import { checkDatabase, type WholeDatabase } from "./check-database.ts";
import { adoptable, type Inspection } from "./inspect.ts";
import type { MemberPaths } from "./member-paths.ts";
import type { RepairPeers } from "./peers.ts";
import { RepairProblem } from "./repair-problem.ts";
import { survey, trustworthy } from "./survey.ts";

export interface RepairParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly paths: MemberPaths;
  readonly peers: RepairPeers;
  readonly say: (line: string) => void;
  /** Only tests need segments of another size. */
  readonly walSegmentBytes?: number;
}

/** Where a state stands to a log; a text says why they do not fit. */
type Place = "in-log" | "ahead" | { readonly refusal: string };

/** The log of the inspection is whole. Throws RepairProblem, DiskError. */
export async function replaceDatabase(parts: RepairParts, inspection: Inspection): Promise<void> {
  const { disk, paths, peers, say } = parts;
  const { log, received } = inspection;
  if (log.kind !== "whole") throw new RepairProblem("the log is not whole");
  const { report } = log;
  const local = adoptable(log, received);
  if (local !== null) {
    say(`the snapshot ${local.path} is what the log continues from: it becomes the database`);
    takeName(parts, local.path);
    return;
  }
  const statuses = trustworthy(await survey(peers, report.metadata));
  const part = `${paths.snapshotDirectory}/repair.snap.db.part`;
  const refusals: string[] = [];
  for (const { endpoint, memberId } of statuses) {
    const fetched = await fetch(parts, endpoint, part);
    if (typeof fetched === "string") {
      refusals.push(`${endpoint}: ${fetched}`);
      continue;
    }
    say(
      `fetched the database of member ${hexId(memberId)} from ${endpoint}: entry ${fetched.index} of term ` +
        `${fetched.term}, revision ${fetched.revision}`,
    );
    const place = placeOf(fetched, report);
    if (place === "in-log") takeName(parts, part);
    else if (place === "ahead") await replaceLog(parts, fetched, report, part);
    else {
      refusals.push(`${endpoint}: ${place.refusal}`);
      disk.remove(part);
      continue;
    }
    return;
  }
  throw new RepairProblem(`no database could be fetched:\n  ${refusals.join("\n  ")}`);
}

/** What came, durable and checked; or why it is of no use. */
async function fetch(
  { disk, peers }: RepairParts,
  endpoint: string,
  part: string,
): Promise<WholeDatabase | string> {
  if (disk.exists(part)) disk.remove(part);
  const file = disk.open(part, { create: true, exclusive: true });
  let isWhole = false;
  try {
    await peers.fetchDatabase(endpoint, file);
    file.syncNow();
    isWhole = true;
  } catch (error) {
    if (!(error instanceof RepairProblem)) throw error;
    return error.message;
  } finally {
    file.close();
    if (!isWhole) disk.remove(part);
  }
  const state = checkDatabase(disk, part);
  if (state.kind === "whole") return state;
  disk.remove(part);
  return state.kind === "damaged" ? state.problem : "nothing arrived";
}

export function placeOf(state: WholeDatabase, report: WalReport): Place {
  const { memberId } = report.metadata!;
  if (state.removed.includes(memberId)) {
    return { refusal: `member ${hexId(memberId)} was removed from the cluster` };
  }
  if (!state.members.some(({ id }) => id === memberId)) {
    return { refusal: `it does not know member ${hexId(memberId)} (yet)` };
  }
  const { index, term } = state;
  if (index < report.previous.index) {
    return { refusal: `it ends at entry ${index}, the log begins after ${report.previous.index}` };
  }
  // More than the log has: entries in it that are not in the snapshot were never committed.
  if (index > report.lastIndex) return "ahead";
  const own = report.termOf(index);
  if (own === term) return "in-log";
  // What the log has there was never committed; the leader would have it overwritten.
  if (own >= 0 && own < term && index > report.hardState.commit) return "ahead";
  return {
    refusal: `entry ${index} is of term ${term} there and of term ${own} in the log: other histories`,
  };
}

/** The log continues from the snapshot from now on; its vote and term are kept, or a newer term begins. */
async function replaceLog(
  parts: RepairParts,
  { index, term }: WholeDatabase,
  report: WalReport,
  part: string,
): Promise<void> {
  const { disk, paths, say } = parts;
  const files = new SnapshotFiles(disk, paths.snapshotDirectory);
  const path = files.pathOf(index);
  disk.rename(part, path);
  disk.syncDirectory(files.directory);
  const { previous } = report;
  const options = { disk, directory: paths.walDirectory };
  const { log, recovered } = WriteAheadLog.open(options, previous.index, previous.index);
  try {
    const own = recovered.hardState;
    const isNewTerm = own.term < term;
    log.replaceBySnapshot(index, term);
    log.append([], {
      term: isNewTerm ? term : own.term,
      vote: isNewTerm ? 0n : own.vote,
      commit: index,
    });
    await new Promise<void>((resolve, reject) => {
      log.onFailure = reject;
      log.flush(resolve);
    });
  } finally {
    log.close();
  }
  say(`the log ends before that: it continues from entry ${index} now`);
  takeName(parts, path);
}

/** The old file goes aside, the new one takes its name. */
function takeName({ disk, clock, paths, say }: RepairParts, path: string): void {
  const { databasePath, snapshotDirectory } = paths;
  if (disk.exists(databasePath)) {
    const aside = `${databasePath}.damaged-${timeText(clock)}`;
    disk.rename(databasePath, aside);
    say(`kept the damaged database as ${aside}`);
  }
  disk.rename(path, databasePath);
  disk.syncDirectory(snapshotDirectory);
  removeLeftovers(disk, snapshotDirectory);
}

/** The index of the old database's keys, and snapshots that are older than what is there now. */
function removeLeftovers(disk: Disk, directory: string): void {
  const files = new SnapshotFiles(disk, directory);
  const leftovers = [...files.present().map((index) => files.pathOf(index))];
  leftovers.push(
    `${directory}/index.cairn`,
    ...files.parts().map((name) => `${directory}/${name}`),
  );
  for (const path of leftovers) {
    try {
      if (disk.exists(path)) disk.remove(path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }
  disk.syncDirectory(directory);
}

/** 20261121T021530Z */
export function timeText(clock: Clock): string {
  return new Date(clock.wallMs()).toISOString().replace(/[-:]|\.\d+/g, "");
}
