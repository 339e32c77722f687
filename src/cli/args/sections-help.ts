/** Help in etcdctl's layout: NAME, USAGE, VERSION, COMMANDS, DESCRIPTION, OPTIONS, GLOBAL OPTIONS. */
import {
  type Command,
  type CommandPath,
  commandPathText,
  inheritedFlags,
  localFlags,
  usageLine,
} from "./command.ts";
import type { FlagSpec } from "./flag.ts";
import { tabColumns } from "./tab-columns.ts";

export interface HelpVersions {
  readonly version: string;
  readonly apiVersion: string;
}

export function sectionsHelp<Context>(path: CommandPath<Context>, versions: HelpVersions): string {
  const command = path[path.length - 1]!;
  const isRoot = path.length === 1;
  const name = isRoot ? command.name : commandPathText(path.slice(1));
  const parts = [section("NAME", [`\t${name} - ${command.short}`])];
  parts.push(section("USAGE", [`\t${usageLine(path)}`]));
  if (isRoot) parts.push(section("VERSION", [`\t${versions.version}`]));
  if (command.commands !== undefined) {
    parts.push(`${section("API VERSION", [`\t${versions.apiVersion}`])}\n`);
    const rows = runnable(command, []).sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
    parts.push(
      section(
        "COMMANDS",
        tabColumns(rows).map((line) => `\t${line}`),
      ),
    );
  }
  if (command.long !== undefined) {
    parts.push(
      section(
        "DESCRIPTION",
        command.long.split("\n").map((line) => `\t${line}`),
      ),
    );
  }
  parts.push(section("OPTIONS", flagLines(localFlags(path))));
  const inherited = inheritedFlags(path);
  if (inherited.length > 0) parts.push(section("GLOBAL OPTIONS", flagLines(inherited)));
  return `${parts.join("\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.join("\n")}\n`;
}

function runnable<Context>(command: Command<Context>, words: readonly string[]): string[][] {
  return (command.commands ?? []).flatMap((child) => {
    const path = [...words, child.name];
    if (child.commands !== undefined) return runnable(child, path);
    return [[path.join(" "), child.short]];
  });
}

function flagLines(flags: readonly FlagSpec[]): string[] {
  const sorted = [...flags].sort((a, b) => (a.name < b.name ? -1 : 1));
  return tabColumns(sorted.map((flag) => [flagColumn(flag), flag.usage]));
}

function flagColumn(flag: FlagSpec): string {
  const short = flag.shorthand === undefined ? "      " : `  -${flag.shorthand}, `;
  return `${short}--${flag.name}${defaultText(flag)}`;
}

function defaultText(flag: FlagSpec): string {
  switch (flag.kind) {
    case "bool":
      return `[=${flag.default}]`;
    case "string":
      return `="${flag.default}"`;
    case "list":
      return `=[${flag.default}]`;
    default:
      return `=${flag.default}`;
  }
}
