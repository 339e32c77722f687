/** `defrag`: asks members to give free space of their files back. */
import { boolFlag, type Command, ExitCode, ExitError, stringFlag } from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { chosenEndpoints, complain, onlyWith } from "./endpoint-commands.ts";
import { withSession } from "./session.ts";

export const defragCommand: Command<ControlContext> = {
  name: "defrag",
  short: "Gives free space in the files of members back",
  flags: [
    boolFlag("cluster", "ask all endpoints that the members name"),
    stringFlag("data-dir", "moved to `etcdutl defrag`"),
  ],
  async run(context, flags) {
    if (flags.text("data-dir") !== "") {
      throw new ExitError(ExitCode.badFeature, "--data-dir is gone, use `etcdutl defrag` instead");
    }
    await withSession(context, flags, async (session) => {
      let failed = false;
      for (const endpoint of await chosenEndpoints(session, flags)) {
        try {
          await onlyWith(session, endpoint, (client) =>
            client.maintenance.defragment(session.bounded),
          );
          context.io.stdout.write(`Finished defragmenting etcd member[${endpoint}]\n`);
        } catch (error) {
          failed = true;
          complain(context, `Failed to defragment etcd member[${endpoint}]`, error);
        }
      }
      if (failed) throw new ExitError(ExitCode.error, null);
    });
  },
};
