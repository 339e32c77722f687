/**
 * What a command that speaks with a cluster needs: the client, the printer of the chosen format, the timeout. Made
 * after the command has checked its own arguments, because that is the order in which etcdctl complains.
 */
import { EtcdError, errorOfMessage } from "../../api/index.ts";
import {
  type AttemptFailure,
  type CallOptions,
  Client,
  type ClientOptions,
  rpcErrorText,
} from "../../client/index.ts";
import { ExitCode, ExitError, type FlagSet } from "../args/index.ts";
import { goQuoteText } from "../output/index.ts";
import { type ControlContext, logTo } from "./context.ts";
import { applyEnvironment } from "./environment-flags.ts";
import { askPassword } from "./password-prompt.ts";
import { newPrinter, type Printer } from "./printer.ts";
import { tlsOptions } from "./tls-flags.ts";

export interface Session {
  readonly context: ControlContext;
  readonly client: Client;
  readonly printer: Printer;
  readonly endpoints: readonly string[];
  /** For calls that --command-timeout bounds. */
  readonly bounded: CallOptions;
}

/** Runs `work` with a session and closes it, whatever happens. Errors of calls end the program with code 1. */
export async function withSession(
  context: ControlContext,
  flags: FlagSet,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await openSession(context, flags);
  try {
    await work(session);
  } catch (error) {
    throw exitErrorOf(error, ExitCode.error);
  } finally {
    session.client.close();
  }
}

export async function openSession(context: ControlContext, flags: FlagSet): Promise<Session> {
  applyEnvironment(context, flags);
  if (flags.flag("debug")) describeFlags(context, flags);
  const endpoints = flags.list("endpoints");
  refuseDiscovery(flags);
  const tls = tlsOptions(context, flags);
  const credentials = await credentialsOf(context, flags);
  const printer = newPrinter(flags.text("write-out"), flags.flag("hex"));
  if (endpoints.length === 0) {
    throw new ExitError(ExitCode.badConnection, "etcdclient: no available endpoints");
  }
  const options: ClientOptions = {
    clock: context.clock,
    endpoints,
    tls,
    dialTimeoutMs: flags.number("dial-timeout"),
    keepaliveTimeMs: flags.number("keepalive-time"),
    keepaliveTimeoutMs: flags.number("keepalive-timeout"),
    ...credentials,
    ...sizeLimits(flags),
    onAttemptFailed: (failure) => logAttempt(context, failure),
  };
  const client = new Client(options);
  try {
    await client.logIn();
  } catch (error) {
    client.close();
    throw exitErrorOf(error, ExitCode.badConnection);
  }
  const bounded = { timeoutMs: flags.number("command-timeout") };
  return { context, client, printer, endpoints, bounded };
}

/** An error as etcdctl shows it: etcd's own texts bare, everything else with its code. */
export function errorText(error: unknown): string {
  if (!(error instanceof EtcdError)) return error instanceof Error ? error.message : String(error);
  const known = errorOfMessage(error.message) !== undefined;
  return known ? error.message : rpcErrorText(error.code, error.message);
}

export function exitErrorOf(error: unknown, code: number): unknown {
  return error instanceof EtcdError ? new ExitError(code, errorText(error)) : error;
}

async function credentialsOf(
  context: ControlContext,
  flags: FlagSet,
): Promise<{ user?: string; password?: string; token?: string }> {
  const user = flags.text("user");
  const password = flags.text("password");
  const token = flags.text("auth-jwt-token");
  if (token !== "") return { token };
  if (user === "") return {};
  if (password !== "") return { user, password };
  const colon = user.indexOf(":");
  if (colon < 0) return { user, password: await askPassword(context.io) };
  return { user: user.slice(0, colon), password: user.slice(colon + 1) };
}

function sizeLimits(flags: FlagSet): { sendBytesMax?: number; receiveBytesMax?: number } {
  const send = flags.number("max-request-bytes");
  const receive = flags.number("max-recv-bytes");
  return {
    ...(send > 0 ? { sendBytesMax: send } : {}),
    ...(receive > 0 ? { receiveBytesMax: receive } : {}),
  };
}

function refuseDiscovery(flags: FlagSet): void {
  if (flags.text("discovery-srv") === "") return;
  throw new ExitError(ExitCode.badFeature, "--discovery-srv is not supported, name the endpoints");
}

function logAttempt(context: ControlContext, failure: AttemptFailure): void {
  const { peer } = failure;
  const shown =
    peer === null
      ? "Peer{Addr: <nil>, LocalAddr: <nil>, AuthInfo: <nil>}"
      : `Peer{Addr: '${peer.remote}', LocalAddr: '${peer.local}', ` +
        `AuthInfo: '${peer.tls ? "tls" : "insecure"}'}`;
  logTo(context, {
    level: "warn",
    logger: "etcd-client",
    caller: "client/caller.ts",
    message: "retrying of unary invoker failed",
    fields: [
      ["target", `etcd-endpoints:///${failure.endpoint.replace(/^[a-z]+:\/\//, "")}`],
      ["peer", shown],
      ["attempt", failure.attempt],
      ["error", rpcErrorText(failure.code, failure.description)],
    ],
  });
}

const SECRET_FLAGS: readonly string[] = ["password", "user", "auth-jwt-token"];

function describeFlags(context: ControlContext, flags: FlagSet): void {
  for (const { name, persistent, kind } of flags.specs()) {
    if (!persistent) continue;
    const variable = `ETCDCTL_${name.toUpperCase().replaceAll("-", "_")}`;
    let shown = kind === "list" ? `[${flags.list(name).join(",")}]` : String(flags.text(name));
    if (kind === "duration") shown = `${flags.number(name)}ms`;
    if (SECRET_FLAGS.includes(name) && shown !== "") shown = goQuoteText("***");
    context.io.stderr.write(`${variable}=${shown}\n`);
  }
}
