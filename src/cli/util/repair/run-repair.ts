/** Runs `repair`: checks what was asked, holds the files, reports, and repairs where that was asked too. */
import { BunClock } from "../../../io/bun/index.ts";
import { DiskError, type DiskFile } from "../../../io/index.ts";
import { badArguments, ExitCode, ExitError, type FlagSet } from "../../args/index.ts";
import { withSession } from "../../ctl/session.ts";
import type { UtilityContext } from "../context.ts";
import { ClientPeers } from "./client-peers.ts";
import { type Inspection, inspect } from "./inspect.ts";
import { type MemberPaths, memberPaths } from "./member-paths.ts";
import { hasPlan } from "./repair-plan.ts";
import { RepairProblem } from "./repair-problem.ts";
import { type RepairParts, replaceDatabase } from "./replace-database.ts";
import { replaceMember, resumeReplacement } from "./replace-member.ts";
import { reportLines } from "./report.ts";

const REPLACE_CHOICES: readonly string[] = ["", "database", "member"];

export async function runRepair(context: UtilityContext, flags: FlagSet): Promise<void> {
  if (flags.words.length > 0) badArguments("repair takes no arguments");
  if (flags.text("data-dir") === "") badArguments("repair requires --data-dir");
  if (!REPLACE_CHOICES.includes(flags.text("replace"))) {
    badArguments("--replace is database or member");
  }
  const isWanted = flags.flag("from-peers");
  if (!isWanted && flags.text("replace") !== "") badArguments("--replace requires --from-peers");
  if (isWanted && !flags.changed("endpoints")) {
    badArguments("--from-peers requires the client endpoints of the other members in --endpoints");
  }
  const paths = memberPaths(trimmed(flags.text("data-dir")), trimmed(flags.text("wal-dir")));
  try {
    const held = holdDatabase(context, paths);
    try {
      if (isWanted) await repair(context, flags, paths);
      else report(context, paths);
    } finally {
      held?.close();
    }
  } catch (error) {
    if (!(error instanceof RepairProblem || error instanceof DiskError)) throw error;
    const isBegun = isWanted && hasPlan(context.disk, paths.dataDirectory);
    const next = isBegun ? "\nThe replacement is under way: run the same command again." : "";
    throw new ExitError(ExitCode.error, `${error.message}${next}`);
  }
}

function trimmed(directory: string): string {
  return directory.replace(/(?<=.)\/+$/, "");
}

/** A running member holds the lock of its database: its files are nobody else's business. */
function holdDatabase({ disk }: UtilityContext, { databasePath }: MemberPaths): DiskFile | null {
  if (!disk.exists(databasePath)) return null;
  const file = disk.open(databasePath);
  if (file.tryLock()) return file;
  file.close();
  throw new RepairProblem(`${databasePath} is in use: stop the member first`);
}

function report(context: UtilityContext, paths: MemberPaths): void {
  const { disk } = context;
  if (hasPlan(disk, paths.dataDirectory)) {
    throw new RepairProblem(
      "a replacement of this member was begun and not ended: run this with --from-peers again",
    );
  }
  const inspection = inspect(disk, paths);
  sayReport(context, paths, inspection);
  if (inspection.damaged !== "nothing") throw new ExitError(ExitCode.error, null);
}

async function repair(context: UtilityContext, flags: FlagSet, paths: MemberPaths): Promise<void> {
  const { io, disk, newDigest, environment } = context;
  const clock = new BunClock();
  await withSession({ io, disk, newDigest, environment, clock }, flags, async (session) => {
    const peers = new ClientPeers(session);
    const say = (line: string) => io.stdout.write(`${line}\n`);
    const parts: RepairParts = { disk, clock, paths, peers, say };
    if (await resumeReplacement(parts)) return;
    const inspection = inspect(disk, paths);
    sayReport(context, paths, inspection);
    await repairWhat(parts, inspection, flags);
  });
}

async function repairWhat(
  parts: RepairParts,
  inspection: Inspection,
  flags: FlagSet,
): Promise<void> {
  const { damaged } = inspection;
  const replace = flags.text("replace");
  if (damaged === "log" || replace === "member") {
    if (replace === "database") {
      throw new RepairProblem("the log is damaged: a new database does not help");
    }
    await replaceMember(parts, inspection, flags.text("name"));
    return;
  }
  if (damaged === "nothing" && replace === "") return;
  await replaceDatabase(parts, inspection);
  const after = inspect(parts.disk, parts.paths);
  for (const line of reportLines(parts.paths, after)) parts.say(line);
  if (after.damaged !== "nothing") throw new RepairProblem(`still damaged: ${after.reason}`);
}

function sayReport(context: UtilityContext, paths: MemberPaths, inspection: Inspection): void {
  for (const line of reportLines(paths, inspection)) context.io.stdout.write(`${line}\n`);
}
