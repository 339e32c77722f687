/**
 * The text of --initial-cluster, `name=url,name=url`: who is to be in a new cluster, or is in the one to be joined. A
 * name may come several times, with one URL each time.
 */
import type { NewDigest } from "../io/index.ts";
import { clusterIdOf, memberIdOf } from "./ids.ts";
import type { Member } from "./member.ts";

/** URLs by member name, both in the order given. A part without "=" is a name with an empty URL. */
export function parseInitialCluster(text: string): Map<string, string[]> {
  const byName = new Map<string, string[]>();
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    const url = equals < 0 ? "" : part.slice(equals + 1).trim();
    byName.set(name, [...(byName.get(name) ?? []), url]);
  }
  return byName;
}

/** As etcd writes it in its refusals: by name, then by URL. */
export function initialClusterText(byName: ReadonlyMap<string, readonly string[]>): string {
  const names = [...byName.keys()].sort();
  return names
    .flatMap((name) => [...byName.get(name)!].sort().map((url) => `${name}=${url}`))
    .join();
}

export interface InitialCluster {
  readonly clusterId: bigint;
  /** Ascending by id, with sorted URLs. */
  readonly members: readonly Member[];
}

/** Ids as etcd makes them: each from the member's URLs and the token, the cluster's from all of them. */
export function initialClusterOf(
  byName: ReadonlyMap<string, readonly string[]>,
  token: string,
  newDigest: NewDigest,
): InitialCluster {
  const members = [...byName].map(([name, urls]): Member => {
    const peerUrls = [...urls].sort();
    const id = memberIdOf(newDigest, peerUrls, token);
    return { id, peerUrls, name, clientUrls: [], isLearner: false };
  });
  members.sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = members.map((member) => member.id);
  return { clusterId: clusterIdOf(newDigest, ids), members };
}
