/**
 * The server's command line, by the rules of Go's flag package: `-x v`, `--x=v`, booleans without a separate value,
 * the last one wins, the first word that is no flag ends it (and is refused).
 */
import { ConfigProblem } from "./config-problem.ts";
import { LEGACY_IGNORED } from "./flag-aliases.ts";
import { type FlagRow, row } from "./flag-row.ts";
import { type GivenFlags, noGivenFlags, warnOf } from "./given-flags.ts";
import { bothNamesProblem, flagOf, setFlag } from "./set-flag.ts";

export interface CommandLine {
  readonly given: GivenFlags;
  /** Flags as they were named: the environment must not name one of them too. */
  readonly names: ReadonlySet<string>;
  readonly help: boolean;
}

export function parseArguments(args: readonly string[]): CommandLine | ConfigProblem {
  const given = noGivenFlags();
  const names = new Set<string>();
  let at = 0;
  while (at < args.length && /^-./s.test(args[at]!)) {
    const argument = args[at++]!;
    if (argument === "--") break;
    const match = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(argument);
    if (match === null) return new ConfigProblem("usage", `bad flag syntax: ${argument}`);
    const name = match[1]!;
    if (name === "h" || name === "help") return { given, names, help: true };
    const flag = namedFlag(name);
    if (flag === undefined) {
      return new ConfigProblem("usage", `flag provided but not defined: -${name}`);
    }
    let value = match[2] ?? (flag.kind === "bool" ? "true" : undefined);
    if (value === undefined) {
      if (at === args.length) {
        return new ConfigProblem("usage", `flag needs an argument: -${name}`);
      }
      value = args[at++]!;
    }
    const problem = setNamed(given, flag, name, value);
    if (problem !== null) return problem;
    names.add(name);
  }
  if (at < args.length) {
    return new ConfigProblem("verify", `"${args[at]}" is not a valid flag`);
  }
  given.configFile = given.values.get("config-file") ?? "";
  return bothNamesProblem(names) ?? { given, names, help: false };
}

function namedFlag(name: string): FlagRow | undefined {
  return LEGACY_IGNORED.has(name) ? row(name, "bool", "false", "") : flagOf(name);
}

function setNamed(
  given: GivenFlags,
  flag: FlagRow,
  name: string,
  value: string,
): ConfigProblem | null {
  if (LEGACY_IGNORED.has(name)) {
    warnOf(given, `--${name} has no effect`);
    return null;
  }
  const failure = setFlag(given, name, value);
  if (failure === null) return null;
  const text =
    flag.kind === "bool"
      ? `invalid boolean value ${JSON.stringify(value)} for -${name}: ${failure}`
      : `invalid value ${JSON.stringify(value)} for flag -${name}: ${failure}`;
  return new ConfigProblem("usage", text);
}
