/** From what was given to a checked configuration, with etcd's refusals. The whole is held against a zod schema. */
import { z } from "zod";
import { adoptDefaultHost, type DefaultHost } from "./adopt-default-host.ts";
import { configProblem } from "./config-checks.ts";
import { ConfigProblem } from "./config-problem.ts";
import type { FlagRow } from "./flag-row.ts";
import { FLAGS } from "./flag-table.ts";
import { type FlagValue, readValue } from "./flag-values.ts";
import { type GivenFlags, warnOf } from "./given-flags.ts";

const urls = z.array(z.string());
const schema = z.object({
  name: z.string(),
  "data-dir": z.string(),
  "wal-dir": z.string(),
  "snapshot-count": z.number(),
  "snapshot-catchup-entries": z.number(),
  "heartbeat-interval": z.number(),
  "election-timeout": z.number(),
  "listen-peer-urls": urls,
  "listen-client-urls": urls,
  "listen-client-http-urls": urls,
  "listen-metrics-urls": urls,
  "initial-advertise-peer-urls": urls,
  "advertise-client-urls": urls,
  "initial-cluster": z.string(),
  "initial-cluster-state": z.enum(["new", "existing"]),
  discovery: z.string(),
  "discovery-srv": z.string(),
  "discovery-srv-name": z.string(),
  "discovery-endpoints": z.array(z.string()),
  "initial-cluster-token": z.string(),
  "force-new-cluster": z.boolean(),
  "initial-election-tick-advance": z.boolean(),
  "pre-vote": z.boolean(),
  "linearizable-read-mode": z.enum(["read-index", "leader-lease"]),
  "clock-drift-max": z.number(),
  "raft-read-timeout": z.number(),
  "quota-backend-bytes": z.number(),
  "backend-batch-interval": z.number(),
  "backend-batch-limit": z.number(),
  "max-txn-ops": z.number(),
  "max-request-bytes": z.number(),
  "strict-reconfig-check": z.boolean(),
  "max-learners": z.number(),
  "max-concurrent-streams": z.number(),
  "enable-grpc-gateway": z.boolean(),
  "grpc-keepalive-min-time": z.number(),
  "grpc-keepalive-interval": z.number(),
  "grpc-keepalive-timeout": z.number(),
  "page-cache-bytes": z.number(),
  "auto-compaction-mode": z.string(),
  "auto-compaction-retention": z.string(),
  "cert-file": z.string(),
  "key-file": z.string(),
  "client-cert-auth": z.boolean(),
  "trusted-ca-file": z.string(),
  "client-crl-file": z.string(),
  "client-cert-allowed-hostname": z.array(z.string()),
  "peer-cert-file": z.string(),
  "peer-key-file": z.string(),
  "peer-client-cert-auth": z.boolean(),
  "peer-trusted-ca-file": z.string(),
  "peer-crl-file": z.string(),
  "peer-cert-allowed-cn": z.array(z.string()),
  "peer-cert-allowed-hostname": z.array(z.string()),
  "peer-skip-client-san-verification": z.boolean(),
  "peer-client-cert-file": z.string(),
  "peer-client-key-file": z.string(),
  "cipher-suites": z.array(z.string()),
  "tls-min-version": z.string(),
  "tls-max-version": z.string(),
  cors: z.array(z.string()),
  "host-whitelist": z.array(z.string()),
  metrics: z.string(),
  "log-outputs": z.array(z.string()),
  logger: z.string(),
  "log-level": z.string(),
  "log-format": z.string(),
  "corrupt-check-time": z.number(),
  "compact-hash-check-time": z.number(),
  "watch-progress-notify-interval": z.number(),
  "feature-gates": z.string(),
  "warning-apply-duration": z.number(),
});

/** Flags by name; durations in milliseconds, lists split. */
export type Config = z.infer<typeof schema>;

export interface MadeConfig {
  readonly config: Config;
  /** What is said before anything else: what was given, and what is worth a warning about it. */
  readonly notices: GivenFlags["notices"];
}

/** `defaultHost` is asked only where a listener is on all addresses and the advertised URL was left alone. */
export function makeConfig(
  given: GivenFlags,
  defaultHost: DefaultHost = () => undefined,
): MadeConfig | ConfigProblem {
  const values: Record<string, FlagValue> = {};
  for (const flag of FLAGS.values()) {
    values[flag.name] = checkedValue(flag, given.values.get(flag.name) ?? flag.fallback);
  }
  fillDefaults(values, given, defaultHost);
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const message = `invalid value for --${issue.path.join(".")}: ${issue.message}`;
    return new ConfigProblem("verify", message);
  }
  const config = parsed.data;
  const problem = configProblem(config, given) ?? supportProblem(given);
  if (problem !== null) return problem;
  if ((given.values.get("data-dir") ?? "") === "") {
    const fields = { "data-dir": config["data-dir"] };
    warnOf(given, "'data-dir' was empty; using default", fields);
  }
  return { config, notices: given.notices };
}

/** What is asked for must be there; what means nothing here is at least said. */
function supportProblem(given: GivenFlags): ConfigProblem | null {
  for (const [name, text] of given.values) {
    const flag = FLAGS.get(name)!;
    if (flag.support === "yes") continue;
    if (JSON.stringify(checkedValue(flag, text)) === defaultJson(flag)) continue;
    if (flag.support === "later") {
      const message = `--${name}=${text} is not supported by this version of cairn`;
      return new ConfigProblem("verify", message);
    }
    warnOf(given, `--${name} has no effect in cairn`);
  }
  return null;
}

function checkedValue(flag: FlagRow, text: string): FlagValue {
  const parsed = readValue(flag, text);
  if ("value" in parsed) return parsed.value;
  throw new Error(`--${flag.name}=${text} was not checked: ${parsed.failure}`);
}

function defaultJson(flag: FlagRow): string {
  return JSON.stringify(checkedValue(flag, flag.fallback));
}

function fillDefaults(
  values: Record<string, FlagValue>,
  given: GivenFlags,
  defaultHost: DefaultHost,
): void {
  adoptDefaultHost(values, given, defaultHost);
  if (values["data-dir"] === "") values["data-dir"] = `${values.name}.etcd`;
  if (values["wal-dir"] === "") values["wal-dir"] = `${values["data-dir"]}/member/wal`;
  if (values["snapshot-count"] === 0) values["snapshot-count"] = 10_000;
  if (values["backend-batch-interval"] === 0) values["backend-batch-interval"] = 100;
  if (values["backend-batch-limit"] === 0) values["backend-batch-limit"] = 10_000;
  if (values["auto-compaction-retention"] === "") values["auto-compaction-retention"] = "0";
  if (!given.values.has("initial-cluster")) {
    const peers = values["initial-advertise-peer-urls"] as string[];
    values["initial-cluster"] = peers.map((url) => `${values.name || "default"}=${url}`).join(",");
  }
}
