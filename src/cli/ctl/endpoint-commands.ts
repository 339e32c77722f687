/** `endpoint`: health, status, hashkv, each asked of every endpoint by itself. */
import { AlarmType, EtcdError, errPermissionDenied } from "../../api/index.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Client } from "../../client/index.ts";
import {
  boolFlag,
  type Command,
  durationText,
  ExitCode,
  ExitError,
  type FlagSet,
  int64Flag,
} from "../args/index.ts";
import type { ControlContext } from "./context.ts";
import type { EndpointHash, EndpointHealth, EndpointStatus } from "./printer.ts";
import { alarmName } from "./printers/alarm-text.ts";
import { errorText, type Session, withSession } from "./session.ts";

const health: Command<ControlContext> = {
  name: "health",
  short: "Tells whether members work, by a read through the log",
  async run(context, flags) {
    await withSession(context, flags, async (session) => {
      const endpoints = await chosenEndpoints(session, flags);
      const finished: EndpointHealth[] = [];
      // In the order in which they answer.
      await Promise.all(
        endpoints.map(async (endpoint) => finished.push(await healthOf(session, endpoint))),
      );
      const { out, errors } = session.printer.endpointHealth(finished);
      context.io.stdout.write(out);
      context.io.stderr.write(errors);
      if (finished.some((each) => each.error !== "")) {
        throw new ExitError(ExitCode.error, "unhealthy cluster");
      }
    });
  },
};

const status: Command<ControlContext> = {
  name: "status",
  short: "Prints the state of members",
  long:
    "The format simple prints one line for each endpoint, with its columns separated by commas:\n" +
    "endpoint, ID, version, db size, is leader, is learner, raft term, raft index, " +
    "raft applied index, errors.",
  async run(context, flags) {
    await withSession(context, flags, async (session) => {
      const answers: EndpointStatus[] = [];
      let failed = false;
      for (const endpoint of await chosenEndpoints(session, flags)) {
        try {
          const answer = await onlyWith(session, endpoint, (client) =>
            client.maintenance.status(session.bounded),
          );
          answers.push({ endpoint, status: answer });
        } catch (error) {
          failed = true;
          complain(context, `Failed to get the status of endpoint ${endpoint}`, error);
        }
      }
      context.io.stdout.write(session.printer.endpointStatus(answers));
      if (failed) throw new ExitError(ExitCode.error, null);
    });
  },
};

const hashKv: Command<ControlContext> = {
  name: "hashkv",
  short: "Prints a hash over the keys and their history, for comparing members",
  flags: [int64Flag("rev", "last revision that counts (default: all)")],
  async run(context, flags) {
    await withSession(context, flags, async (session) => {
      const answers: EndpointHash[] = [];
      let failure: string | null = null;
      for (const endpoint of await chosenEndpoints(session, flags)) {
        try {
          const hash = await onlyWith(session, endpoint, (client) =>
            client.maintenance.hashKv({ revision: flags.number("rev") }, session.bounded),
          );
          answers.push({ endpoint, hash });
        } catch (error) {
          failure = errorText(error);
          complain(context, `Failed to get the hash of endpoint ${endpoint}`, error);
        }
      }
      context.io.stdout.write(session.printer.endpointHash(answers));
      if (failure !== null) throw new ExitError(ExitCode.error, failure);
    });
  },
};

export const endpointCommand: Command<ControlContext> = {
  name: "endpoint",
  usage: "<subcommand>",
  short: "Commands about endpoints",
  flags: [{ ...boolFlag("cluster", "ask all endpoints that the members name"), persistent: true }],
  commands: [health, status, hashKv],
};

/** The endpoints of the command line, or with --cluster those that the members advertise. */
export async function chosenEndpoints(session: Session, flags: FlagSet): Promise<string[]> {
  if (!flags.flag("cluster")) return [...session.endpoints];
  try {
    const answer = await session.client.cluster.memberList({ linearizable: true }, session.bounded);
    return answer.members.flatMap((member) => member.clientURLs);
  } catch (error) {
    throw new ExitError(
      ExitCode.error,
      `failed to fetch endpoints from etcd cluster member list: ${errorText(error)}`,
    );
  }
}

/** Runs a call against one endpoint and nothing else. */
export async function onlyWith<T>(
  session: Session,
  endpoint: string,
  call: (client: Client) => Promise<T>,
): Promise<T> {
  const client = session.client.only(endpoint);
  try {
    await client.logIn();
    return await call(client);
  } finally {
    client.close();
  }
}

export function complain(context: ControlContext, what: string, error: unknown): void {
  context.io.stderr.write(`${what} (${errorText(error)})\n`);
}

async function healthOf(session: Session, endpoint: string): Promise<EndpointHealth> {
  const { clock } = session.context;
  const startedMs = clock.monotonicMs();
  let took = "";
  const error = await onlyWith(session, endpoint, async (client) => {
    const failure = await probe(client, session);
    took = durationText(clock.monotonicMs() - startedMs);
    return failure ?? (await activeAlarms(client, session));
  }).catch(errorText);
  if (took === "") took = durationText(clock.monotonicMs() - startedMs);
  return { endpoint, health: error === "", took, error };
}

/** Null when the member answered; being forbidden to read is an answer too. */
async function probe(client: Client, session: Session): Promise<string | null> {
  try {
    await client.kv.range({ key: utf8("health") }, session.bounded);
    return null;
  } catch (error) {
    const denied = error instanceof EtcdError && error.message === errPermissionDenied.message;
    return denied ? null : errorText(error);
  }
}

const REPORTED_ALARMS: readonly number[] = [AlarmType.NOSPACE, AlarmType.CORRUPT];

async function activeAlarms(client: Client, session: Session): Promise<string> {
  try {
    const { alarms } = await client.maintenance.alarm({}, session.bounded);
    if (alarms.length === 0) return "";
    const names = alarms.map(({ alarm }) =>
      REPORTED_ALARMS.includes(alarm) ? `${alarmName(alarm)} ` : "UNKNOWN ",
    );
    return `Active Alarm(s): ${names.join("")}`;
  } catch {
    return "Unable to fetch the alarm list";
  }
}
