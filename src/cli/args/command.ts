/** A command as data: its name, texts, flags, subcommands and what runs it. Trees of these make a program. */

import type { FlagSpec } from "./flag.ts";
import type { FlagSet } from "./flag-set.ts";

export interface Command<Context> {
  readonly name: string;
  /** What follows the name on the usage line. */
  readonly usage?: string;
  readonly short: string;
  readonly long?: string;
  readonly flags?: readonly FlagSpec[];
  readonly commands?: readonly Command<Context>[];
  readonly run?: (context: Context, flags: FlagSet) => Promise<void>;
}

/** A command with the commands above it, root first. */
export type CommandPath<Context> = readonly Command<Context>[];

export const HELP_FLAG_NAME = "help";

export function commandPathText<Context>(path: CommandPath<Context>): string {
  return path.map((command) => command.name).join(" ");
}

export function usageLine<Context>(path: CommandPath<Context>): string {
  const command = path[path.length - 1]!;
  const usage = command.usage === undefined ? "" : ` ${command.usage}`;
  return `${commandPathText(path)}${usage} [flags]`;
}

/** Flags that the command itself brings, and its help flag. */
export function localFlags<Context>(path: CommandPath<Context>): FlagSpec[] {
  const command = path[path.length - 1]!;
  return [...(command.flags ?? []), helpFlag(command.name)];
}

/** Flags that come from the commands above. */
export function inheritedFlags<Context>(path: CommandPath<Context>): FlagSpec[] {
  return path
    .slice(0, -1)
    .flatMap((command) => (command.flags ?? []).filter((flag) => flag.persistent));
}

function helpFlag(name: string): FlagSpec {
  return {
    name: HELP_FLAG_NAME,
    shorthand: "h",
    kind: "bool",
    default: "false",
    usage: `help for ${name}`,
  };
}
