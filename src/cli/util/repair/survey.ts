/** Which of the others can be believed: they are of one cluster, it is ours, and none of them is this member. */
import { hexId } from "../../../cluster/index.ts";
import type { WalMetadata } from "../../../wal/index.ts";
import type { PeerStatus, RepairPeers } from "./peers.ts";
import { RepairProblem } from "./repair-problem.ts";

/** `self` is null where the files do not tell. Throws RepairProblem. */
export async function survey(peers: RepairPeers, self: WalMetadata | null): Promise<PeerStatus[]> {
  const byMember = new Map<bigint, PeerStatus>();
  for (const status of await peers.statuses()) byMember.set(status.memberId, status);
  const statuses = [...byMember.values()];
  const first = statuses[0];
  if (first === undefined) throw new RepairProblem("no member answers at the endpoints given");
  for (const { clusterId, endpoint } of statuses) {
    const expected = self?.clusterId ?? first.clusterId;
    if (clusterId === expected) continue;
    throw new RepairProblem(
      `${endpoint} is of cluster ${hexId(clusterId)}, not of ${hexId(expected)}`,
    );
  }
  const own = self === null ? undefined : byMember.get(self.memberId);
  if (own !== undefined) {
    throw new RepairProblem(
      `member ${hexId(own.memberId)} is running at ${own.endpoint}: these cannot be its files`,
    );
  }
  return statuses;
}

/** Those whose data may be taken, the furthest first. Members that an alarm names are not asked. */
export function trustworthy(statuses: readonly PeerStatus[]): PeerStatus[] {
  const corrupt = new Set(statuses.flatMap((status) => status.corrupt));
  if (corrupt.has(0n)) {
    throw new RepairProblem(
      "an alarm CORRUPT stands that names no member: nobody knows whose data is right. Compare the members with " +
        "`etcdctl endpoint hashkv`, replace the wrong ones, then disarm the alarm",
    );
  }
  const good = statuses.filter(({ memberId }) => !corrupt.has(memberId));
  if (good.length === 0) {
    throw new RepairProblem("an alarm CORRUPT names every member that answers");
  }
  return good.sort((a, b) => b.appliedIndex - a.appliedIndex);
}
