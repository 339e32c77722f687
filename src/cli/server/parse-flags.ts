/**
 * The server's command line and environment, by the rules of Go's flag package and etcd: `-x v`, `--x=v`, booleans
 * without a separate value, the last one wins; an option both on the command line and in the environment is fatal.
 */

import { FLAGS, type FlagRow, LEGACY_IGNORED, RENAMED } from "./flag-table.ts";
import { parseBoolean, parseDurationMs, parseInteger } from "./go-values.ts";

/** A start that cannot go on. `usage`: Go's parser refused (exit 2, with the usage); else exit 1. */
export class ConfigProblem {
  readonly message: string;
  readonly usage: boolean;
  constructor(message: string, usage = false) {
    this.message = message;
    this.usage = usage;
  }
}

export interface GivenFlags {
  /** Raw values by flag name, after renaming. */
  readonly values: Map<string, string>;
  readonly warnings: string[];
  /** Variables that were read: name and value, for the log. */
  readonly variables: [string, string][];
  readonly help: boolean;
}

export function parseFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): GivenFlags | ConfigProblem {
  const given: GivenFlags = { values: new Map(), warnings: [], variables: [], help: false };
  const parsed = parseArguments(args, given);
  if (parsed instanceof ConfigProblem || parsed.help) return parsed;
  const problem = readEnvironment(environment, given);
  return problem ?? given;
}

function parseArguments(args: readonly string[], given: GivenFlags): GivenFlags | ConfigProblem {
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    if (!argument.startsWith("-") || argument === "-") {
      return new ConfigProblem(`"${argument}" is not a valid flag`);
    }
    if (argument === "--") {
      const extra = args[at + 1];
      return extra === undefined ? given : new ConfigProblem(`"${extra}" is not a valid flag`);
    }
    const text = argument.replace(/^--?/, "");
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    let value = equals < 0 ? undefined : text.slice(equals + 1);
    if (name === "" || name.startsWith("-")) {
      return new ConfigProblem(`bad flag syntax: ${argument}`, true);
    }
    if (name === "h" || name === "help") return { ...given, help: true };
    if (LEGACY_IGNORED.has(name)) {
      given.warnings.push(`--${name} has no effect`);
      continue;
    }
    const flag = FLAGS.get(RENAMED.get(name) ?? name);
    if (flag === undefined) {
      return new ConfigProblem(`flag provided but not defined: -${name}`, true);
    }
    if (value === undefined && flag.kind === "bool") value = "true";
    if (value === undefined) {
      if (at + 1 >= args.length) {
        return new ConfigProblem(`flag needs an argument: -${name}`, true);
      }
      value = args[++at]!;
    }
    const wrong = wrongValue(flag, value);
    if (wrong !== null) {
      const lead = flag.kind === "bool" ? "invalid boolean value" : "invalid value";
      const preposition = flag.kind === "bool" ? "for" : "for flag";
      return new ConfigProblem(`${lead} "${value}" ${preposition} -${name}: ${wrong}`, true);
    }
    if (RENAMED.has(name)) given.warnings.push(`--${name} is deprecated; use --${flag.name}`);
    given.values.set(flag.name, value);
  }
  return given;
}

function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  given: GivenFlags,
): ConfigProblem | null {
  for (const variable of Object.keys(environment).sort()) {
    if (!variable.startsWith("ETCD_")) continue;
    const value = environment[variable];
    if (value === undefined || value === "" || variable === "ETCD_UNSUPPORTED_ARCH") continue;
    const written = variable.slice("ETCD_".length).toLowerCase().replaceAll("_", "-");
    const flag = FLAGS.get(RENAMED.get(written) ?? written);
    if (flag === undefined || flag.name === "version") {
      if (variable !== "ETCD_VERIFY")
        given.warnings.push(`unrecognized environment variable ${variable}`);
      continue;
    }
    if (given.values.has(flag.name)) {
      return new ConfigProblem(
        "conflicting environment variable is shadowed by corresponding command-line flag " +
          `(either unset environment variable or disable flag)): ${variable}`,
      );
    }
    const wrong = wrongValue(flag, value);
    if (wrong !== null)
      return new ConfigProblem(`invalid value "${value}" for ${variable}: ${wrong}`);
    given.values.set(flag.name, value);
    given.variables.push([variable, value]);
  }
  return null;
}

/** Why a value does not fit its flag, in the words of Go and etcd; null when it does. */
function wrongValue(flag: FlagRow, value: string): string | null {
  switch (flag.kind) {
    case "bool":
      return parseBoolean(value) === undefined ? "parse error" : null;
    case "uint": {
      const number = parseInteger(value);
      return number === undefined || number < 0 ? "parse error" : null;
    }
    case "int":
      return parseInteger(value) === undefined ? "parse error" : null;
    case "duration":
      return parseDurationMs(value) === undefined ? "parse error" : null;
    case "urls":
      return value === "" ? null : wrongUrls(value);
    default:
      return flag.name === "initial-cluster-state" && value !== "new" && value !== "existing"
        ? "invalid value"
        : null;
  }
}

const SCHEMES = new Set(["http:", "https:", "unix:", "unixs:"]);

function wrongUrls(value: string): string | null {
  for (const text of value.split(",")) {
    const trimmed = text.trim();
    let url: URL;
    try {
      url = new URL(trimmed);
    } catch {
      return `URL scheme must be http, https, unix, or unixs: ${trimmed}`;
    }
    if (!SCHEMES.has(url.protocol)) {
      return `URL scheme must be http, https, unix, or unixs: ${trimmed}`;
    }
    if (url.protocol.startsWith("http")) {
      if (!/:\d+(\/|$)/.test(trimmed.slice(url.protocol.length))) {
        return `URL address does not have the form "host:port": ${trimmed}`;
      }
      if (url.pathname !== "/" && url.pathname !== "") {
        return `URL must not contain a path: ${trimmed}`;
      }
    }
  }
  return null;
}
