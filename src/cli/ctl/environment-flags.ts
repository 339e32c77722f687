/**
 * ETCDCTL_* variables as flags. A variable counts when its flag is not on the command line; both at once end the
 * program, because etcdctl does not guess which one was meant. Values that do not parse are passed over, and
 * variables that mean nothing are named in a warning, all as etcdctl 3.5 does.
 */
import type { FlagSet } from "../args/index.ts";
import { ExitCode, ExitError } from "../args/index.ts";
import { type ControlContext, logTo } from "./context.ts";

const PREFIX = "ETCDCTL_";
const CALLER = "ctl/environment-flags.ts";

/** Variables that are read elsewhere. */
const KNOWN_VARIABLES: readonly string[] = [
  "ETCDCTL_API",
  "ETCDCTL_WATCH_KEY",
  "ETCDCTL_WATCH_RANGE_END",
];

export function applyEnvironment(context: ControlContext, flags: FlagSet): void {
  const onCommandLine = new Set<string>();
  const used = new Set<string>();
  for (const { name, persistent } of flags.specs()) {
    if (!persistent) continue;
    const variable = variableName(name);
    if (flags.changed(name)) {
      onCommandLine.add(variable);
      continue;
    }
    const value = context.environment[variable] ?? "";
    if (value === "") continue;
    used.add(variable);
    flags.set(name, value);
  }
  for (const [variable, value] of Object.entries(context.environment)) {
    if (value === undefined || used.has(variable)) continue;
    if (onCommandLine.has(variable)) refuse(context, variable);
    if (variable.startsWith(PREFIX) && !KNOWN_VARIABLES.includes(variable)) {
      logTo(context, {
        level: "warn",
        caller: CALLER,
        message: "unrecognized environment variable",
        fields: [["environment-variable", `${variable}=${value}`]],
      });
    }
  }
}

function variableName(flagName: string): string {
  return PREFIX + flagName.toUpperCase().replaceAll("-", "_");
}

function refuse(context: ControlContext, variable: string): never {
  logTo(context, {
    level: "fatal",
    caller: CALLER,
    message:
      "conflicting environment variable is shadowed by corresponding command-line flag " +
      "(either unset environment variable or disable flag))",
    fields: [["environment-variable", variable]],
  });
  throw new ExitError(ExitCode.error, null);
}
