/**
 * Whether a member may begin in the light of what running members said: it must not be known as one that ran before,
 * and one that joins must find itself and all others in the cluster as its settings name them. Pure; the refusals are
 * etcd's, but for checkNeverStarted.
 */
import { hexId, type Member } from "../cluster/index.ts";
import { StartProblem } from "./start-problem.ts";

/** A cluster as one of its members describes it. */
export interface RemoteCluster {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
  /** The cluster version that each of the others told, null for none. Absent: they are known to be of this version. */
  readonly versions?: ReadonlyMap<bigint, string | null>;
  /** URLs with their hosts as addresses, where that makes a difference. */
  readonly addresses?: ReadonlyMap<string, string>;
}

export type Warn = (message: string, fields: Record<string, unknown>) => void;

/** Nobody who can be asked knows this member as one that ran before. */
export function checkNotBootstrapped(self: bigint, remote: RemoteCluster | undefined): void {
  const known = remote?.members.find(({ id }) => id === self);
  if (known === undefined || known.clientUrls.length === 0) return;
  throw new StartProblem(`member ${hexId(self)} has already been bootstrapped`);
}

/**
 * A member that ran before and comes back without its log does not know for whom it voted and which entries it
 * acknowledged. The others still count on both: under the same id it could elect a leader without writes that were
 * acknowledged. etcd lets it in.
 */
export function checkNeverStarted(self: bigint, remote: RemoteCluster): void {
  const { name, clientUrls, peerUrls } = remote.members.find(({ id }) => id === self)!;
  if (name === "" && clientUrls.length === 0) return;
  const id = hexId(self);
  throw new StartProblem(
    `member ${id} (${name}) of this cluster has run before, but its write-ahead log is not here: for ` +
      "whom it voted and which writes it acknowledged is lost, and if it came back under the same id, " +
      "acknowledged writes could be lost with it. Take it out and add it as a new member: etcdctl member " +
      `remove ${id}, then etcdctl member add ${name} --peer-urls=${peerUrls.join()}, and start it again ` +
      "with an empty data directory. Where its database is left, cairn util repair --from-peers " +
      `--name=${name} does all of this`,
  );
}

/**
 * Finds every member of the running cluster among those of the settings, by its URLs, and gives the id that the one
 * called `name` has there.
 */
export function idInExistingCluster(
  named: readonly Member[],
  name: string,
  remote: RemoteCluster,
): bigint {
  if (named.length !== remote.members.length) refuseMatch(remote, "member count is unequal");
  let self = 0n;
  for (const member of remote.members) {
    let problem = "";
    let owner: string | null = null;
    for (const candidate of named) {
      problem = difference(member.peerUrls, candidate.peerUrls, remote.addresses);
      if (problem !== "") continue;
      owner = candidate.name;
      break;
    }
    if (owner === null) {
      const urls = member.peerUrls.join(" ");
      const found = `no match found for existing member (${hexId(member.id)}, [${urls}])`;
      refuseMatch(remote, `PeerURLs: ${found}, last resolver error (${problem})`);
    }
    if (owner === name) self = member.id;
  }
  // Two members with the same addresses can both match one name.
  if (self === 0n) refuseMatch(remote, `PeerURLs: no match found for ${name}`);
  return self;
}

function refuseMatch(remote: RemoteCluster, why: string): never {
  throw new StartProblem(`error validating peerURLs ${clusterText(remote)}: ${why}`);
}

/** "" when both lists lead to the same places. */
function difference(
  theirs: readonly string[],
  ours: readonly string[],
  addresses: ReadonlyMap<string, string> = new Map(),
): string {
  if (theirs.length !== ours.length) return `len(${quoted(theirs)}) != len(${quoted(ours)})`;
  const resolved = (urls: readonly string[]): string[] =>
    urls.map((url) => addresses.get(url) ?? url).sort();
  if ([...theirs].sort().join() === ours.join()) return "";
  const a = resolved(theirs);
  const b = resolved(ours);
  const at = a.findIndex((url, i) => url !== b[i]);
  return at < 0 ? "" : `resolved urls: "${a[at]}" != "${b[at]}"`;
}

function quoted(urls: readonly string[]): string {
  return `[${urls.map((url) => `"${url}"`).join(" ")}]`;
}

/** As Go prints etcd's structure. */
function clusterText({ clusterId, members }: RemoteCluster): string {
  const rows = members.map(({ id, peerUrls, isLearner, name, clientUrls }) => {
    const raft = `RaftAttributes:{PeerURLs:[${peerUrls.join(" ")}] IsLearner:${isLearner}}`;
    const attributes = `Attributes:{Name:${name} ClientURLs:[${clientUrls.join(" ")}]}`;
    return `&{ID:${hexId(id)} ${raft} ${attributes}}`;
  });
  return `{ClusterID:${hexId(clusterId)} Members:[${rows.join(" ")}] RemovedMemberIDs:[]}`;
}

/** Oldest cluster version that may be joined, as etcd's. */
const MINIMUM = [3, 0] as const;

/** The cluster may speak at most the version of this member: an older one must not join. */
export function checkVersions(
  self: bigint,
  remote: RemoteCluster,
  ownVersion: string,
  warn: Warn,
): void {
  if (remote.versions === undefined) return;
  const own = parseVersion(ownVersion)!;
  let isAnyCompatible = false;
  for (const [member, version] of remote.versions) {
    if (member === self) continue;
    if (version === null) {
      warn("failed to get version", { "remote-member-id": hexId(member) });
      continue;
    }
    const theirs = parseVersion(version);
    const fields = {
      "remote-member-id": hexId(member),
      "remote-member-cluster-version": version,
    };
    if (theirs === null) {
      warn("failed to parse cluster version of remote member", fields);
      continue;
    }
    const isTooLow = isLess(theirs, MINIMUM);
    if (isTooLow || isLess(own, theirs)) {
      const why = isTooLow ? "too low" : "too high";
      const limits = {
        "minimum-cluster-version-supported": `${MINIMUM.join(".")}.0`,
        "local-member-version": ownVersion,
      };
      warn(`cluster version of remote member is not compatible; ${why}`, { ...fields, ...limits });
      throw new StartProblem("incompatible with current running cluster");
    }
    isAnyCompatible = true;
  }
  if (!isAnyCompatible) throw new StartProblem("incompatible with current running cluster");
}

type Version = readonly [number, number];

function parseVersion(text: string): Version | null {
  const found = /^(\d{1,6})\.(\d{1,6})\.\d{1,6}/.exec(text);
  return found === null ? null : [Number(found[1]), Number(found[2])];
}

function isLess(a: Version, b: Version): boolean {
  return a[0] !== b[0] ? a[0] < b[0] : a[1] < b[1];
}
