/** Help in the layout of the Go library itself, which etcdutl and the lines of a transaction use. */
import {
  type CommandPath,
  commandPathText,
  inheritedFlags,
  localFlags,
  usageLine,
} from "./command.ts";
import type { FlagSpec } from "./flag.ts";

const NAME_WIDTH = 11;

export function cobraHelp<Context>(path: CommandPath<Context>): string {
  const command = path[path.length - 1]!;
  const name = commandPathText(path);
  const children = [...(command.commands ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  const grouped = command.commands !== undefined;
  let text = command.long === undefined ? "" : `${command.long}\n\n`;
  text += `Usage:\n  ${grouped ? `${name} [command]` : usageLine(path)}\n`;
  if (grouped) {
    text += "\nAvailable Commands:\n";
    const width = Math.max(NAME_WIDTH, ...children.map((child) => child.name.length));
    for (const child of children) text += `  ${child.name.padEnd(width)} ${child.short}\n`;
  }
  text += `\nFlags:\n${flagUsages(localFlags(path))}`;
  const inherited = inheritedFlags(path);
  if (inherited.length > 0) text += `\nGlobal Flags:\n${flagUsages(inherited)}`;
  if (grouped) text += `\nUse "${name} [command] --help" for more information about a command.\n`;
  return text;
}

export function flagUsages(flags: readonly FlagSpec[]): string {
  const sorted = [...flags].sort((a, b) => (a.name < b.name ? -1 : 1));
  const lefts = sorted.map(leftColumn);
  const width = Math.max(...lefts.map((left) => left.length)) + 3;
  return sorted
    .map((flag, i) => `${lefts[i]!.padEnd(width)}${flag.usage}${defaultSuffix(flag)}\n`)
    .join("");
}

const KIND_WORDS: Readonly<Record<FlagSpec["kind"], string>> = {
  bool: "",
  string: " string",
  int64: " int",
  duration: " duration",
  list: " strings",
};

function leftColumn(flag: FlagSpec): string {
  const short = flag.shorthand === undefined ? "      " : `  -${flag.shorthand}, `;
  return `${short}--${flag.name}${KIND_WORDS[flag.kind]}`;
}

function defaultSuffix(flag: FlagSpec): string {
  if (flag.default === "" || flag.default === "0" || flag.default === "false") return "";
  return flag.kind === "string" ? ` (default "${flag.default}")` : ` (default ${flag.default})`;
}
