/**
 * Runs a member: checks, storage, log, services, listeners, in this order. The only place that joins the real world's
 * ports with the server.
 */

import { ETCD_VERSION } from "../../base/version.ts";
import type { Listener } from "../../http/index.ts";
import { BunClock, BunRandom, type RootLogger } from "../../io/bun/index.ts";
import { DiskError } from "../../io/index.ts";
import { PEER_LIMITS, SocketPeerTransport } from "../../peer/index.ts";
import { Member, RemovedMember, StartProblem } from "../../server/index.ts";
import { readTlsMaterial, TlsConfigError } from "../../tls/index.ts";
import { checkBinds } from "./bind-check.ts";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { dieOfFaults, isDamage } from "./die-of-faults.ts";
import { initialPeerProblem } from "./initial-cluster.ts";
import { makeEdges, makeListeners } from "./listeners.ts";
import { memberOptions, tlsFilesOf } from "./member-options.ts";
import { notifySupervisor } from "./notify.ts";
import { runningCluster, withDiscoveredMembers } from "./prepare-cluster.ts";
import { openFilesMax } from "./process-sample.ts";
import { EXIT_FAILED, failStart } from "./refuse.ts";
import { RunningMember } from "./running-member.ts";
import { startFields } from "./start-fields.ts";
import { isSecureUrl } from "./urls.ts";

/** Left running: the process lives until a signal ends it. */
const STAYS = -1;
/** Descriptors that the member needs for itself; clients get the rest (etcd's number). */
const RESERVED_DESCRIPTORS = 150;

export async function startMember(given: Config, log: RootLogger): Promise<number> {
  const config = await withDiscoveredMembers(given, log);
  if (config instanceof ConfigProblem) return failStart(log, config.message);
  const problem = await checkStart(config, log);
  if (problem !== null) return failStart(log, problem.message);
  const descriptors = openFilesMax() ?? Number.POSITIVE_INFINITY;
  if (descriptors <= RESERVED_DESCRIPTORS) {
    const fields = { limit: descriptors, "recommended-limit": RESERVED_DESCRIPTORS };
    log.fatal("file descriptor limit of etcd process is too low; please set higher", fields);
    return EXIT_FAILED;
  }
  const tls = tlsProblem(config);
  if (tls !== null) {
    log.fatal("listener failed", { error: tls });
    return EXIT_FAILED;
  }
  const remoteCluster = await runningCluster(config, log);
  const transport = peerTransport(config, log);
  const options = memberOptions(config, log, remoteCluster, {
    transport,
    onDiskFailure: (error) => dieOfDisk(log, error),
    onRemoved: () => running.onRemoved(),
  });
  if (options instanceof ConfigProblem) return failStart(log, options.message);
  log.info("starting an etcd server", startFields(config, options));
  dieOfFaults(log);
  const running = new RunningMember(config, log);
  try {
    const member = new Member(options);
    transport.identify(member.memberId, member.clusterId);
    const edges = makeEdges(config, member, options.clock, log);
    const connectionsMax = descriptors - RESERVED_DESCRIPTORS;
    const { peer, client } = makeListeners(
      ...([config, member, transport, edges, options.clock, log, connectionsMax] as const),
    );
    running.run(member, { client, peer });
    // Others are heard before this member is ready: without them it never is.
    await Promise.all(peer.map((listener) => listener.start()));
    await new Promise<void>((ready) => member.start(ready));
    // Nothing is served before the log is replayed and this member's own entries are applied.
    await Promise.all(client.map((listener) => listener.start()));
    announce(config, client, log);
    return STAYS;
  } catch (error) {
    if (error instanceof RemovedMember) return refuseRemoved(log, error);
    return failStart(log, problemText(error));
  }
}

function peerTransport(config: Config, log: RootLogger): SocketPeerTransport {
  const { checkIntervalMs } = PEER_LIMITS;
  // The largest request that is taken must also fit between members.
  const frameBytesMax = Math.max(PEER_LIMITS.frameBytesMax, 2 * config["max-request-bytes"]);
  const silentChecksMax = Math.max(1, Math.ceil(config["raft-read-timeout"] / checkIntervalMs));
  return new SocketPeerTransport({
    clock: new BunClock(),
    logger: log.named("peer"),
    random: new BunRandom(),
    serverVersion: ETCD_VERSION,
    advertisedPeerUrls: config["initial-advertise-peer-urls"],
    leaseSettings: {
      readMode: config["linearizable-read-mode"] === "leader-lease" ? "lease" : "safe",
      electionTimeoutMs: config["election-timeout"],
      heartbeatIntervalMs: config["heartbeat-interval"],
    },
    peerTls: tlsFilesOf(config, "peer"),
    limits: { silentChecksMax, frameBytesMax },
  });
}

/** A removed member never comes back with its old data. */
function refuseRemoved(log: RootLogger, { message }: RemovedMember): number {
  log.warn("data-dir used by this member must be removed", { error: message });
  log.fatal("listener failed", { error: "server is stopping" });
  return EXIT_FAILED;
}

async function checkStart(config: Config, log: RootLogger): Promise<ConfigProblem | null> {
  log.info("configuring peer listeners", { "listen-peer-urls": config["listen-peer-urls"] });
  log.info("configuring client listeners", { "listen-client-urls": config["listen-client-urls"] });
  warnOfUnusedFiles(config, log);
  const peers = await initialPeerProblem(config);
  if (peers !== null) return peers;
  const binds = await checkBinds([
    ...config["listen-peer-urls"],
    ...config["listen-client-urls"],
    ...config["listen-client-http-urls"],
    ...config["listen-metrics-urls"],
  ]);
  return binds ?? prepareDataDirectory(config["data-dir"], log);
}

/** Certificates do not turn TLS on; the scheme does. */
function warnOfUnusedFiles(config: Config, log: RootLogger): void {
  const sides = [
    ["client-url", "cert-file", "key-file", config["listen-client-urls"]],
    ["peer-url", "peer-cert-file", "peer-key-file", config["listen-peer-urls"]],
  ] as const;
  for (const [field, certificate, key, urls] of sides) {
    if (config[certificate] === "" && config[key] === "") continue;
    for (const url of urls.filter((text) => !isSecureUrl(text))) {
      log.warn(
        "scheme is http or unix while key and cert files are present; ignoring key and cert files",
        { [field]: url },
      );
    }
  }
}

/** What is wrong with the files of the secure listeners, before anything is started. */
function tlsProblem(config: Config): string | null {
  const client = [
    ...config["listen-client-urls"],
    ...config["listen-client-http-urls"],
    ...config["listen-metrics-urls"],
  ];
  const sides = [
    ["client", client],
    ["peer", config["listen-peer-urls"]],
  ] as const;
  for (const [side, urls] of sides) {
    if (!urls.some(isSecureUrl)) continue;
    try {
      readTlsMaterial(tlsFilesOf(config, side)!);
    } catch (error) {
      if (!(error instanceof TlsConfigError)) throw error;
      return error.message;
    }
  }
  return null;
}

function announce(config: Config, listeners: readonly Listener[], log: RootLogger): void {
  log.info("ready to serve client requests");
  const apart = config["listen-client-http-urls"];
  const traffic = apart.length === 0 ? "grpc+http" : "grpc";
  const sayUrl = (url: string, kind: string): void => {
    const fields = { traffic: kind, address: url.replace(/^\w+:\/\//, "") };
    if (isSecureUrl(url)) log.info("serving client traffic securely", fields);
    else log.info("serving client traffic insecurely; this is strongly discouraged!", fields);
  };
  for (const url of config["listen-client-urls"]) sayUrl(url, traffic);
  for (const url of apart) sayUrl(url, "http");
  log.debug("listening", { addresses: listeners.map((listener) => listener.address) });
  notifySupervisor(process.env.NOTIFY_SOCKET ?? "", log);
}

/** Expected refusals are one line; anything else is a bug and shows its stack. */
function problemText(error: unknown): string {
  const expected =
    error instanceof StartProblem ||
    isDamage(error) ||
    error instanceof DiskError ||
    error instanceof TlsConfigError;
  const system = (error as NodeJS.ErrnoException).code !== undefined;
  const { message, stack } = error as Error;
  return expected || system ? message : (stack ?? message);
}

/** Acknowledged means on disk: after a failed write or sync nothing may be acknowledged any more, ever. */
function dieOfDisk(log: RootLogger, error: DiskError): void {
  log.fatal("the disk failed; ending before anything unsafe is acknowledged", {
    operation: error.operation,
    path: error.path,
    error: error.message,
  });
  process.exit(EXIT_FAILED);
}
