/** The flags of every workload that speaks with a server, and the target they name. */
import { EtcdError } from "../../api/index.ts";
import { Client, parseEndpoint } from "../../client/index.ts";
import { boolFlag, durationFlag, type FlagSet, type FlagSpec, stringFlag } from "../args/index.ts";
import { tlsOptions } from "../ctl/tls-flags.ts";
import type { BenchContext } from "./context.ts";
import type { Target } from "./load/connection-set.ts";
import { badFlag, countFlag } from "./number-flags.ts";

export const CLIENTS_MAX = 100_000;
export const CONNECTIONS_MAX = 10_000;

export const CONNECTION_FLAGS: readonly FlagSpec[] = [
  {
    name: "endpoints",
    kind: "list",
    default: "127.0.0.1:2379",
    usage: "members to put load on, comma separated; connections are spread over them",
  },
  countFlag("conns", "how many connections to open", 1),
  durationFlag("dial-timeout", "how long one attempt to connect may take", "5s"),
  stringFlag("cacert", "file with the certificates that servers must be signed by"),
  stringFlag("cert", "file with the client's TLS certificate"),
  stringFlag("key", "file with the key of the client's certificate"),
  boolFlag("insecure-skip-tls-verify", "accept any server certificate (for tests only)"),
  { ...boolFlag("insecure-transport", "speak without TLS unless asked for"), default: "true" },
  stringFlag("user", "name:password to log in with"),
];

export async function targetOf(context: BenchContext, flags: FlagSet): Promise<Target> {
  const endpoints = flags.list("endpoints");
  if (endpoints.length === 0) badFlag("--endpoints names no member");
  const tls = tlsOptions(context, flags);
  for (const endpoint of endpoints) {
    const parsed = parseEndpoint(endpoint, tls !== undefined);
    if ("failure" in parsed) badFlag(parsed.failure);
  }
  const dialTimeoutMs = flags.number("dial-timeout");
  if (dialTimeoutMs <= 0) badFlag("--dial-timeout must be above zero");
  const target: Target = { endpoints, tls, token: null, dialTimeoutMs };
  const user = flags.text("user");
  return user === "" ? target : { ...target, token: await logIn(context, target, user) };
}

async function logIn(context: BenchContext, target: Target, user: string): Promise<string> {
  const colon = user.indexOf(":");
  if (colon <= 0) badFlag("--user must be name:password");
  const { endpoints, tls, dialTimeoutMs } = target;
  const client = new Client({ clock: context.clock, endpoints, tls, dialTimeoutMs });
  try {
    const credentials = { name: user.slice(0, colon), password: user.slice(colon + 1) };
    const answer = await client.auth.authenticate(credentials, { timeoutMs: dialTimeoutMs });
    return answer.token;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return badFlag(`cannot log in: ${error.message}`);
  } finally {
    client.close();
  }
}
