/**
 * Disaster recovery (--force-new-cluster): a member whose majority is lost for good goes on alone with the data that it
 * has. Its whole log counts as committed: what it does not know to be committed may have been acknowledged all the
 * same, by a leader that did not come to say so. Then its own log says that it is a voter and that every other member
 * is removed, committed by decree. Ids stay. To be used on one member of a cluster only: two that went on alone have
 * different histories.
 */
import type { Member, Membership } from "../cluster/index.ts";
import type { Logger } from "../io/index.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  type MemberChange,
} from "../state-machine/index.ts";
import type { HardState, WalMetadata, WalRecovery, WriteAheadLog } from "../wal/index.ts";
import { RemovedMember, StartProblem } from "./start-problem.ts";

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
  const lastIndex = log.lastIndex();
  if (lastIndex === 0) {
    throw new StartProblem(
      "this member has no state to make a new cluster of: it never heard from its cluster",
    );
  }
  if (lastIndex > commit) {
    logger.info("keeping WAL entries that are not known to be committed", {
      "entry-index": commit + 1,
      "commit-index-from-wal": commit,
      "number-of-kept-entries": lastIndex - commit,
    });
  }
  const unapplied = entries.filter(({ index }) => index > appliedIndex);
  const rewritten = withoutOwnRemoval(unapplied, commit, metadata.memberId);
  const kept = unapplied.slice(0, unapplied.length - rewritten.length).concat(rewritten);
  const members = membersAfter(start.members.members(), kept);
  const changes = changesTo(members, metadata, start.initialPeerUrls);
  const added = changes.map(
    (data, i): Entry => ({
      term: hardState.term,
      index: lastIndex + 1 + i,
      kind: ENTRY_MEMBERSHIP,
      data,
    }),
  );
  const forced: HardState = { ...hardState, commit: lastIndex + added.length };
  log.append([...rewritten, ...added], forced);
  log.close();
}

/**
 * A removal of this very member that is not known to be committed is left out, whoever goes on: the entries from it on
 * as they are to be written again; none where there is none. A committed one stands.
 */
function withoutOwnRemoval(unapplied: readonly Entry[], commit: number, self: bigint): Entry[] {
  const isRemoval = ({ kind, data }: Entry): boolean => {
    const entry = kind === ENTRY_MEMBERSHIP ? decodeMembershipEntry(data) : null;
    return entry?.change === "remove" && entry.member.id === self;
  };
  const first = unapplied.findIndex(isRemoval);
  if (first < 0) return [];
  if (unapplied[first]!.index <= commit) throw new RemovedMember(self);
  return unapplied
    .slice(first)
    .map((entry) =>
      isRemoval(entry) ? { ...entry, kind: ENTRY_COMMAND, data: new Uint8Array(0) } : entry,
    );
}

/**
 * The members once these entries are applied, and maybe some more: an addition that the state machine refuses for
 * other reasons is counted here, and its removal is then refused too.
 */
function membersAfter(before: readonly Member[], unapplied: readonly Entry[]): Map<bigint, Member> {
  const members = new Map(before.map((member) => [member.id, member]));
  for (const { kind, data } of unapplied) {
    const entry = kind === ENTRY_MEMBERSHIP ? decodeMembershipEntry(data) : null;
    if (entry === null) continue;
    const { change, member } = entry;
    const known = members.get(member.id);
    if (change === "remove" && !isLastVoter(members, known)) members.delete(member.id);
    else if (change === "promote" && known) members.set(member.id, { ...known, isLearner: false });
    else if (change.startsWith("add-") && !known) members.set(member.id, member);
  }
  return members;
}

/** Of whom the state machine keeps hold. */
function isLastVoter(members: ReadonlyMap<bigint, Member>, member: Member | undefined): boolean {
  if (member === undefined || member.isLearner) return false;
  return [...members.values()].every(({ id, isLearner }) => isLearner || id === member.id);
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
