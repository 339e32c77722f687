/** Relations between settings, asked in etcd's order and refused in etcd's words. */
import { cipherList } from "../../tls/index.ts";
import { goQuoteText } from "../output/go-quote.ts";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { parseFeatureGates } from "./feature-gates.ts";
import type { GivenFlags } from "./given-flags.ts";
import { retentionOf } from "./retention.ts";
import { isBindable, isSecureUrl, parseFlagUrl } from "./urls.ts";

const ELECTION_TIMEOUT_MS_MAX = 50_000;
const LEVELS = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"];
const PORT_MAX = 65_535;

export function configProblem(config: Config, given: GivenFlags): ConfigProblem | null {
  return (
    logProblem(config) ??
    bindProblem(config) ??
    bootstrapProblem(config, given) ??
    timingProblem(config) ??
    advertiseProblem(given) ??
    modeProblem(config) ??
    versionProblem(config) ??
    gateProblem(config) ??
    listenProblem(config) ??
    allowedNamesProblem(config) ??
    suiteProblem(config) ??
    retentionProblem(config)
  );
}

function verify(message: string): ConfigProblem {
  return new ConfigProblem("verify", message);
}

function logProblem(config: Config): ConfigProblem | null {
  const { logger } = config;
  if (logger === "capnslog") return verify("--logger=capnslog is removed in v3.5");
  if (logger !== "zap") return verify(`unknown logger option "${logger}"`);
  const outputs = config["log-outputs"];
  if (outputs.length > 1 && outputs.includes("default")) {
    return verify('multi logoutput for "default" is not supported yet');
  }
  if (outputs.length === 0) return verify('open sink "": open : no such file or directory');
  if (outputs.includes("systemd/journal")) {
    return verify("--log-outputs=systemd/journal is not supported by cairn; use stderr");
  }
  if (!LEVELS.includes(config["log-level"])) {
    return new ConfigProblem("panic", `unrecognized level: "${config["log-level"]}"`);
  }
  const format = config["log-format"];
  return format === "json" || format === "console" ? null : verify(`unknown log format: ${format}`);
}

function bindProblem(config: Config): ConfigProblem | null {
  const bound = [
    ...config["listen-peer-urls"],
    ...config["listen-client-urls"],
    ...config["listen-client-http-urls"],
    ...config["listen-metrics-urls"],
  ];
  const wrong = bound.find((url) => !isBindable(url));
  return wrong === undefined ? null : verify(`expected IP in URL for binding (${wrong})`);
}

function bootstrapProblem(config: Config, given: GivenFlags): ConfigProblem | null {
  const ways = [
    given.values.has("initial-cluster"),
    config.discovery !== "",
    config["discovery-srv"] !== "",
    config["discovery-endpoints"].length > 0,
  ];
  if (ways.filter(Boolean).length < 2) return null;
  return verify(
    "multiple discovery or bootstrap flags are set. " +
      'Choose one of "initial-cluster", "discovery" or "discovery-srv"',
  );
}

function timingProblem(config: Config): ConfigProblem | null {
  const heartbeat = config["heartbeat-interval"];
  const election = config["election-timeout"];
  if (heartbeat === 0) return verify("--heartbeat-interval must be >0 (set to 0ms)");
  if (election === 0) return verify("--election-timeout must be >0 (set to 0ms)");
  if (election < 5 * heartbeat) {
    return verify(
      `--election-timeout[${election}ms] should be at least as 5 times as ` +
        `--heartbeat-interval[${heartbeat}ms]`,
    );
  }
  if (election <= ELECTION_TIMEOUT_MS_MAX) return null;
  return verify(
    `--election-timeout[${election}ms] is too long, and should be set less than ` +
      `${ELECTION_TIMEOUT_MS_MAX}ms`,
  );
}

/** A configuration file is not held to it (observed on a real member). */
function advertiseProblem(given: GivenFlags): ConfigProblem | null {
  const { values, configFile } = given;
  if (configFile !== "" || !values.has("listen-client-urls")) return null;
  if (values.has("advertise-client-urls")) return null;
  return verify("--advertise-client-urls is required when --listen-client-urls is set explicitly");
}

function modeProblem(config: Config): ConfigProblem | null {
  const mode = config["auto-compaction-mode"];
  if (mode !== "periodic" && mode !== "revision") {
    return verify(`unknown auto-compaction-mode "${mode}"`);
  }
  if (config["compact-hash-check-time"] > 0) return null;
  return verify("--compact-hash-check-time must be >0 (set to 0s)");
}

function versionProblem(config: Config): ConfigProblem | null {
  const minimum = config["tls-min-version"] || "TLS1.2";
  const maximum = config["tls-max-version"];
  for (const version of [minimum, maximum]) {
    if (!["", "TLS1.2", "TLS1.3"].includes(version)) {
      return verify(`unexpected TLS version "${version}" (must be one of: TLS1.2, TLS1.3)`);
    }
  }
  if (maximum !== "" && minimum > maximum) {
    return verify(`min version (${minimum}) is greater than max version (${maximum})`);
  }
  if (minimum !== "TLS1.3" || config["cipher-suites"].length === 0) return null;
  return verify("cipher suites cannot be configured when only TLS1.3 is enabled");
}

function start(message: string): ConfigProblem {
  return new ConfigProblem("start", message);
}

function listenProblem(config: Config): ConfigProblem | null {
  const client = config["listen-client-urls"];
  const http = config["listen-client-http-urls"];
  const metrics = config["listen-metrics-urls"];
  const peer = config["listen-peer-urls"];
  const both = client.find((url) => http.includes(url));
  if (both !== undefined) {
    return start(
      `cannot bind both --client-listen-urls and --client-listen-http-urls on the same url ${both}`,
    );
  }
  for (const url of [...peer, ...client, ...http, ...metrics]) {
    const parsed = parseFlagUrl(url);
    if ("failure" in parsed || parsed.scheme.startsWith("unix")) continue;
    if (parsed.port === "") return start(`listen tcp: address ${parsed.host}: missing port`);
    if (Number(parsed.port) > PORT_MAX) {
      return start(`listen tcp: address ${parsed.port}: invalid port`);
    }
  }
  const pair = "TLS key/cert (--cert-file, --key-file) must be provided for";
  if (config["cert-file"] === "" || config["key-file"] === "") {
    const url = [...client, ...http].find(isSecureUrl);
    if (url !== undefined) return start(`${pair} client url ${url} with HTTPS scheme`);
    const secure = metrics.find(isSecureUrl);
    if (secure !== undefined) return start(`client ${pair} metrics secure url ${secure}`);
  }
  const secure = peer.find(isSecureUrl);
  if (secure === undefined) return null;
  if (config["peer-cert-file"] !== "" && config["peer-key-file"] !== "") return null;
  const address = secure.replace(/^\w+:\/\//, "");
  return start(`cannot listen on TLS for ${address}: KeyFile and CertFile are not presented`);
}

function allowedNamesProblem(config: Config): ConfigProblem | null {
  const names = config["peer-cert-allowed-cn"];
  const hosts = config["peer-cert-allowed-hostname"];
  if (names.length > 0 && hosts.length > 0) {
    const quoted = (list: readonly string[]): string => `[${list.map(goQuoteText).join(" ")}]`;
    return start(
      "AllowedCNs and AllowedHostnames are mutually exclusive " +
        `(cns=${quoted(names)}, hostnames=${quoted(hosts)})`,
    );
  }
  const certificate = config["peer-client-cert-file"];
  const key = config["peer-client-key-file"];
  if ((certificate === "") === (key === "")) return null;
  return start(
    "ClientKeyFile and ClientCertFile must both be present or both absent: " +
      `key: ${key}, cert: ${certificate}]`,
  );
}

function gateProblem(config: Config): ConfigProblem | null {
  const gates = parseFeatureGates(config["feature-gates"]);
  return gates instanceof ConfigProblem ? gates : null;
}

function retentionProblem(config: Config): ConfigProblem | null {
  const retention = retentionOf(
    config["auto-compaction-mode"],
    config["auto-compaction-retention"],
  );
  return retention instanceof ConfigProblem ? retention : null;
}

function suiteProblem(config: Config): ConfigProblem | null {
  const list = cipherList(config["cipher-suites"]);
  return "error" in list ? start(list.error) : null;
}
