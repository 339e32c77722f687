/** `move-leader`: hands leadership to another member. Must be asked of the leader, which is looked for. */
import { badArguments, type Command, parseUint64 } from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import { onlyWith } from "./endpoint-commands.ts";
import { type Session, withSession } from "./session.ts";

export const moveLeaderCommand: Command<ControlContext> = {
  name: "move-leader",
  usage: "<transferee-member-id>",
  short: "Hands leadership to another member",
  async run(context, flags) {
    if (flags.words.length !== 1) badArguments("move-leader command needs 1 argument");
    const target = parseUint64(flags.words[0]!, 16);
    if ("failure" in target) return badArguments(target.failure);
    await withSession(context, flags, async (session) => {
      const { endpoint, leader } = await leaderEndpoint(session);
      const response = await onlyWith(session, endpoint, (client) =>
        client.maintenance.moveLeader({ targetID: target.value }, session.bounded),
      );
      context.io.stdout.write(session.printer.moveLeader(leader, target.value, response));
    });
  },
};

async function leaderEndpoint(session: Session): Promise<{ endpoint: string; leader: bigint }> {
  for (const endpoint of session.endpoints) {
    const status = await onlyWith(session, endpoint, (client) =>
      client.maintenance.status(session.bounded),
    );
    const leader = status.header?.member_id ?? 0n;
    if (status.leader === leader) return { endpoint, leader };
  }
  return badArguments(`no leader endpoint given at [${session.endpoints.join(" ")}]`);
}
