/**
 * Disaster recovery (--force-new-cluster): a member whose majority is lost for good goes on alone with the data that it
 * has. What it knows to be committed stays; what is not is dropped; then its own log says that it is a voter and that
 * every other member is removed, committed by decree. Ids stay. To be used on one member of a cluster only: two that
 * went on alone have different histories.
 */
import type { Member, Membership } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  type MemberChange,
} from "../state-machine/index.ts";
import type { HardState, WalMetadata, WalRecovery, WriteAheadLog } from "../wal/index.ts";
import { StartProblem } from "./start-problem.ts";

export interface ForcedStart {
  /** Open; closed when this is done. */
  readonly log: WriteAheadLog;
  readonly recovered: WalRecovery;
  readonly members: Membership;
  readonly appliedIndex: number;
  /** What this member advertises, should nothing know its URLs any more. */
  readonly initialPeerUrls: readonly string[];
  readonly logger: Logger;
}

/** Writes what makes a cluster of one out of the log, durably, and closes it. */
export function forceNewCluster(start: ForcedStart): void {
  const { log, recovered, logger, appliedIndex } = start;
  const { metadata, entries, hardState } = recovered;
  const commit = Math.max(hardState.commit, appliedIndex);
  if (commit === 0) {
    throw new StartProblem(
      "this member has no state to make a new cluster of: it never heard from its cluster",
    );
  }
  const firstDropped = entries.find((entry) => entry.index > commit);
  if (firstDropped !== undefined) {
    logger.info("discarding uncommitted WAL entries", {
      "entry-index": firstDropped.index,
      "commit-index-from-wal": commit,
      "number-of-discarded-entries": log.lastIndex() - commit,
    });
  }
  const committed = entries.filter(({ index }) => index > appliedIndex && index <= commit);
  const members = membersAfter(start.members.members(), committed);
  const added = changesTo(members, metadata, start.initialPeerUrls).map(
    (data, i): Entry => ({
      term: hardState.term,
      index: commit + 1 + i,
      kind: ENTRY_MEMBERSHIP,
      data,
    }),
  );
  const forced: HardState = { ...hardState, commit: commit + added.length };
  log.append(added, forced);
  log.close();
}

/** The members once the committed entries are applied. */
function membersAfter(before: readonly Member[], committed: readonly Entry[]): Map<bigint, Member> {
  const members = new Map(before.map((member) => [member.id, member]));
  for (const { kind, data } of committed) {
    const entry = kind === ENTRY_MEMBERSHIP ? decodeMembershipEntry(data) : null;
    if (entry === null) continue;
    const { change, member } = entry;
    const known = members.get(member.id);
    if (change === "remove") members.delete(member.id);
    else if (change === "add-voter" || change === "add-learner") members.set(member.id, member);
    else if (change === "promote" && known) members.set(member.id, { ...known, isLearner: false });
  }
  return members;
}

/** First this member becomes a voter, so that a voter is left at every step. */
function changesTo(
  members: ReadonlyMap<bigint, Member>,
  { memberId }: WalMetadata,
  initialPeerUrls: readonly string[],
): Uint8Array[] {
  const changes: Uint8Array[] = [];
  const add = (change: MemberChange, member: Member): void => {
    const numbers = { learnersMax: 0, origin: 0, requestId: 0 };
    changes.push(encodeMembershipEntry({ change, member, ...numbers }));
  };
  const self = members.get(memberId);
  if (self === undefined) {
    const attributes = { name: "", clientUrls: [], isLearner: false };
    add("add-voter", { id: memberId, peerUrls: initialPeerUrls, ...attributes });
  } else if (self.isLearner) {
    add("promote", self);
  }
  for (const member of [...members.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if (member.id !== memberId) add("remove", member);
  }
  return changes;
}
