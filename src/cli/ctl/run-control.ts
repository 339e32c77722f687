/** etcdctl, whole: the tree of its commands and the way in. */
import { ETCD_VERSION } from "../../base/version.ts";
import { BunClock, BunDisk, newBunDigest } from "../../io/bun/index.ts";
import {
  type Command,
  ExitCode,
  helpCommand,
  type Program,
  runCommand,
  sectionsHelp,
} from "../args/index.ts";
import type { CommandIo, Environment } from "../output/index.ts";
import { alarmCommand } from "./alarm-commands.ts";
import { compactionCommand } from "./compaction-command.ts";
import type { ControlContext } from "./context.ts";
import { defragCommand } from "./defrag-command.ts";
import { delCommand } from "./del-command.ts";
import { endpointCommand } from "./endpoint-commands.ts";
import { getCommand } from "./get-command.ts";
import { GLOBAL_FLAGS } from "./global-flags.ts";
import { leaseCommand } from "./lease-commands.ts";
import { memberCommand } from "./member-commands.ts";
import { moveLeaderCommand } from "./move-leader-command.ts";
import { putCommand } from "./put-command.ts";
import { snapshotCommand } from "./snapshot-commands.ts";
import { txnCommand } from "./txn-command.ts";
import { API_VERSION, versionCommand } from "./version-command.ts";
import { watchCommand } from "./watch-command.ts";

const VERSIONS = { version: ETCD_VERSION, apiVersion: API_VERSION };

const root: Command<ControlContext> = {
  name: "etcdctl",
  short: "Speaks with etcd and cairn clusters from the command line",
  flags: GLOBAL_FLAGS,
  commands: [
    getCommand,
    putCommand,
    delCommand,
    txnCommand,
    compactionCommand,
    alarmCommand,
    defragCommand,
    endpointCommand,
    moveLeaderCommand,
    watchCommand,
    versionCommand,
    leaseCommand,
    memberCommand,
    snapshotCommand,
    helpCommand(
      () => program,
      (context) => context.io,
    ),
  ],
};

const program: Program<ControlContext> = {
  root,
  helpText: (path) => sectionsHelp(path, VERSIONS),
  usageStream: "stdout",
};

/** Runs etcdctl with these arguments (without the program's name) and gives its exit code. */
export async function runControl(
  args: readonly string[],
  environment: Environment,
  io: CommandIo,
): Promise<number> {
  const apiVersion = environment.ETCDCTL_API ?? "";
  if (apiVersion !== "" && apiVersion !== "3") {
    io.stderr.write(`unsupported API version: ${apiVersion}\n`);
    return ExitCode.error;
  }
  const context: ControlContext = {
    io,
    environment,
    clock: new BunClock(),
    disk: new BunDisk(),
    newDigest: newBunDigest,
  };
  return runCommand(program, args, context, io);
}
