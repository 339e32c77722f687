/**
 * What the words of a watch mean: key and end of range before `--`, a program with its arguments behind it. The
 * key may come from ETCDCTL_WATCH_KEY (and ETCDCTL_WATCH_RANGE_END); then no word may name one too.
 */
import type { FlagSet } from "../args/index.ts";

export interface WatchArguments {
  readonly key: string;
  readonly rangeEnd: string | null;
  /** Program and arguments to run for each event; empty for none. */
  readonly program: readonly string[];
}

const WRONG_COUNT = "bad number of arguments";

export function watchArguments(
  flags: FlagSet,
  variableKey: string,
  variableEnd: string,
): WatchArguments | { failure: string } {
  const dash = flags.wordsBeforeDash;
  const keys = dash < 0 ? flags.words : flags.words.slice(0, dash);
  const program = dash < 0 ? [] : flags.words.slice(dash);
  if (dash >= 0 && program.length === 0) {
    return { failure: `${WRONG_COUNT} (found separator --, but no commands)` };
  }
  if (variableKey !== "" && keys.length > 0) {
    return { failure: `${WRONG_COUNT} (found conflicting environment key)` };
  }
  const fromVariables = variableEnd === "" ? [variableKey] : [variableKey, variableEnd];
  const named = variableKey === "" ? keys : fromVariables;
  if (named.length < 1) return { failure: WRONG_COUNT };
  const rangeEnd = named[1] ?? null;
  if (rangeEnd !== null && flags.flag("prefix")) {
    return { failure: "`range_end` and `--prefix` are mutually exclusive" };
  }
  return { key: named[0]!, rangeEnd, program };
}
