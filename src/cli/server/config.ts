/** From raw flags to a checked configuration, with etcd's refusals. Cross-checked values are parsed with zod. */
import { z } from "zod";
import { FLAGS } from "./flag-table.ts";
import { parseBoolean, parseDurationMs, parseInteger } from "./go-values.ts";
import { ConfigProblem, type GivenFlags } from "./parse-flags.ts";

const urls = z.array(z.string());
const schema = z.object({
  name: z.string(),
  "data-dir": z.string(),
  "wal-dir": z.string(),
  "snapshot-count": z.number(),
  "snapshot-catchup-entries": z.number(),
  "heartbeat-interval": z.number().min(1),
  "election-timeout": z.number().min(1),
  "listen-peer-urls": urls,
  "listen-client-urls": urls,
  "listen-client-http-urls": urls,
  "listen-metrics-urls": urls,
  "initial-advertise-peer-urls": urls,
  "advertise-client-urls": urls,
  "initial-cluster": z.string(),
  "initial-cluster-state": z.enum(["new", "existing"]),
  "initial-cluster-token": z.string(),
  "max-snapshots": z.number(),
  "quota-backend-bytes": z.number(),
  "backend-batch-interval": z.number(),
  "backend-batch-limit": z.number(),
  "max-txn-ops": z.number(),
  "max-request-bytes": z.number(),
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
  "peer-cert-file": z.string(),
  "peer-key-file": z.string(),
  "peer-client-cert-auth": z.boolean(),
  "peer-trusted-ca-file": z.string(),
  "peer-crl-file": z.string(),
  "cipher-suites": z.array(z.string()),
  "tls-min-version": z.string(),
  "tls-max-version": z.string(),
  cors: z.array(z.string()),
  "host-whitelist": z.array(z.string()),
  metrics: z.string(),
  "log-outputs": z.array(z.string()),
  "log-level": z.string(),
  "log-format": z.string(),
  "watch-progress-notify-interval": z.number(),
  "feature-gates": z.string(),
  "warning-apply-duration": z.number(),
});

/** Flags by name; durations in milliseconds, lists split. */
export type Config = z.infer<typeof schema> & { readonly warnings: readonly string[] };

export function makeConfig(given: GivenFlags): Config | ConfigProblem {
  const warnings = [...given.warnings];
  const values: Record<string, unknown> = {};
  for (const flag of FLAGS.values()) {
    const text = given.values.get(flag.name) ?? flag.fallback;
    values[flag.name] = typedValue(flag.kind, text);
    if (!given.values.has(flag.name)) continue;
    if (flag.support === "ignored") warnings.push(`--${flag.name} has no effect in cairn`);
    if (flag.support === "later" && !sameValue(flag.kind, text, flag.fallback)) {
      return new ConfigProblem(`--${flag.name}=${text} is not supported by this version of cairn`);
    }
  }
  fillDefaults(values, given, warnings);
  const parsed = schema.safeParse(values);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    return new ConfigProblem(`invalid value for --${issue.path.join(".")}: ${issue.message}`);
  }
  const config: Config = { ...parsed.data, warnings };
  return problemOf(config, given) ?? config;
}

function typedValue(kind: string, text: string): unknown {
  switch (kind) {
    case "bool":
      return parseBoolean(text);
    case "uint":
    case "int":
      return parseInteger(text);
    case "duration":
      return parseDurationMs(text);
    case "urls":
      return splitList(text).sort();
    case "list":
      return splitList(text);
    default:
      return text;
  }
}

function splitList(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return [...new Set(parts.filter((part) => part !== ""))];
}

function sameValue(kind: string, a: string, b: string): boolean {
  return JSON.stringify(typedValue(kind, a)) === JSON.stringify(typedValue(kind, b));
}

function fillDefaults(
  values: Record<string, unknown>,
  given: GivenFlags,
  warnings: string[],
): void {
  if (values["data-dir"] === "") {
    values["data-dir"] = `${values.name}.etcd`;
    warnings.push("'data-dir' was empty; using default");
  }
  if (values["wal-dir"] === "") values["wal-dir"] = `${values["data-dir"]}/member/wal`;
  if (values["snapshot-count"] === 0) values["snapshot-count"] = 10_000;
  if (values["backend-batch-interval"] === 0) values["backend-batch-interval"] = 100;
  if (values["backend-batch-limit"] === 0) values["backend-batch-limit"] = 10_000;
  if (!given.values.has("initial-cluster")) {
    const peers = values["initial-advertise-peer-urls"] as string[];
    values["initial-cluster"] = peers.map((url) => `${values.name}=${url}`).join(",");
  }
}

/** Relations between flags, in etcd's words. */
function problemOf(config: Config, given: GivenFlags): ConfigProblem | null {
  const heartbeat = config["heartbeat-interval"];
  const election = config["election-timeout"];
  if (election < 5 * heartbeat) {
    return new ConfigProblem(
      `--election-timeout[${election}ms] should be at least as 5 times as ` +
        `--heartbeat-interval[${heartbeat}ms]`,
    );
  }
  if (election > 50_000) {
    return new ConfigProblem(
      `--election-timeout[${election}ms] is too long, and should be set less than 50000ms`,
    );
  }
  if (given.values.has("listen-client-urls") && !given.values.has("advertise-client-urls")) {
    return new ConfigProblem(
      "--advertise-client-urls is required when --listen-client-urls is set explicitly",
    );
  }
  const mode = config["auto-compaction-mode"];
  if (mode !== "periodic" && mode !== "revision") {
    return new ConfigProblem(`unknown auto-compaction-mode "${mode}"`);
  }
  return urlProblem(config) ?? levelProblem(config);
}

function urlProblem(config: Config): ConfigProblem | null {
  const bound = [
    ...config["listen-peer-urls"],
    ...config["listen-client-urls"],
    ...config["listen-client-http-urls"],
    ...config["listen-metrics-urls"],
  ];
  for (const text of bound) {
    if (text.startsWith("unix")) continue;
    const host = new URL(text).hostname;
    if (host !== "localhost" && !/^(\d+\.\d+\.\d+\.\d+|\[.*\])$/.test(host)) {
      return new ConfigProblem(`expected IP in URL for binding (${text})`);
    }
  }
  const secure = (text: string) => text.startsWith("https:") || text.startsWith("unixs:");
  const client = [...config["listen-client-urls"], ...config["listen-client-http-urls"]];
  const unkeyed = client.find(secure);
  if (unkeyed !== undefined && (config["cert-file"] === "" || config["key-file"] === "")) {
    return new ConfigProblem(
      `TLS key/cert (--cert-file, --key-file) must be provided for client url ${unkeyed} ` +
        "with HTTPS scheme",
    );
  }
  const metrics = config["listen-metrics-urls"].find(secure);
  if (metrics !== undefined && (config["cert-file"] === "" || config["key-file"] === "")) {
    return new ConfigProblem(
      "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url " +
        metrics,
    );
  }
  const peer = config["listen-peer-urls"].find(secure);
  if (peer !== undefined && (config["peer-cert-file"] === "" || config["peer-key-file"] === "")) {
    return new ConfigProblem(
      `TLS key/cert (--peer-cert-file, --peer-key-file) must be provided for peer url ${peer} ` +
        "with HTTPS scheme",
    );
  }
  return null;
}

const LEVELS = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"];

function levelProblem(config: Config): ConfigProblem | null {
  if (!LEVELS.includes(config["log-level"])) {
    return new ConfigProblem(`unrecognized level: "${config["log-level"]}"`, true);
  }
  if (config["log-format"] !== "json" && config["log-format"] !== "console") {
    return new ConfigProblem(`unknown log format "${config["log-format"]}"`);
  }
  return null;
}
