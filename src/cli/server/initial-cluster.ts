/**
 * --initial-cluster against --initial-advertise-peer-urls: this member's URLs must be the same in both, by text or by
 * the addresses that their hosts have. The text in --initial-cluster is what the member's id is made of. A member that
 * has a log already is asked nothing: its log says who it is.
 */
import { lookup } from "node:dns/promises";
import { existsSync, readdirSync } from "node:fs";
import type { Config } from "./config.ts";
import { ConfigProblem } from "./config-problem.ts";
import { parseFlagUrl } from "./urls.ts";

/** URLs by member name, in order. */
function initialUrls(text: string): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    const url = equals < 0 ? "" : part.slice(equals + 1).trim();
    byName.set(name, [...(byName.get(name) ?? []), url]);
  }
  return byName;
}

export function ownInitialUrls(config: Config): string[] {
  return [...(initialUrls(config["initial-cluster"]).get(config.name) ?? [])].sort();
}

export async function initialPeerProblem(config: Config): Promise<ConfigProblem | null> {
  if (hasLog(config["wal-dir"])) return null;
  const byName = initialUrls(config["initial-cluster"]);
  for (const url of [...byName.values()].flat()) {
    const parsed = parseFlagUrl(url);
    if ("failure" in parsed) return start(`error setting up initial cluster: ${parsed.failure}`);
  }
  const { name } = config;
  if (!byName.has(name)) {
    return start(`couldn't find local name "${name}" in the initial cluster configuration`);
  }
  if (config["initial-cluster-state"] === "existing") return null;
  const own = await compare(name, ownInitialUrls(config), config["initial-advertise-peer-urls"]);
  return own ?? duplicateProblem(byName);
}

function duplicateProblem(byName: ReadonlyMap<string, readonly string[]>): ConfigProblem | null {
  const all = [...byName.values()].flat();
  if (new Set(all).size === all.length) return null;
  const text = [...byName].sort().flatMap(([owner, urls]) => urls.map((url) => `${owner}=${url}`));
  return start(`initial cluster ${text.join(",")} has duplicate url`);
}

async function compare(
  name: string,
  own: readonly string[],
  advertised: readonly string[],
): Promise<ConfigProblem | null> {
  if (own.join() === advertised.join()) return null;
  const resolvedOwn = (await Promise.all(own.map(resolved))).sort();
  const resolvedAdvertised = (await Promise.all(advertised.map(resolved))).sort();
  if (resolvedOwn.join() === resolvedAdvertised.join()) return null;
  const missing = own.filter((url) => !advertised.includes(url));
  if (missing.length === 0) {
    const extra = advertised.filter((url) => !own.includes(url)).join();
    const cluster = advertised.map((url) => `${name}=${url}`).join();
    return start(
      `--initial-advertise-peer-urls has ${extra} but missing from --initial-cluster=${cluster}`,
    );
  }
  const at = resolvedOwn.findIndex((url, i) => url !== resolvedAdvertised[i]);
  const why = `resolved urls: "${resolvedAdvertised[at]}" != "${resolvedOwn[at]}"`;
  return start(
    `--initial-cluster has ${missing.map((url) => `${name}=${url}`).join()} but missing from ` +
      `--initial-advertise-peer-urls=${advertised.join()} (${why})`,
  );
}

/** The URL with its host as an address; localhost stays, as the same name on both sides mostly is. */
async function resolved(text: string): Promise<string> {
  const url = parseFlagUrl(text);
  if ("failure" in url || url.host === "" || url.host === "localhost") return text;
  try {
    const { address } = await lookup(url.host, { family: 4 });
    return `${url.scheme}://${address}:${url.port}`;
  } catch {
    return text; // a name that nobody knows equals only itself
  }
}

function hasLog(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => name.endsWith(".wal"));
}

function start(message: string): ConfigProblem {
  return new ConfigProblem("start", message);
}
