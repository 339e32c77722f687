/**
 * Elections (thesis 3.4) with a pre-vote before them (9.6): a member first asks whether it would
 * win, and only then disturbs the cluster with a new term.
 *
 * The vote requests wait for the disk, like the own vote: a candidate that forgot its term and the
 * end of its log in a crash could otherwise campaign again in the same term with a shorter log, and
 * count a vote that an up-to-date member gave to the longer one.
 */
import { isVoter } from "./conf-change.ts";
import { stepFollower } from "./follower.ts";
import type { Message } from "./message.ts";
import { voteResult } from "./quorum.ts";
import type { RaftCore } from "./raft-core.ts";
import type { Refusal } from "./ready.ts";

export interface Candidate {
  readonly kind: "pre-candidate" | "candidate";
  /** First answer of each member. */
  readonly votes: Map<bigint, boolean>;
}

export type CampaignKind = "pre-election" | "election" | "transfer";

export function stepCandidate(core: RaftCore, role: Candidate, message: Message): void {
  switch (message.kind) {
    case "append":
    case "heartbeat":
    case "snapshot":
      // Someone else leads this term (thesis 3.4).
      core.becomeFollower(message.term, message.from);
      stepFollower(core, message);
      return;
    case "pre-vote-response": {
      if (role.kind !== "pre-candidate") return;
      // A grant left over from an earlier question names an earlier term.
      if (message.granted && message.term !== core.term + 1) return;
      countVote(core, role, message.from, message.granted);
      return;
    }
    case "vote-response":
      if (role.kind === "candidate") countVote(core, role, message.from, message.granted);
      return;
    case "propose":
      for (const proposal of message.proposals) core.strand(proposal);
      return;
    default:
      return;
  }
}

/** A candidate that does not win in time asks again, with another patience. */
export function tickCandidate(core: RaftCore): void {
  core.electionElapsedTicks++;
  if (core.electionElapsedTicks < core.electionPatienceTicks || !core.isPromotable()) return;
  core.electionElapsedTicks = 0;
  campaignIfAllowed(core, core.options.preVote ? "pre-election" : "election");
}

/** Starts a campaign unless this member must not lead now. */
export function campaignIfAllowed(core: RaftCore, kind: CampaignKind): Refusal | null {
  if (core.role.kind === "leader") return "already-leader";
  if (!core.isPromotable()) return "not-a-voter";
  // A committed change that is not applied: this member would count with the wrong majority (thesis
  // 4.1 as etcd does it, where a change takes effect when it is applied).
  if (core.log.hasUnappliedMembershipChange()) return "membership-change-pending";
  if (core.isDiskStalled()) return "disk-stalled";
  campaign(core, kind);
  return null;
}

function campaign(core: RaftCore, kind: CampaignKind): void {
  const isPreElection = kind === "pre-election";
  const role = isPreElection ? core.becomePreCandidate() : core.becomeCandidate();
  const { lastIndex, lastTerm } = core.log;
  const mark = core.commitMark();
  for (const voter of core.configuration.voters) {
    if (voter === core.id) continue;
    const header = { from: core.id, to: voter, lastIndex, lastTerm, ...mark };
    if (isPreElection) core.send({ kind: "pre-vote", ...header, term: core.term + 1 });
    else core.hold({ kind: "vote", ...header, term: core.term, transfer: kind === "transfer" });
  }
  if (isPreElection) {
    countVote(core, role, core.id, true);
  } else {
    const { id, term } = core;
    core.hold({ kind: "vote-response", from: id, to: id, term, granted: true, ...mark });
  }
}

/** The own vote of `term` is on disk. */
export function ownVotePersisted(core: RaftCore, term: number): void {
  if (core.role.kind === "candidate" && core.term === term) {
    countVote(core, core.role, core.id, true);
  }
}

function countVote(core: RaftCore, role: Candidate, from: bigint, granted: boolean): void {
  if (!isVoter(core.configuration, from) || role.votes.has(from)) return;
  role.votes.set(from, granted);
  switch (voteResult(core.configuration.voters, role.votes)) {
    case "pending":
      return;
    case "lost":
      core.becomeFollower(core.term, 0n);
      return;
    case "won":
      if (role.kind === "pre-candidate") campaign(core, "election");
      else core.becomeLeader();
      return;
  }
}
