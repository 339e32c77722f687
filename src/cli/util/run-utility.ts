/** etcdutl, whole: what works on files of a member that is not running, or on snapshots. */
import { ETCD_VERSION } from "../../base/version.ts";
import { newBunDigest } from "../../io/bun/index.ts";
import type { Disk } from "../../io/index.ts";
import { type Command, cobraHelp, helpCommand, type Program, runCommand } from "../args/index.ts";
import type { CommandIo, Environment } from "../output/index.ts";
import type { UtilityContext } from "./context.ts";
import { repairCommand } from "./repair/repair-command.ts";
import { printSnapshotStatus } from "./snapshot-status-command.ts";

const snapshot: Command<UtilityContext> = {
  name: "snapshot",
  short: "Works on saved snapshots",
  commands: [
    {
      name: "status",
      usage: "<filename>",
      short: "Describes a saved snapshot",
      run: printSnapshotStatus,
    },
  ],
};

const version: Command<UtilityContext> = {
  name: "version",
  short: "Prints the version",
  async run(context) {
    const apiVersion = ETCD_VERSION.split(".").slice(0, 2).join(".");
    context.io.stdout.write(`etcdutl version: ${ETCD_VERSION}\nAPI version: ${apiVersion}\n`);
  },
};

const root: Command<UtilityContext> = {
  name: "etcdutl",
  short: "Works on the files of a member",
  flags: [
    {
      name: "write-out",
      shorthand: "w",
      kind: "string",
      default: "simple",
      usage: "how to print results (fields, json, protobuf, simple, table)",
      persistent: true,
    },
  ],
  commands: [
    snapshot,
    repairCommand,
    version,
    helpCommand(
      () => program,
      (context) => context.io,
    ),
  ],
};

const program: Program<UtilityContext> = { root, helpText: cobraHelp, usageStream: "stderr" };

/** Runs etcdutl with these arguments (without the program's name) and gives its exit code. */
export async function runUtility(
  args: readonly string[],
  environment: Environment,
  io: CommandIo,
  disk: Disk,
): Promise<number> {
  return runCommand(program, args, { io, environment, disk, newDigest: newBunDigest }, io);
}
