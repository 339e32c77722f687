/**
 * What a member without a log begins with: a function of its settings and of what the running members answered. A
 * member of a new cluster begins with the same entries as all others, one for each member; one that joins begins with
 * nothing but its id, and the leader sends it the rest.
 */
import { CLUSTER_VERSION } from "../base/version.ts";
import {
  initialClusterOf,
  initialClusterText,
  type Member,
  parseInitialCluster,
} from "../cluster/index.ts";
import type { NewDigest } from "../io/index.ts";
import type { PeerAddress } from "../peer/index.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import { encodeMembershipEntry } from "../state-machine/index.ts";
import { EMPTY_BEGINNING, type WalBeginning, type WalMetadata } from "../wal/index.ts";
import {
  checkNeverStarted,
  checkNotBootstrapped,
  checkVersions,
  idInExistingCluster,
  type RemoteCluster,
  type Warn,
} from "./existing-cluster.ts";
import { StartProblem } from "./start-problem.ts";

export interface FirstStartSettings {
  readonly name: string;
  readonly initialPeerUrls: readonly string[];
  readonly initialCluster: string;
  readonly initialClusterState: "new" | "existing";
  readonly clusterToken: string;
  readonly newDigest: NewDigest;
  /** What a running member answered; without it nothing can be joined. */
  readonly remoteCluster?: RemoteCluster | undefined;
}

export interface FirstStart {
  readonly metadata: WalMetadata;
  readonly beginning: WalBeginning;
  /** The others. */
  readonly remotes: readonly PeerAddress[];
}

export function firstStart(settings: FirstStartSettings, warn: Warn): FirstStart {
  const byName = parseInitialCluster(settings.initialCluster);
  if (settings.initialClusterState === "new") return newCluster(settings, byName);
  return joining(settings, byName, warn);
}

type UrlsByName = ReadonlyMap<string, readonly string[]>;

function newCluster(settings: FirstStartSettings, byName: UrlsByName): FirstStart {
  const { name, initialPeerUrls } = settings;
  const own = ownUrls(byName, name);
  if (own.join() !== [...initialPeerUrls].sort().join()) {
    throw new StartProblem(
      `--initial-cluster has ${name}=${own.join()} but missing from ` +
        `--initial-advertise-peer-urls=${initialPeerUrls.join()}`,
    );
  }
  checkDuplicates(byName);
  const { clusterId, members } = initialClusterOf(
    byName,
    settings.clusterToken,
    settings.newDigest,
  );
  const self = members.find((member) => member.name === name)!;
  checkNotBootstrapped(self.id, settings.remoteCluster);
  const entries = members.map(firstEntry);
  return {
    metadata: { memberId: self.id, clusterId },
    beginning: { entries, hardState: { term: 1, vote: 0n, commit: entries.length } },
    remotes: others(members, self.id),
  };
}

/**
 * Members may know each other by different names (with DNS discovery they do), and the entries must be the same on
 * all: a member tells its name when it starts.
 */
function firstEntry(member: Member, i: number): Entry {
  const data = encodeMembershipEntry({
    change: "add-voter",
    member: { ...member, name: "" },
    ...{ learnersMax: 0, origin: 0, requestId: 0 },
  });
  return { term: 1, index: i + 1, kind: ENTRY_MEMBERSHIP, data };
}

function joining(settings: FirstStartSettings, byName: UrlsByName, warn: Warn): FirstStart {
  const { name, remoteCluster, clusterToken, newDigest } = settings;
  ownUrls(byName, name);
  checkDuplicates(byName);
  const failure = "cannot fetch cluster info from peer urls";
  if (remoteCluster === undefined) {
    throw new StartProblem(
      `${failure}: could not retrieve cluster information from the given URLs`,
    );
  }
  if (remoteCluster.members.length === 0) {
    throw new StartProblem(`${failure}: failed to get raft cluster member(s) from the given URLs`);
  }
  const named = initialClusterOf(byName, clusterToken, newDigest).members;
  const memberId = idInExistingCluster(named, name, remoteCluster);
  checkVersions(memberId, remoteCluster, CLUSTER_VERSION, warn);
  checkNeverStarted(memberId, remoteCluster);
  return {
    metadata: { memberId, clusterId: remoteCluster.clusterId },
    beginning: EMPTY_BEGINNING,
    remotes: others(remoteCluster.members, memberId),
  };
}

/** Members with the same URLs would have the same id. */
function checkDuplicates(byName: UrlsByName): void {
  const all = [...byName.values()].flat();
  if (new Set(all).size === all.length) return;
  throw new StartProblem(`initial cluster ${initialClusterText(byName)} has duplicate url`);
}

function ownUrls(byName: UrlsByName, name: string): string[] {
  const own = byName.get(name);
  if (own !== undefined) return [...own].sort();
  throw new StartProblem(`couldn't find local name "${name}" in the initial cluster configuration`);
}

function others(members: readonly Member[], self: bigint): PeerAddress[] {
  return members.filter(({ id }) => id !== self).map(({ id, peerUrls }) => ({ id, peerUrls }));
}
