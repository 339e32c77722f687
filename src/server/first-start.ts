/**
 * What a member without a log begins with: a function of its settings and of what the running members answered. A
 * member of a new cluster begins with the same entries as all others, one for each member; one that joins begins with
 * nothing but its id, and the leader sends it the rest.
 */
import { utf8 } from "../base/bytes.ts";
import {
  encodeMember,
  initialClusterOf,
  type Member,
  parseInitialCluster,
} from "../cluster/index.ts";
import type { NewDigest } from "../io/index.ts";
import type { PeerAddress } from "../peer/index.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import { EMPTY_BEGINNING, type WalBeginning, type WalMetadata } from "../wal/index.ts";
import { StartProblem } from "./start-problem.ts";

export interface FirstStartSettings {
  readonly name: string;
  readonly initialPeerUrls: readonly string[];
  readonly initialCluster: string;
  readonly initialClusterState: "new" | "existing";
  readonly clusterToken: string;
  readonly newDigest: NewDigest;
  /** What the running members answered; without it nothing can be joined. */
  readonly remoteCluster?: RemoteCluster;
}

/** A cluster as one of its members describes it. */
export interface RemoteCluster {
  readonly clusterId: bigint;
  readonly members: readonly Member[];
}

export interface FirstStart {
  readonly metadata: WalMetadata;
  readonly beginning: WalBeginning;
  /** The others. */
  readonly remotes: readonly PeerAddress[];
}

export function firstStart(settings: FirstStartSettings): FirstStart {
  return settings.initialClusterState === "new" ? newCluster(settings) : joining(settings);
}

function newCluster(settings: FirstStartSettings): FirstStart {
  const { name, initialPeerUrls } = settings;
  const byName = parseInitialCluster(settings.initialCluster);
  const own = ownUrls(byName, name);
  if (own.join() !== [...initialPeerUrls].sort().join()) {
    throw new StartProblem(
      `--initial-cluster has ${name}=${own.join()} but missing from ` +
        `--initial-advertise-peer-urls=${initialPeerUrls.join()}`,
    );
  }
  const { clusterId, members } = initialClusterOf(
    byName,
    settings.clusterToken,
    settings.newDigest,
  );
  const self = members.find((member) => member.name === name)!;
  const entries = members.map(
    (member, i): Entry => ({
      term: 1,
      index: i + 1,
      kind: ENTRY_MEMBERSHIP,
      // Without names: not all members may know each other by the same ones, and the entries must be the same.
      data: utf8(encodeMember({ ...member, name: "" })),
    }),
  );
  return {
    metadata: { memberId: self.id, clusterId },
    beginning: { entries, hardState: { term: 1, vote: 0n, commit: entries.length } },
    remotes: others(members, self.id),
  };
}

function joining(settings: FirstStartSettings): FirstStart {
  const { name, remoteCluster } = settings;
  const own = ownUrls(parseInitialCluster(settings.initialCluster), name);
  const self = remoteCluster?.members.find(
    ({ peerUrls }) => [...peerUrls].sort().join() === own.join(),
  );
  if (remoteCluster === undefined || self === undefined) {
    throw new StartProblem(
      "cannot fetch cluster info from peer urls: could not retrieve cluster information from " +
        "the given URLs",
    );
  }
  return {
    metadata: { memberId: self.id, clusterId: remoteCluster.clusterId },
    beginning: EMPTY_BEGINNING,
    remotes: others(remoteCluster.members, self.id),
  };
}

function ownUrls(byName: ReadonlyMap<string, readonly string[]>, name: string): string[] {
  const own = byName.get(name);
  if (own !== undefined) return [...own].sort();
  throw new StartProblem(`couldn't find local name "${name}" in the initial cluster configuration`);
}

function others(members: readonly Member[], self: bigint): PeerAddress[] {
  return members.filter(({ id }) => id !== self).map(({ id, peerUrls }) => ({ id, peerUrls }));
}
