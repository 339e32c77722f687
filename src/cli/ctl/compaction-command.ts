/** `compaction`: gives up the history before a revision. */
import {
  badArguments,
  boolFlag,
  type Command,
  clampToSafe,
  ExitCode,
  ExitError,
  parseInt64,
} from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { withSession } from "./session.ts";

export const compactionCommand: Command<ControlContext> = {
  name: "compaction",
  usage: "[options] <revision>",
  short: "Gives up the history before a revision",
  flags: [boolFlag("physical", "wait until the old revisions are gone from the disk")],
  async run(context, flags) {
    if (flags.words.length !== 1) {
      badArguments("compaction command needs 1 argument");
    }
    const parsed = parseInt64(flags.words[0]!, 10);
    if ("failure" in parsed) throw new ExitError(ExitCode.error, parsed.failure);
    const { value } = parsed;
    const physical = flags.flag("physical");
    await withSession(context, flags, async ({ client, bounded }) => {
      await client.kv.compact({ revision: clampToSafe(value), physical }, bounded);
      context.io.stdout.write(`compacted revision ${value}\n`);
    });
  },
};
