/** `snapshot`: save. What works on the saved file is etcdutl's, and `status` says so before it answers. */
import { badArguments, type Command } from "../args/index.ts";
import { printSnapshotStatus } from "../util/snapshot-status-command.ts";
import type { ControlContext } from "./context.ts";
import { saveSnapshot } from "./save-snapshot.ts";
import { withSession } from "./session.ts";

const save: Command<ControlContext> = {
  name: "save",
  usage: "<filename>",
  short: "Saves a copy of a member's database to a file",
  async run(context, flags) {
    if (flags.words.length !== 1) {
      badArguments("snapshot save expects one argument");
    }
    const path = flags.words[0]!;
    await withSession(context, flags, async (session) => {
      // The default timeout is for short commands; only an explicit one bounds the download.
      const options = flags.changed("command-timeout") ? session.bounded : {};
      await saveSnapshot(session, path, options);
      context.io.stdout.write(`Snapshot saved at ${path}\n`);
    });
  },
};

const status: Command<ControlContext> = {
  name: "status",
  usage: "<filename>",
  short: "[moved to etcdutl] Describes a saved snapshot",
  long: "Moved to `etcdutl snapshot status`.",
  async run(context, flags) {
    context.io.stderr.write("Deprecated: Use `etcdutl snapshot status` instead.\n\n");
    await printSnapshotStatus(context, flags);
  },
};

export const snapshotCommand: Command<ControlContext> = {
  name: "snapshot",
  usage: "<subcommand>",
  short: "Commands about snapshots",
  commands: [save, status],
};
