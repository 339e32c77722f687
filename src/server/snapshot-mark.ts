/** What raft must know of a database file, read from the file itself: mark and content are of one moment. */
import { utf8Text } from "../base/bytes.ts";
import { decodeMember } from "../cluster/index.ts";
import type { Configuration, SnapshotMark } from "../raft/index.ts";

/** One state of a database: a snapshot of the own one, or an image that another member sent. */
export interface DatabaseState {
  readonly consistentIndex: number;
  readonly consistentTerm: number;
  forEach(bucket: "members", visit: (key: Uint8Array, value: Uint8Array) => void): void;
}

export function snapshotMarkOf(state: DatabaseState): SnapshotMark {
  const { consistentIndex: index, consistentTerm: term } = state;
  return { index, term, configuration: configurationOf(state) };
}

function configurationOf(state: DatabaseState): Configuration {
  const voters: bigint[] = [];
  const learners: bigint[] = [];
  state.forEach("members", (_key, value) => {
    const member = decodeMember(utf8Text(value));
    if (member !== undefined) (member.isLearner ? learners : voters).push(member.id);
  });
  return { voters: voters.sort(ascending), learners: learners.sort(ascending) };
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sameConfiguration(one: Configuration, other: Configuration): boolean {
  return one.voters.join() === other.voters.join() && one.learners.join() === other.learners.join();
}
