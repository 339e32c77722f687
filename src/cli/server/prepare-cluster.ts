/** What a member without a log asks of the network before it can decide how it starts: DNS, then other members. */
import { Resolver } from "node:dns/promises";
import type { RootLogger } from "../../io/bun/index.ts";
import type { RemoteCluster } from "../../server/index.ts";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { discoverCluster, type SrvResolver } from "./discover-srv.ts";
import { hasLog } from "./initial-cluster.ts";
import { remoteClusterOf } from "./remote-cluster.ts";

/** The configuration with the members that DNS names; as it is where a log or --initial-cluster says who they are. */
export async function withDiscoveredMembers(
  config: Config,
  log: RootLogger,
  resolver: SrvResolver = new Resolver(),
): Promise<Config | ConfigProblem> {
  if (config["discovery-srv"] === "" || hasLog(config["wal-dir"])) return config;
  const found = await discoverCluster({
    name: config.name,
    domain: config["discovery-srv"],
    serviceSuffix: config["discovery-srv-name"],
    advertisedUrls: config["initial-advertise-peer-urls"],
    resolver,
    logger: log.named("embed"),
  });
  if (typeof found === "string") return { ...config, "initial-cluster": found };
  return new ConfigProblem("start", `error setting up initial cluster: ${found.failure}`);
}

/** What running members say; nobody is asked by a member that has a log. */
export async function runningCluster(
  config: Config,
  log: RootLogger,
): Promise<RemoteCluster | undefined> {
  return hasLog(config["wal-dir"]) ? undefined : remoteClusterOf(config, log);
}
