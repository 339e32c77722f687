/**
 * What the members that run already say of their cluster: asked once, before a member without a log starts. A new one
 * asks whether it is known already, for a second; one that joins needs an answer, and asks for ten.
 */
import { decodeMember, type Member, parseInitialCluster } from "../../cluster/index.ts";
import type { RootLogger } from "../../io/bun/index.ts";
import type { Logger } from "../../io/index.ts";
import { fetchPeerPage, type PeerPage, type PeerPageFailure } from "../../peer/index.ts";
import type { RemoteCluster } from "../../server/index.ts";
import type { Config } from "./config.ts";
import { tlsFilesOf } from "./member-options.ts";
import { resolvedUrl } from "./resolved-url.ts";

const NEW_TIMEOUT_MS = 1000;
const EXISTING_TIMEOUT_MS = 10_000;
const OK = 200;

export interface RemoteQuestion {
  readonly state: "new" | "existing";
  /** Of this member, in the settings; none is asked. */
  readonly ownUrls: readonly string[];
  /** Of everybody else in the settings. */
  readonly otherUrls: readonly string[];
  readonly fetch: (
    url: string,
    path: string,
    timeoutMs: number,
  ) => Promise<PeerPage | PeerPageFailure>;
  readonly logger: Logger;
}

/** Undefined when nobody answers with a cluster; the log says why, where that matters. */
export async function askRemoteCluster(
  question: RemoteQuestion,
): Promise<RemoteCluster | undefined> {
  const isJoining = question.state === "existing";
  const found = await fetchMembers(question, isJoining ? EXISTING_TIMEOUT_MS : NEW_TIMEOUT_MS);
  if (found === undefined || !isJoining) return found;
  const all = [...found.members.flatMap((member) => member.peerUrls)];
  const urls = [...new Set([...all, ...question.ownUrls, ...question.otherUrls])];
  const pairs = await Promise.all(urls.map(async (url) => [url, await resolvedUrl(url)] as const));
  const versions = await fetchVersions(question, found.members);
  const members = await withOwnHistory(question, found);
  return { ...found, members, versions, addresses: new Map(pairs) };
}

/** Whoever answered first may lag behind: that this member ran before is true when anybody knows it. */
async function withOwnHistory(
  { fetch, ownUrls }: RemoteQuestion,
  { clusterId, members }: RemoteCluster,
): Promise<readonly Member[]> {
  const self = members.find(({ peerUrls }) => peerUrls.some((url) => ownUrls.includes(url)));
  if (self === undefined || self.name !== "") return members;
  for (const url of members.filter((each) => each !== self).flatMap(({ peerUrls }) => peerUrls)) {
    const page = await fetch(url, "/members", NEW_TIMEOUT_MS);
    const cluster = "error" in page ? null : readCluster(page);
    if (cluster === null || "problem" in cluster || cluster.clusterId !== clusterId) continue;
    const known = cluster.members.find(({ id }) => id === self.id);
    if (known === undefined || known.name === "") continue;
    return members.map((each) => (each === self ? known : each));
  }
  return members;
}

async function fetchMembers(
  { state, otherUrls, fetch, logger }: RemoteQuestion,
  timeoutMs: number,
): Promise<RemoteCluster | undefined> {
  // Nobody can tell a new member anything, mostly: its others start at the same time.
  const warn = state === "existing" ? logger.warn : logger.debug;
  for (const url of [...otherUrls].sort()) {
    const page = await fetch(url, "/members", timeoutMs);
    if ("error" in page) {
      warn("failed to get cluster response", { address: `${url}/members`, error: page.error });
      continue;
    }
    const cluster = readCluster(page);
    if (!("problem" in cluster)) return cluster;
    warn(cluster.problem, { address: `${url}/members`, error: cluster.error });
  }
  return undefined;
}

interface NoCluster {
  readonly problem: string;
  readonly error: string;
}

/** What a /members page says, or why it says nothing. */
export function readCluster({ status, headers, body }: PeerPage): RemoteCluster | NoCluster {
  const problem = "failed to unmarshal cluster response";
  if (status !== OK) return { problem, error: `status ${status}` };
  const members = readMembers(body);
  if (members === null) return { problem, error: "the answer is not a list of members" };
  const id = headers.get("x-etcd-cluster-id") ?? "";
  if (!/^[0-9a-f]{1,16}$/i.test(id)) {
    return { problem: "failed to parse cluster ID", error: `"${id}" is not an id` };
  }
  return { clusterId: BigInt(`0x${id}`), members };
}

/** Ids are numbers of 64 bits, which JSON.parse cannot keep: each member's text is read for itself. */
function readMembers(body: string): Member[] | null {
  const members: Member[] = [];
  for (const row of splitObjects(body) ?? [""]) {
    const member = decodeMember(row);
    if (member === undefined || member.id === 0n) return null;
    members.push(member);
  }
  return members.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The texts of the objects of a JSON array of flat objects; null for anything else. */
function splitObjects(text: string): string[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(parsed)) return null;
  const rows: string[] = [];
  let depth = 0;
  let start = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isInText) {
      if (character === "\\") i++;
      else if (character === '"') isInText = false;
    } else if (character === '"') isInText = true;
    else if (character === "{" && depth++ === 0) start = i;
    else if (character === "}" && --depth === 0) rows.push(text.slice(start, i + 1));
  }
  return rows.length === parsed.length ? rows : null;
}

async function fetchVersions(
  { fetch, ownUrls }: RemoteQuestion,
  members: readonly Member[],
): Promise<Map<bigint, string | null>> {
  const versions = new Map<bigint, string | null>();
  for (const { id, peerUrls } of members) {
    if (peerUrls.some((url) => ownUrls.includes(url))) continue;
    versions.set(id, await fetchVersion(fetch, peerUrls));
  }
  return versions;
}

async function fetchVersion(
  fetch: RemoteQuestion["fetch"],
  urls: readonly string[],
): Promise<string | null> {
  for (const url of urls) {
    const page = await fetch(url, "/version", NEW_TIMEOUT_MS);
    if ("error" in page || page.status !== OK) continue;
    return /"etcdcluster"\s*:\s*"([^"]*)"/.exec(page.body)?.[1] ?? "";
  }
  return null;
}

/** What running members say, as far as the settings name any. */
export async function remoteClusterOf(
  config: Config,
  log: RootLogger,
): Promise<RemoteCluster | undefined> {
  const byName = parseInitialCluster(config["initial-cluster"]);
  const tlsFiles = tlsFilesOf(config, "peer");
  const others = [...byName].filter(([name]) => name !== config.name);
  return askRemoteCluster({
    state: config["initial-cluster-state"],
    ownUrls: byName.get(config.name) ?? [],
    otherUrls: others.flatMap(([, urls]) => urls),
    fetch: (url, path, timeoutMs) => fetchPeerPage(url, path, tlsFiles, timeoutMs),
    logger: log.named("etcdserver"),
  });
}
