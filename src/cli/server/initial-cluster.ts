/**
 * --initial-cluster against --initial-advertise-peer-urls: this member's URLs must be the same in both, by text or by
 * the addresses that their hosts have. The text in --initial-cluster is what the member's id is made of. A member that
 * has a log already is asked nothing: its log says who it is.
 */
import { existsSync, readdirSync } from "node:fs";
import { initialClusterText, parseInitialCluster } from "../../cluster/index.ts";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { resolvedUrl } from "./resolved-url.ts";
import { parseFlagUrl } from "./urls.ts";

/** By the initial cluster, whose texts make the id; a member that has a log need not be named there any more. */
export function ownInitialUrls(config: Config): readonly string[] {
  const urls = parseInitialCluster(config["initial-cluster"]).get(config.name);
  return urls === undefined ? config["initial-advertise-peer-urls"] : [...urls].sort();
}

export async function initialPeerProblem(config: Config): Promise<ConfigProblem | null> {
  if (hasLog(config["wal-dir"])) return null;
  const byName = parseInitialCluster(config["initial-cluster"]);
  for (const url of [...byName.values()].flat()) {
    const parsed = parseFlagUrl(url);
    if ("failure" in parsed) return start(`error setting up initial cluster: ${parsed.failure}`);
  }
  const { name } = config;
  if (!byName.has(name)) {
    return start(`couldn't find local name "${name}" in the initial cluster configuration`);
  }
  if (config["initial-cluster-state"] === "existing") return duplicateProblem(byName);
  const own = await compare(name, ownInitialUrls(config), config["initial-advertise-peer-urls"]);
  return own ?? duplicateProblem(byName);
}

function duplicateProblem(byName: ReadonlyMap<string, readonly string[]>): ConfigProblem | null {
  const all = [...byName.values()].flat();
  if (new Set(all).size === all.length) return null;
  return start(`initial cluster ${initialClusterText(byName)} has duplicate url`);
}

async function compare(
  name: string,
  own: readonly string[],
  advertised: readonly string[],
): Promise<ConfigProblem | null> {
  if (own.join() === advertised.join()) return null;
  const resolvedOwn = (await Promise.all(own.map(resolvedUrl))).sort();
  const resolvedAdvertised = (await Promise.all(advertised.map(resolvedUrl))).sort();
  if (resolvedOwn.join() === resolvedAdvertised.join()) return null;
  const at = resolvedOwn.findIndex((url, i) => url !== resolvedAdvertised[i]);
  const why =
    own.length === advertised.length
      ? `resolved urls: "${resolvedAdvertised[at]}" != "${resolvedOwn[at]}"`
      : `len(${quoted(advertised)}) != len(${quoted(own)})`;
  const missing = own.filter((url) => !advertised.includes(url));
  if (missing.length > 0) {
    return start(
      `--initial-cluster has ${missing.map((url) => `${name}=${url}`).join()} but missing from ` +
        `--initial-advertise-peer-urls=${advertised.join()} (${why})`,
    );
  }
  const given = advertised.map((url) => `${name}=${url}`).join();
  const extra = advertised.filter((url) => !own.includes(url)).join();
  if (extra === "") {
    return start(
      `failed to resolve ${advertised.join()} to match --initial-cluster=${given} (${why})`,
    );
  }
  return start(
    `--initial-advertise-peer-urls has ${extra} but missing from --initial-cluster=${given}`,
  );
}

export function hasLog(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.endsWith(".wal"));
}

function quoted(urls: readonly string[]): string {
  return `[${urls.map((url) => `"${url}"`).join(" ")}]`;
}

function start(message: string): ConfigProblem {
  return new ConfigProblem("start", message);
}
