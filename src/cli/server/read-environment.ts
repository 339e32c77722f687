/**
 * ETCD_ variables: every flag has one. An option that is also on the command line is fatal, even when the variable is
 * empty; an empty one means nothing else. Variables that nobody knows are warned about.
 */
import { ConfigProblem } from "./config-problem.ts";
import { type GivenFlags, warnOf } from "./given-flags.ts";
import type { CommandLine } from "./parse-arguments.ts";
import { bothNamesProblem, flagOf, setFlag } from "./set-flag.ts";

const PREFIX = "ETCD_";
/** Not settings: read elsewhere, or without meaning for a runtime that only exists where it is supported. */
const OTHER_USES: ReadonlySet<string> = new Set(["ETCD_VERIFY", "ETCD_UNSUPPORTED_ARCH"]);

export type Environment = Readonly<Record<string, string | undefined>>;

/** Adds the environment's settings to the command line's. */
export function readEnvironment(
  environment: Environment,
  { given, names }: CommandLine,
): ConfigProblem | null {
  const variables = Object.keys(environment).filter((name) => name.startsWith(PREFIX));
  const known: string[] = [];
  const unknown: string[] = [];
  for (const variable of variables.sort()) {
    const name = flagNameOf(variable);
    const isSetting = flagOf(name) !== undefined && name !== "version" && name !== "config-file";
    (isSetting ? known : unknown).push(variable);
  }
  const all = new Set(names);
  for (const variable of known) {
    const name = flagNameOf(variable);
    if (names.has(name)) return conflict(variable);
    const value = environment[variable] ?? "";
    if (value === "") continue;
    const failure = setFlag(given, name, value);
    if (failure !== null) {
      return new ConfigProblem(
        "verify",
        `invalid value ${JSON.stringify(value)} for ${variable}: ${failure}`,
      );
    }
    all.add(name);
    noteUse(given, variable, value);
  }
  for (const variable of unknown) noteUnknown(given, variable, environment[variable] ?? "");
  return bothNamesProblem(all);
}

/** The configuration file that the environment names: asked first, since it replaces everything else. */
export function configFileOf(environment: Environment): string {
  return environment.ETCD_CONFIG_FILE ?? "";
}

function flagNameOf(variable: string): string {
  return variable.slice(PREFIX.length).toLowerCase().replaceAll("_", "-");
}

function conflict(variable: string): ConfigProblem {
  return new ConfigProblem(
    "conflict",
    "conflicting environment variable is shadowed by corresponding command-line flag " +
      "(either unset environment variable or disable flag))",
    { "environment-variable": variable },
  );
}

function noteUse(given: GivenFlags, variable: string, value: string): void {
  given.notices.push({
    level: "info",
    message: "recognized and used environment variable",
    fields: { "variable-name": variable, "variable-value": value },
  });
}

function noteUnknown(given: GivenFlags, variable: string, value: string): void {
  if (OTHER_USES.has(variable) || variable === "ETCD_CONFIG_FILE") return;
  if (variable === "ETCD_VERSION") {
    if (value === "") return;
    warnOf(given, "cannot set special environment variable", { key: variable, value });
    return;
  }
  warnOf(given, "unrecognized environment variable", {
    "environment-variable": `${variable}=${value}`,
  });
}
