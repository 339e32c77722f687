/**
 * A membership change as it is applied: checked against the members of that moment by etcd's rules
 * (ValidateConfigurationChange in its cluster.go), then made in the buckets, or refused and nothing is altered. The
 * decision depends on the entry and on replicated state alone, so all members decide alike.
 */
import {
  type EtcdError,
  errMemberExist,
  errMemberNotEnoughStarted,
  errMemberNotFound,
  errMemberNotLearner,
  errPeerURLExist,
  errTooManyLearners,
} from "../api/index.ts";
import { unreachable } from "../base/assert.ts";
import type { Member, Membership } from "../cluster/index.ts";
import type { MembershipChange } from "../raft/index.ts";
import type { MembershipEntry } from "./membership-entry.ts";

/** Told synchronously, in order, of every membership entry: null when its change was refused. */
export type MembershipListener = (index: number, change: MembershipChange | null) => void;

/** The members after a change, as its proposer's client gets them. */
export interface MembershipReply {
  readonly members: readonly Member[];
}

/** Makes the change; gives what raft must know of it, or why it was refused. */
export function applyMembership(
  membership: Membership,
  entry: MembershipEntry,
): MembershipChange | EtcdError {
  const refusal = refusalOf(membership, entry);
  if (refusal !== null) return refusal;
  const { change, member } = entry;
  const before = membership.member(member.id);
  switch (change) {
    case "add-voter":
    case "add-learner":
      membership.add(member);
      return { kind: change, member: member.id };
    case "promote":
      if (before !== undefined) membership.add({ ...before, isLearner: false });
      return { kind: "add-voter", member: member.id };
    case "remove":
      membership.remove(member.id);
      return { kind: "remove", member: member.id };
    case "update":
      if (before !== undefined) membership.add({ ...before, peerUrls: member.peerUrls });
      return { kind: "update", member: member.id };
    default:
      return unreachable(change);
  }
}

/** Why the change cannot be made now; null when it can. */
function refusalOf(membership: Membership, entry: MembershipEntry): EtcdError | null {
  const { change, member } = entry;
  // Ids of removed members never come back: their old data could vote twice.
  if (membership.isRemoved(member.id)) return errMemberNotFound;
  const before = membership.member(member.id);
  switch (change) {
    case "add-voter":
    case "add-learner":
      if (before !== undefined) return errMemberExist;
      if (isUrlTaken(membership, member)) return errPeerURLExist;
      return change === "add-learner" ? learnerRefusal(membership, entry.learnersMax) : null;
    case "promote":
      if (before === undefined) return errMemberNotFound;
      return before.isLearner ? null : errMemberNotLearner;
    case "remove":
      if (before === undefined) return errMemberNotFound;
      return isLastVoter(membership, before) ? errMemberNotEnoughStarted : null;
    case "update":
      if (before === undefined) return errMemberNotFound;
      return isUrlTaken(membership, member) ? errPeerURLExist : null;
    default:
      return unreachable(change);
  }
}

function isUrlTaken(membership: Membership, { id, peerUrls }: Member): boolean {
  return membership
    .members()
    .some((other) => other.id !== id && other.peerUrls.some((url) => peerUrls.includes(url)));
}

function learnerRefusal(membership: Membership, learnersMax: number): EtcdError | null {
  const learnerCount = membership.members().filter(({ isLearner }) => isLearner).length;
  return learnerCount + 1 > learnersMax ? errTooManyLearners : null;
}

/** A cluster without voters could never do anything again, not even add one. etcd's members die of it. */
function isLastVoter(membership: Membership, member: Member): boolean {
  if (member.isLearner) return false;
  return membership.members().every(({ id, isLearner }) => isLearner || id === member.id);
}
