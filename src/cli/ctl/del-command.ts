/** `del`: deletes a key or a range of keys. It never deletes history; that is `compaction`. */
import type { DeleteRangeRequestInit } from "../../api/index.ts";
import { badArguments, boolFlag, type Command, type FlagSet } from "../args/index.ts";
import type { CommandIo } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { fromKeyRange, type KeyRange, keyRange, prefixRange, singleKey } from "./key-range.ts";
import { withSession } from "./session.ts";

export const delCommand: Command<ControlContext> = {
  name: "del",
  usage: "[options] <key> [range_end]",
  short: "Deletes a key or a range of keys [key, range_end)",
  flags: [
    boolFlag("prefix", "delete all keys that begin with <key>"),
    boolFlag("prev-kv", "also print what was deleted"),
    boolFlag("from-key", "delete all keys from <key> on, in the order of their bytes"),
    boolFlag("range", "say that the second word is meant to be the end of a range"),
  ],
  async run(context, flags) {
    const request = delRequest(flags, context.io);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.kv.deleteRange(request, bounded);
      context.io.stdout.write(printer.del(response));
    });
  },
};

/** The request that words and flags mean; also used for a line of a transaction. */
export function delRequest(flags: FlagSet, io: CommandIo): DeleteRangeRequestInit {
  const { words } = flags;
  if (words.length === 0 || words.length > 2) {
    badArguments("del command needs one argument as key and an optional argument as range_end");
  }
  if (flags.flag("prefix") && flags.flag("from-key")) {
    badArguments("`--prefix` and `--from-key` cannot be set at the same time, choose one");
  }
  return { ...rangeOf(flags, words, io), prev_kv: flags.flag("prev-kv") };
}

function rangeOf(flags: FlagSet, words: readonly string[], io: CommandIo): KeyRange {
  const [key = "", end] = words;
  if (end !== undefined) {
    if (flags.flag("prefix") || flags.flag("from-key")) {
      badArguments(
        "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
      );
    }
    if (!flags.flag("range")) {
      io.stderr.write(
        "In etcd v3.6, the operation will be suspended for a few seconds " +
          "to provide the user time to verify range.\n",
      );
    }
    return keyRange(key, end);
  }
  if (flags.flag("prefix")) return prefixRange(key);
  return flags.flag("from-key") ? fromKeyRange(key) : singleKey(key);
}
