/**
 * Finds the command that arguments mean: words may be shortened to an unambiguous beginning, and flags may stand
 * before them. A flag not known at that place takes the next word for its value, which is how
 * `--data-dir x snapshot restore f` works and `--data-dir snapshot restore f` does not.
 */

import { goQuoteText } from "../output/go-quote.ts";
import {
  type Command,
  type CommandPath,
  commandPathText,
  inheritedFlags,
  localFlags,
} from "./command.ts";
import { editDistance } from "./edit-distance.ts";
import { FlagSet } from "./flag-set.ts";

const SUGGESTION_DISTANCE_MAX = 2;

export interface FoundCommand<Context> {
  readonly path: CommandPath<Context>;
  /** The arguments without the words that led here. */
  readonly args: string[];
  /** Set when a word fits no command of the root. */
  readonly failure: string | null;
}

export function findCommand<Context>(
  root: Command<Context>,
  args: readonly string[],
): FoundCommand<Context> {
  let path: Command<Context>[] = [root];
  let rest = [...args];
  for (;;) {
    const word = firstWord(rest, path);
    if (word === null) return { path, args: rest, failure: null };
    const next = matchCommand(path[path.length - 1]!.commands ?? [], word.text);
    if (next === null) {
      const failure = path.length === 1 ? unknownCommand(root, path, word.text) : null;
      return { path, args: rest, failure };
    }
    rest = [...rest.slice(0, word.index), ...rest.slice(word.index + 1)];
    path = [...path, next];
  }
}

/** A whole name, else the only command that begins so. */
export function matchCommand<Context>(
  commands: readonly Command<Context>[],
  word: string,
): Command<Context> | null {
  const exact = commands.find((command) => command.name === word);
  if (exact !== undefined) return exact;
  const matches = commands.filter((command) => command.name.startsWith(word));
  return matches.length === 1 ? matches[0]! : null;
}

function firstWord<Context>(
  args: readonly string[],
  path: CommandPath<Context>,
): { text: string; index: number } | null {
  const known = new FlagSet([...localFlags(path), ...inheritedFlags(path)]);
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return null;
    if (!arg.startsWith("-")) {
      if (arg !== "") return { text: arg, index: i };
      continue;
    }
    if (arg.includes("=")) continue;
    const takesNext = arg.startsWith("--")
      ? !known.needsNoValue(arg.slice(2))
      : arg.length === 2 && !known.shorthandNeedsNoValue(arg.slice(1));
    if (takesNext) i++;
  }
  return null;
}

function unknownCommand<Context>(
  root: Command<Context>,
  path: CommandPath<Context>,
  word: string,
): string {
  const lower = word.toLowerCase();
  const similar = (root.commands ?? []).filter((command) => {
    const name = command.name.toLowerCase();
    return editDistance(lower, name) <= SUGGESTION_DISTANCE_MAX || name.startsWith(lower);
  });
  const lines = similar.map((command) => `\t${command.name}\n`).join("");
  const hint = lines === "" ? "" : `\n\nDid you mean this?\n${lines}`;
  return `unknown command ${goQuoteText(word)} for ${goQuoteText(commandPathText(path))}${hint}`;
}
