/** `lease`: grant, revoke, timetolive, list, keep-alive. */
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
import { errorText, exitErrorOf, type Session, withSession } from "./session.ts";

const grant: Command<ControlContext> = {
  name: "grant",
  usage: "<ttl>",
  short: "Makes a lease that lives <ttl> seconds",
  async run(context, flags) {
    if (flags.words.length !== 1) badArguments("lease grant command needs TTL argument");
    const ttl = parseInt64(flags.words[0]!, 10);
    if ("failure" in ttl) return badArguments(`bad TTL (${ttl.failure})`);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.lease
        .grant({ TTL: clampToSafe(ttl.value) }, bounded)
        .catch(failing("failed to grant lease"));
      context.io.stdout.write(printer.leaseGrant(response));
    });
  },
};

const revoke: Command<ControlContext> = {
  name: "revoke",
  usage: "<leaseID>",
  short: "Ends a lease and deletes its keys",
  async run(context, flags) {
    if (flags.words.length !== 1) badArguments("lease revoke command needs 1 argument");
    const id = leaseId(flags.words[0]!);
    await withSession(context, flags, async ({ client, printer, bounded }) => {
      const response = await client.lease
        .revoke({ ID: id }, bounded)
        .catch(failing("failed to revoke lease"));
      context.io.stdout.write(printer.leaseRevoke(id, response));
    });
  },
};

const timeToLive: Command<ControlContext> = {
  name: "timetolive",
  usage: "<leaseID> [options]",
  short: "Tells how long a lease still lives",
  flags: [boolFlag("keys", "also name the keys that live with it")],
  async run(context, flags) {
    if (flags.words.length !== 1)
      badArguments("lease timetolive command needs lease ID as argument");
    const id = leaseId(flags.words[0]!);
    const keys = flags.flag("keys");
    await withSession(context, flags, async (session) => {
      const { client, printer } = session;
      const response = await connecting(client.lease.timeToLive({ ID: id, keys }, unbounded));
      context.io.stdout.write(printer.leaseTimeToLive(response, keys));
    });
  },
};

const list: Command<ControlContext> = {
  name: "list",
  short: "Names all leases",
  async run(context, flags) {
    await withSession(context, flags, async ({ client, printer }) => {
      const response = await connecting(client.lease.list(unbounded));
      context.io.stdout.write(printer.leaseList(response));
    });
  },
};

const keepAlive: Command<ControlContext> = {
  name: "keep-alive",
  usage: "[options] <leaseID>",
  short: "Renews a lease again and again",
  flags: [boolFlag("once", "renew it one time and leave")],
  async run(context, flags) {
    if (flags.words.length !== 1)
      badArguments("lease keep-alive command needs lease ID as argument");
    const id = leaseId(flags.words[0]!);
    await withSession(context, flags, async (session) => {
      if (!flags.flag("once")) return renewUntilEnd(session, id);
      const response = await connecting(session.client.lease.keepAliveOnce(id, unbounded));
      context.io.stdout.write(session.printer.leaseKeepAlive(response));
    });
  },
};

/** These commands wait for a member as long as it takes, as etcdctl's do. */
const unbounded = {};

export const leaseCommand: Command<ControlContext> = {
  name: "lease",
  usage: "<subcommand>",
  short: "Commands about leases",
  commands: [grant, revoke, timeToLive, list, keepAlive],
};

async function renewUntilEnd(session: Session, id: bigint): Promise<void> {
  const { context, client, printer } = session;
  await new Promise<void>((resolve, reject) => {
    const keeper = client.lease.keepAlive(id, {
      onRenewed(response) {
        try {
          context.io.stdout.write(printer.leaseKeepAlive(response));
        } catch (error) {
          reject(error);
          keeper.stop();
        }
      },
      onEnd: (error) => (error === null ? resolve() : reject(error)),
    });
  });
  context.io.stdout.write(`lease ${id.toString(16).padStart(16, "0")} expired or revoked.\n`);
}

function leaseId(word: string): bigint {
  const parsed = parseInt64(word, 16);
  if ("failure" in parsed)
    return badArguments(`bad lease ID arg (${parsed.failure}), expecting ID in Hex`);
  return parsed.value;
}

/** Errors of these calls count as errors of the connection. */
function connecting<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    throw exitErrorOf(error, ExitCode.badConnection);
  });
}

function failing(what: string): (error: unknown) => never {
  return (error) => {
    throw new ExitError(ExitCode.error, `${what} (${errorText(error)})`);
  };
}
