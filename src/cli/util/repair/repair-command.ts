/** `repair`: what is wrong with the files of a stopped member, and with --from-peers what can be done about it. */
import { BunClock } from "../../../io/bun/index.ts";
import { DiskError, type DiskFile } from "../../../io/index.ts";
import {
  badArguments,
  boolFlag,
  type Command,
  ExitCode,
  ExitError,
  type FlagSet,
  stringFlag,
} from "../../args/index.ts";
import { GLOBAL_FLAGS } from "../../ctl/global-flags.ts";
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

const LONG = `Reads every byte of a stopped member's files and says what is damaged. Nothing is changed without
--from-peers.

With --from-peers and the client endpoints of all other members:

* Database damaged, log whole: the database of a healthy member is fetched, checked (SHA-256, every page) and put in
  its place. The member keeps its id; its log goes on from there.
* Log damaged: the member cannot know any more whom it voted for and which entries it acknowledged. Coming back under
  its id it could break promises that acknowledged writes rest on. So it is replaced: removed from the cluster, added
  again with the same peer URLs under a new id, and its new log written so that the usual start command works. That
  takes a majority of the members without this one. The leader then sends the data.

Damaged files are kept beside the new ones as *.damaged-TIME. What was interrupted is run again with the same command.
Where anything is in doubt nothing is done and the reason is said. A single member has no peers: restore a snapshot.

A changed byte inside a stored value cannot be seen in the file. Other members see it (alarm CORRUPT,
etcdctl endpoint hashkv); --replace=database then replaces a database in which nothing is found.
When all is well again: etcdctl alarm disarm.

Exit status: 0 when nothing is damaged or everything was repaired, else 1.`;

const REPLACE_CHOICES: readonly string[] = ["", "database", "member"];

export const repairCommand: Command<UtilityContext> = {
  name: "repair",
  short: "Finds damage in the files of a stopped member, and repairs it from the other members",
  long: LONG,
  flags: [
    stringFlag("data-dir", "the member's data directory"),
    stringFlag("wal-dir", "its --wal-dir, where it has one"),
    boolFlag("from-peers", "repair what is damaged; without it nothing is changed"),
    stringFlag("name", "the member's name, where its log does not tell who it is"),
    stringFlag("replace", "replace the database or the member although no damage is found"),
    ...GLOBAL_FLAGS.filter(({ name }) => name !== "write-out"),
  ],
  run: runRepair,
};

async function runRepair(context: UtilityContext, flags: FlagSet): Promise<void> {
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
