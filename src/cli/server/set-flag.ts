/** One flag is set, under whatever name it was given: renamed flags, gates, and what is gone, all in one place. */

import { ConfigProblem } from "./config-problem.ts";
import { GATE_FLAGS, isGoneWithV2, RENAMED } from "./flag-aliases.ts";
import { type FlagRow, row } from "./flag-row.ts";
import { FLAGS } from "./flag-table.ts";
import { readValue } from "./flag-values.ts";
import { type GivenFlags, warnOf } from "./given-flags.ts";

/** The flag behind a name, old names included. */
export function flagOf(name: string): FlagRow | undefined {
  if (GATE_FLAGS.has(name)) return row(name, "bool", "false", "");
  return FLAGS.get(RENAMED.get(name) ?? name);
}

/** Why the text is refused (the end of etcd's message), or null when the flag is set. */
export function setFlag(given: GivenFlags, name: string, text: string): string | null {
  const flag = flagOf(name)!;
  const parsed = readValue(flag, text);
  if ("failure" in parsed) return parsed.failure;
  if (isGoneWithV2(name)) {
    warnOf(given, `--${name} is deprecated in 3.5 and will be decommissioned in 3.6.`);
  }
  const gate = GATE_FLAGS.get(name);
  if (gate !== undefined) {
    warnOf(given, `--${name} is deprecated; use --feature-gates=${gate}=true`);
    const before = given.values.get("feature-gates");
    const setting = `${gate}=${String(parsed.value)}`;
    given.values.set("feature-gates", before ? `${before},${setting}` : setting);
    return null;
  }
  if (RENAMED.has(name)) warnOf(given, `--${name} is deprecated; use --${flag.name}`);
  given.values.set(flag.name, text);
  return null;
}

/** A flag and its old name at once leave open which one counts. */
export function bothNamesProblem(names: ReadonlySet<string>): ConfigProblem | null {
  for (const [old, name] of RENAMED) {
    if (names.has(old) && names.has(name)) {
      return new ConfigProblem(
        "verify",
        `cannot set both --${name} and --${old} at the same time, please use --${name} only`,
      );
    }
  }
  return null;
}
