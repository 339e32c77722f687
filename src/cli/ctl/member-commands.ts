/** `member`: list, add, remove, update, promote. */
import {
  badArguments,
  boolFlag,
  type Command,
  ExitCode,
  ExitError,
  type FlagSet,
  parseUint64,
  stringFlag,
} from "../args/index.ts";
import { goQuoteText } from "../output/index.ts";
import type { ControlContext } from "./context.ts";
import { peerUrlsFailure } from "./peer-urls.ts";
import { withSession } from "./session.ts";

const list: Command<ControlContext> = {
  name: "list",
  short: "Names all members",
  long:
    "The format simple prints one line for each member, with its columns separated by commas:\n" +
    "ID, Status, Name, Peer Addrs, Client Addrs, Is Learner.",
  flags: [
    stringFlag("consistency", "l for a linearizable answer, s for what the member knows", "l"),
  ],
  async run(context, flags) {
    const consistency = flags.text("consistency");
    if (consistency !== "l" && consistency !== "s") {
      throw new ExitError(ExitCode.badFeature, `unknown consistency flag "${consistency}"`);
    }
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const linearizable = consistency === "l";
      const response = await client.cluster.memberList({ linearizable }, bounded);
      context.io.stdout.write(printer.memberList(response));
    });
  },
};

const add: Command<ControlContext> = {
  name: "add",
  usage: "<memberName> [options]",
  short: "Adds a member to the cluster",
  flags: [
    stringFlag("peer-urls", "URLs for other members, comma separated"),
    boolFlag("learner", "the member shall not vote until it is promoted"),
  ],
  async run(context, flags) {
    const name = addedName(flags);
    const urls = peerUrls(flags);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const peerURLs = checkedUrls(urls);
      const request = { peerURLs, isLearner: flags.flag("learner") };
      const response = await client.cluster.memberAdd(request, bounded);
      const { stdout } = context.io;
      stdout.write(printer.memberAdd(response));
      if (flags.text("write-out") !== "simple") return;
      const cluster = response.members.flatMap((member) =>
        member.peerURLs.map((url) => {
          const shown = member.ID === response.member?.ID ? name : member.name;
          return `${shown}=${url}`;
        }),
      );
      stdout.write(
        `\nETCD_NAME=${goQuoteText(name)}\n` +
          `ETCD_INITIAL_CLUSTER=${goQuoteText(cluster.join(","))}\n` +
          `ETCD_INITIAL_ADVERTISE_PEER_URLS=${goQuoteText(urls)}\n` +
          'ETCD_INITIAL_CLUSTER_STATE="existing"\n',
      );
    });
  },
};

const remove: Command<ControlContext> = {
  name: "remove",
  usage: "<memberID>",
  short: "Removes a member from the cluster",
  async run(context, flags) {
    const id = memberId(flags);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.cluster.memberRemove({ ID: id }, bounded);
      context.io.stdout.write(printer.memberRemove(id, response));
    });
  },
};

const update: Command<ControlContext> = {
  name: "update",
  usage: "<memberID> [options]",
  short: "Changes the peer URLs of a member",
  flags: [stringFlag("peer-urls", "URLs for other members, comma separated")],
  async run(context, flags) {
    const id = memberId(flags);
    const urls = peerUrls(flags);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const request = { ID: id, peerURLs: checkedUrls(urls) };
      const response = await client.cluster.memberUpdate(request, bounded);
      context.io.stdout.write(printer.memberUpdate(id, response));
    });
  },
};

const promote: Command<ControlContext> = {
  name: "promote",
  usage: "<memberID>",
  short: "Gives a learner its vote",
  async run(context, flags) {
    const id = memberId(flags);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.cluster.memberPromote({ ID: id }, bounded);
      context.io.stdout.write(printer.memberPromote(id, response));
    });
  },
};

export const memberCommand: Command<ControlContext> = {
  name: "member",
  usage: "<subcommand>",
  short: "Commands about members",
  commands: [add, remove, update, list, promote],
};

function addedName(flags: FlagSet): string {
  const [name, second] = flags.words;
  if (name === undefined) return badArguments("member name not provided");
  if (second !== undefined) {
    const hint = /^https?:\/\//.test(second) ? `, did you mean --peer-urls=${second}` : "";
    return badArguments(`too many arguments${hint}`);
  }
  return name;
}

function peerUrls(flags: FlagSet): string {
  const urls = flags.text("peer-urls");
  return urls === "" ? badArguments("member peer urls not provided") : urls;
}

function checkedUrls(urls: string): string[] {
  const list = urls.split(",");
  const failure = peerUrlsFailure(list);
  if (failure !== null) throw new ExitError(ExitCode.error, failure);
  return list;
}

function memberId(flags: FlagSet): bigint {
  if (flags.words.length !== 1) badArguments("member ID is not provided");
  const parsed = parseUint64(flags.words[0]!, 16);
  if ("failure" in parsed)
    return badArguments(`bad member ID arg (${parsed.failure}), expecting ID in Hex`);
  return parsed.value;
}
