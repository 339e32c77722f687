/** `get`: reads a key or a range of keys. */
import {
  type RangeRequestInit,
  RangeRequestSortOrder,
  RangeRequestSortTarget,
} from "../../api/index.ts";
import {
  badArguments,
  boolFlag,
  type Command,
  ExitCode,
  ExitError,
  type FlagSet,
  int64Flag,
  stringFlag,
} from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { fromKeyRange, type KeyRange, keyRange, prefixRange, singleKey } from "./key-range.ts";
import { withSession } from "./session.ts";

export const getCommand: Command<ControlContext> = {
  name: "get",
  usage: "[options] <key> [range_end]",
  short: "Reads a key or a range of keys",
  flags: [
    stringFlag("consistency", "l for a linearizable read, s for a serializable one", "l"),
    stringFlag("order", "ASCEND or DESCEND"),
    stringFlag("sort-by", "what to sort by: CREATE, KEY, MODIFY, VALUE or VERSION"),
    int64Flag("limit", "how many results at most; 0 for all"),
    boolFlag("prefix", "read all keys that begin with <key>"),
    boolFlag("from-key", "read all keys from <key> on, in the order of their bytes"),
    int64Flag("rev", "read as of this revision"),
    boolFlag("keys-only", "leave the values out"),
    boolFlag("count-only", "say only how many there are"),
    boolFlag("print-value-only", "print the values alone (format simple)"),
    int64Flag("min-create-rev", "leave out keys created before this revision"),
    int64Flag("max-create-rev", "leave out keys created after this revision"),
    int64Flag("min-mod-rev", "leave out keys last changed before this revision"),
    int64Flag("max-mod-rev", "leave out keys last changed after this revision"),
  ],
  async run(context, flags) {
    const request = getRequest(flags);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.kv.range(request, bounded);
      const format = flags.text("write-out");
      if (flags.flag("count-only") && format !== "fields") {
        badArguments("--count-only is only for `--write-out=fields`");
      }
      const valuesOnly = flags.flag("print-value-only");
      if (valuesOnly && format !== "simple") {
        badArguments("print-value-only is only for `--write-out=simple`");
      }
      context.io.stdout.write(printer.range(response, valuesOnly));
    });
  },
};

/** The request that words and flags mean; also used for a line of a transaction. */
export function getRequest(flags: FlagSet): RangeRequestInit {
  const { words } = flags;
  if (words.length === 0) {
    badArguments("get command needs one argument as key and an optional argument as range_end");
  }
  if (flags.flag("prefix") && flags.flag("from-key")) {
    badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  const serializable = isSerializable(flags.text("consistency"));
  const range = rangeOf(flags, words);
  return {
    ...range,
    serializable,
    limit: flags.number("limit"),
    revision: flags.number("rev"),
    ...sorting(flags),
    keys_only: flags.flag("keys-only"),
    count_only: flags.flag("count-only"),
    min_create_revision: flags.number("min-create-rev"),
    max_create_revision: flags.number("max-create-rev"),
    min_mod_revision: flags.number("min-mod-rev"),
    max_mod_revision: flags.number("max-mod-rev"),
  };
}

function isSerializable(consistency: string): boolean {
  if (consistency !== "s" && consistency !== "l") {
    throw new ExitError(ExitCode.badFeature, `unknown consistency flag "${consistency}"`);
  }
  return consistency === "s";
}

function rangeOf(flags: FlagSet, words: readonly string[]): KeyRange {
  const [key = "", end] = words;
  const open = flags.flag("prefix") || flags.flag("from-key");
  if (end !== undefined && open) {
    badArguments(
      "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
    );
  }
  if (end !== undefined) return keyRange(key, end);
  if (flags.flag("prefix")) return prefixRange(key);
  return flags.flag("from-key") ? fromKeyRange(key) : singleKey(key);
}

const ORDERS: Readonly<Record<string, number>> = {
  ASCEND: RangeRequestSortOrder.ASCEND,
  DESCEND: RangeRequestSortOrder.DESCEND,
  "": RangeRequestSortOrder.NONE,
};

const TARGETS: Readonly<Record<string, number>> = {
  CREATE: RangeRequestSortTarget.CREATE,
  KEY: RangeRequestSortTarget.KEY,
  MODIFY: RangeRequestSortTarget.MOD,
  VALUE: RangeRequestSortTarget.VALUE,
  VERSION: RangeRequestSortTarget.VERSION,
  "": RangeRequestSortTarget.KEY,
};

function sorting(flags: FlagSet): { sort_order: number; sort_target: number } {
  const order = flags.text("order");
  const target = flags.text("sort-by");
  const sortOrder = ORDERS[order.toUpperCase()];
  if (sortOrder === undefined) throw new ExitError(ExitCode.badFeature, `bad sort order ${order}`);
  const sortTarget = TARGETS[target.toUpperCase()];
  if (sortTarget === undefined)
    throw new ExitError(ExitCode.badFeature, `bad sort target ${target}`);
  // Keys come in ascending order anyway: asking for it would make the member sort.
  const isDefault =
    sortTarget === RangeRequestSortTarget.KEY && sortOrder === RangeRequestSortOrder.ASCEND;
  return {
    sort_order: isDefault ? RangeRequestSortOrder.NONE : sortOrder,
    sort_target: sortTarget,
  };
}
