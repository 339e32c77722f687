/**
 * Runs a command tree: finds the command, parses its flags, prints help or errors where the Go programs print
 * them (an error of the command line is said twice), and turns ExitError into the exit code.
 */
import type { CommandIo } from "../output/command-io.ts";
import {
  type Command,
  type CommandPath,
  HELP_FLAG_NAME,
  inheritedFlags,
  localFlags,
} from "./command.ts";
import { ExitCode, ExitError } from "./exit-error.ts";
import { findCommand } from "./find-command.ts";
import { FlagSet } from "./flag-set.ts";

export interface Program<Context> {
  readonly root: Command<Context>;
  /** The whole help text of a command. */
  readonly helpText: (path: CommandPath<Context>) => string;
  /** What stands between the two mentions of a bad flag, on the named stream. */
  readonly usageStream: "stdout" | "stderr";
}

export async function runCommand<Context>(
  program: Program<Context>,
  args: readonly string[],
  context: Context,
  io: CommandIo,
): Promise<number> {
  const found = findCommand(program.root, args);
  if (found.failure !== null) {
    const name = program.root.name;
    io.stderr.write(`Error: ${found.failure}\nRun '${name} --help' for usage.\n`);
    return fail(io, found.failure);
  }
  const flags = new FlagSet([...localFlags(found.path), ...inheritedFlags(found.path)]);
  const failure = flags.parse(found.args);
  if (failure !== null) {
    io.stderr.write(`Error: ${failure}\n`);
    io[program.usageStream].write(program.helpText(found.path));
    io.stderr.write("\n");
    return fail(io, failure);
  }
  const command = found.path[found.path.length - 1]!;
  if (flags.flag(HELP_FLAG_NAME) || command.run === undefined) {
    io.stdout.write(program.helpText(found.path));
    return ExitCode.success;
  }
  try {
    await command.run(context, flags);
    return ExitCode.success;
  } catch (error) {
    if (!(error instanceof ExitError)) throw error;
    if (error.shown) io.stderr.write(`Error: ${error.message}\n`);
    return error.code;
  }
}

function fail(io: CommandIo, message: string): number {
  io.stderr.write(`Error: ${message}\n`);
  return ExitCode.error;
}
