/** An inspection in words. */
import { hexId } from "../../../cluster/index.ts";
import type { WalReport } from "../../../wal/index.ts";
import type { DatabaseState } from "./check-database.ts";
import type { Inspection } from "./inspect.ts";
import type { MemberPaths } from "./member-paths.ts";

export function reportLines(paths: MemberPaths, inspection: Inspection): string[] {
  const { log, database, received, damaged, reason } = inspection;
  const metadata = log.kind === "missing" ? null : (log.report?.metadata ?? null);
  const lines = [
    `member     ${metadata === null ? "unknown: the log does not tell" : hexId(metadata.memberId)}`,
    `cluster    ${metadata === null ? "unknown" : hexId(metadata.clusterId)}`,
    `database   ${paths.databasePath}: ${databaseText(database)}`,
    `log        ${paths.walDirectory}: ${logText(inspection)}`,
    ...received.map(({ path, state }) => `received   ${path}: ${databaseText(state)}`),
  ];
  if (damaged === "nothing") return [...lines, "result     nothing is damaged"];
  const advice =
    damaged === "log"
      ? "what this member promised (votes, acknowledged entries) is not known any more, so it cannot come back as it " +
        "was.\n           With --from-peers --endpoints=... it is replaced: removed from the cluster, added with the " +
        "same peer URLs, its data sent by the leader"
      : "the log is whole, so the member can go on.\n           With --from-peers --endpoints=... the database of a " +
        "healthy member takes its place";
  return [...lines, `result     the ${damaged} is damaged: ${reason}`, `repair     ${advice}`];
}

function databaseText(state: DatabaseState): string {
  if (state.kind === "missing") return "missing";
  if (state.kind === "damaged") return `damaged: ${state.problem}`;
  return `whole, entry ${state.index} of term ${state.term}, revision ${state.revision}`;
}

function logText({ log }: Inspection): string {
  if (log.kind === "missing") return "missing";
  if (log.kind === "damaged") return `damaged: ${log.problem}`;
  const { previous, lastIndex, lastTerm } = log.report;
  const last = `${lastIndex} of term ${lastTerm}`;
  return `${wholeText(log.report)}, entries ${previous.index + 1} to ${last}`;
}

function wholeText({ verdict, closedInGoodOrder }: WalReport): string {
  if (verdict === "torn") return "whole but for an end that was never synced";
  return closedInGoodOrder ? "whole" : "whole, not closed in good order";
}
