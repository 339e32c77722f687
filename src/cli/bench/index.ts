/** Door of `cairn bench`: the tree of its workloads and the way in. Called by the one executable. */
import { BunClock, BunDisk, newBunDigest } from "../../io/bun/index.ts";
import { type Command, cobraHelp, helpCommand, type Program, runCommand } from "../args/index.ts";
import type { BenchContext } from "./context.ts";
import { diskCommand } from "./disk/disk-command.ts";
import { putCommand, rangeCommand, txnCommand } from "./load-commands.ts";
import { watchLatencyCommand } from "./watch-latency-command.ts";

const root: Command<BenchContext> = {
  name: "cairn bench",
  short: "Measures a server that speaks etcd's API, or the disk below a directory",
  commands: [
    putCommand,
    rangeCommand,
    txnCommand,
    watchLatencyCommand,
    diskCommand,
    helpCommand(
      () => program,
      (context) => context.io,
    ),
  ],
};

const program: Program<BenchContext> = {
  root,
  helpText: (path) => {
    const command = path[path.length - 1]!;
    return `${command.long ?? command.short}\n\n${cobraHelp(path)}`;
  },
  usageStream: "stderr",
};

/** Runs one workload with the arguments after `bench` and gives the exit code. */
export function runBench(args: string[]): Promise<number> {
  const isTerminal = process.stdout.isTTY === true;
  const isPlain = !isTerminal || (process.env.NO_COLOR ?? "") !== "";
  const context: BenchContext = {
    io: process,
    environment: process.env,
    clock: new BunClock(),
    disk: new BunDisk(),
    newDigest: newBunDigest,
    isTerminal,
    style: isPlain ? "ascii" : "unicode",
    onInterrupt,
  };
  return runCommand(program, args, context, process);
}

function onInterrupt(stop: () => void): () => void {
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return () => {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
  };
}
