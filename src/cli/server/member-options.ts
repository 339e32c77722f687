/** From the checked configuration to what a member and its listeners are built from. */
import { DEFAULT_HTTP2_LIMITS, type Http2Limits, type KeepaliveOptions } from "../../http/index.ts";
import { BunClock, BunDisk, BunRandom, newBunDigest, type RootLogger } from "../../io/bun/index.ts";
import type { MemberOptions, RemoteCluster } from "../../server/index.ts";
import type { TlsFiles } from "../../tls/index.ts";
import { byteSizeText } from "../output/byte-size.ts";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { GATES, parseFeatureGates } from "./feature-gates.ts";
import { ownInitialUrls } from "./initial-cluster.ts";
import { retentionOf } from "./retention.ts";

const QUOTA_DEFAULT_BYTES = 2 * 1024 ** 3;
const QUOTA_SUGGESTED_MAX_BYTES = 8 * 1024 ** 3;

export function memberOptions(
  config: Config,
  log: RootLogger,
  remoteCluster: RemoteCluster | undefined,
  hooks: Pick<MemberOptions, "transport" | "onDiskFailure" | "onRemoved">,
): MemberOptions | ConfigProblem {
  const retention = retentionOf(
    config["auto-compaction-mode"],
    config["auto-compaction-retention"],
  );
  if (retention instanceof ConfigProblem) return retention;
  const gates = parseFeatureGates(config["feature-gates"]);
  if (gates instanceof ConfigProblem) return gates;
  return {
    disk: new BunDisk(),
    clock: new BunClock(),
    random: new BunRandom(),
    newDigest: newBunDigest,
    logger: log.named("server/member"),
    name: config.name,
    dataDirectory: config["data-dir"],
    walDirectory: config["wal-dir"],
    initialPeerUrls: ownInitialUrls(config),
    initialCluster: config["initial-cluster"],
    initialClusterState: config["initial-cluster-state"],
    clusterToken: config["initial-cluster-token"],
    remoteCluster,
    forceNewCluster: config["force-new-cluster"],
    pageCacheBytes: config["page-cache-bytes"],
    ...hooks,
    clientUrls: config["advertise-client-urls"],
    electionTimeoutMs: config["election-timeout"],
    heartbeatIntervalMs: config["heartbeat-interval"],
    preVote: config["pre-vote"],
    readMode: config["linearizable-read-mode"] === "leader-lease" ? "lease" : "safe",
    clockDriftMax: config["clock-drift-max"],
    electionTickAdvance: config["initial-election-tick-advance"],
    strictReconfigCheck: config["strict-reconfig-check"],
    learnersMax: Math.max(0, config["max-learners"]),
    requestBytesMax: config["max-request-bytes"],
    txnOperationsMax: config["max-txn-ops"],
    quotaBytes: quotaOf(config, log),
    batchIntervalMs: config["backend-batch-interval"],
    batchWritesMax: config["backend-batch-limit"],
    entriesPerSnapshot: config["snapshot-count"],
    catchupEntries: config["snapshot-catchup-entries"],
    progressIntervalMs: config["watch-progress-notify-interval"],
    retention,
    leaseCheckpoints: gates.get("LeaseCheckpoint") === true,
    corruptionChecks: {
      initial: gates.get("InitialCorruptCheck") === true,
      periodMs: config["corrupt-check-time"],
      compactionPeriodMs: gates.get("CompactHashCheck") ? config["compact-hash-check-time"] : 0,
    },
    features: GATES.map(({ name, stage }) => ({ name, stage, enabled: gates.get(name) === true })),
    slowApplyMs: config["warning-apply-duration"],
  };
}

function quotaOf(config: Config, log: RootLogger): number {
  const quota = config["quota-backend-bytes"];
  if (quota < 0) {
    log.info("disabled backend quota", { "quota-size-bytes": quota });
    return Infinity;
  }
  if (quota > QUOTA_SUGGESTED_MAX_BYTES) {
    log.warn("quota exceeds the maximum value", {
      "quota-size-bytes": quota,
      "quota-size": byteSizeText(quota),
      "quota-maximum-size-bytes": QUOTA_SUGGESTED_MAX_BYTES,
      "quota-maximum-size": byteSizeText(QUOTA_SUGGESTED_MAX_BYTES),
    });
  }
  return quota === 0 ? QUOTA_DEFAULT_BYTES : quota;
}

type Version = "TLS1.2" | "TLS1.3";

/** The TLS files of the client listeners, or of the peer listeners; undefined when there are none. */
export function tlsFilesOf(config: Config, side: "client" | "peer"): TlsFiles | undefined {
  const peer = side === "peer";
  const certFile = config[peer ? "peer-cert-file" : "cert-file"];
  if (certFile === "") return undefined;
  return {
    certFile,
    keyFile: config[peer ? "peer-key-file" : "key-file"],
    trustedCaFile: config[peer ? "peer-trusted-ca-file" : "trusted-ca-file"],
    clientCertAuth: config[peer ? "peer-client-cert-auth" : "client-cert-auth"],
    crlFile: config[peer ? "peer-crl-file" : "client-crl-file"],
    cipherSuites: config["cipher-suites"],
    allowedCommonNames: peer ? config["peer-cert-allowed-cn"] : [],
    allowedHostnames: config[peer ? "peer-cert-allowed-hostname" : "client-cert-allowed-hostname"],
    checkClientAddress: peer && !config["peer-skip-client-san-verification"],
    clientCertFile: peer ? config["peer-client-cert-file"] : "",
    clientKeyFile: peer ? config["peer-client-key-file"] : "",
    minVersion: config["tls-min-version"] as Version,
    maxVersion: config["tls-max-version"] as "" | Version,
  };
}

export function limitsOf(config: Config): Http2Limits {
  return { ...DEFAULT_HTTP2_LIMITS, maxConcurrentStreams: config["max-concurrent-streams"] };
}

export function keepaliveOf(config: Config): KeepaliveOptions {
  return {
    minIntervalMs: config["grpc-keepalive-min-time"],
    permitWithoutStream: false,
    intervalMs: config["grpc-keepalive-interval"],
    timeoutMs: config["grpc-keepalive-timeout"],
  };
}
