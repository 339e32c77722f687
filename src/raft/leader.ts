/**
 * A leader takes proposals, replicates them (replication.ts), confirms reads (read-index.ts), and
 * gives up when it cannot know any more that it leads: no majority heard for an election timeout
 * (thesis 6.2), or its own disk silent for as long.
 *
 * Invariants: one Progress per member of the configuration; nothing of an older term's leadership
 * survives here.
 */
import { assert } from "../base/assert.ts";
import { isVoter } from "./conf-change.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, NO_DATA } from "./entry.ts";
import type { Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { RaftCore } from "./raft-core.ts";
import { LeaderReads } from "./read-index.ts";
import type { ProposeResult, ReadContext, Refusal } from "./ready.ts";
import {
  advanceCommit,
  alignProgress,
  answerConfirmedReads,
  answerReads,
  appendAccepted,
  appendRejected,
  awaitCommit,
  checkQuorum,
  type FollowerAnswer,
  handOver,
  heartbeatAnswered,
  majorityHeardTick,
  sendAppend,
  sendAppends,
  sendHeartbeats,
} from "./replication.ts";

export class Leader {
  readonly kind = "leader";
  readonly progress = new Map<bigint, Progress>();
  readonly reads = new LeaderReads();
  /**
   * Index of the first entry of the term; reads and membership changes wait for its commit (thesis
   * 6.4, 4.1).
   */
  readonly termStartIndex: number;
  /**
   * The least that a sole voter reads at: what was committed while others voted may have been
   * answered by them.
   */
  othersMayHaveAnswered: number;
  /** No membership change may be proposed until everything up to here is applied: one at a time. */
  pendingMembershipIndex: number;
  /** Data of own proposals that were not handed out as committed. */
  uncommittedBytes = 0;
  heartbeatElapsedTicks = 0;
  /** 0n while no transfer is under way. */
  transferTarget = 0n;
  /**
   * A transfer was started in this term: followers may break their promise, so the lease is worth
   * nothing.
   */
  isLeaseForfeited = false;
  /** Scratch for majority arithmetic. */
  voterValues = new Float64Array(8);

  constructor(core: RaftCore) {
    alignProgress(core, this.progress, core.log.lastIndex + 1);
    // What the log ends with may hold a change that nobody has applied (the new leader re-arms the
    // check).
    this.pendingMembershipIndex = core.log.lastIndex;
    this.termStartIndex = core.log.lastIndex + 1;
    this.othersMayHaveAnswered = this.termStartIndex;
    const { term } = core;
    core.log.push({ term, index: this.termStartIndex, kind: ENTRY_COMMAND, data: NO_DATA });
  }
}

export function stepLeader(core: RaftCore, leader: Leader, message: Message): void {
  switch (message.kind) {
    case "append-accepted":
    case "append-rejected":
    case "heartbeat-response":
      followerAnswered(core, leader, message);
      return;
    case "propose":
      for (const proposal of message.proposals) {
        const result = proposeToLeader(core, leader, proposal.kind, proposal.data);
        if (typeof result === "number") awaitCommit(core, message.from, result);
        else if (result === "transferring") core.strand(proposal);
      }
      return;
    case "read-index":
      if (leader.reads.count < core.options.waitingReadsMax) {
        leader.reads.addRemote(message.from, message.id);
      }
      return;
    case "transfer-leadership":
      transferLeadership(core, leader, message.target);
      return;
    case "append":
    case "heartbeat":
    case "snapshot":
      assert(false, `members ${core.id} and ${message.from} both lead term ${core.term}`);
      return;
    default:
      return;
  }
}

function followerAnswered(core: RaftCore, leader: Leader, message: FollowerAnswer): void {
  const progress = leader.progress.get(message.from);
  // A member that was removed meanwhile.
  if (progress === undefined) return;
  progress.recentlyActive = true;
  switch (message.kind) {
    case "append-accepted":
      appendAccepted(core, leader, progress, message);
      return;
    case "append-rejected":
      appendRejected(core, progress, message);
      return;
    case "heartbeat-response":
      heartbeatAnswered(core, leader, progress, message);
      return;
  }
}

export function tickLeader(core: RaftCore, leader: Leader): void {
  const { options } = core;
  if (core.isDiskStalled() && !core.isSoleVoter()) {
    core.becomeFollower(core.term, 0n);
    return;
  }
  core.electionElapsedTicks++;
  if (core.electionElapsedTicks >= options.electionTimeoutTicks) {
    core.electionElapsedTicks = 0;
    if (options.checkQuorum && !checkQuorum(core, leader)) {
      core.becomeFollower(core.term, 0n);
      return;
    }
    // A transfer that took this long is off; proposals are taken again (thesis 3.10).
    leader.transferTarget = 0n;
  }
  leader.heartbeatElapsedTicks++;
  if (leader.heartbeatElapsedTicks >= options.heartbeatTicks) {
    leader.heartbeatElapsedTicks = 0;
    sendHeartbeats(core, leader);
  }
}

/** Before a Ready: what gathered during the turn is sent and confirmed together. */
export function flushLeader(core: RaftCore, leader: Leader): void {
  flushReads(core, leader);
  sendAppends(core, leader);
}

function flushReads(core: RaftCore, leader: Leader): void {
  const { reads } = leader;
  // Before an entry of the own term is committed, the commit index may be behind an older leader's
  // (thesis 6.4).
  if (!reads.hasWaiting() || core.log.commit < leader.termStartIndex) return;
  if (core.isSoleVoter() || isLeaseValid(core, leader)) {
    const { contexts, remotes } = reads.takeWaiting();
    answerReads(core, core.log.commit, contexts, remotes);
  } else if (reads.open(core.log.commit)) {
    sendHeartbeats(core, leader);
  }
}

/**
 * Thesis 6.4.1. A follower that answered a heartbeat elects nobody else for an election timeout by
 * its own clock, which may run faster than the leader's by clockDriftMax. Of both counts one tick
 * is unknown: the follower's next tick may come at once, and the leader's current one may be nearly
 * over.
 */
export function leaseTicks(electionTimeoutTicks: number, clockDriftMax: number): number {
  return Math.floor((electionTimeoutTicks - 1) / (1 + clockDriftMax)) - 1;
}

export function isLeaseValid(core: RaftCore, leader: Leader): boolean {
  const { readMode, electionTimeoutTicks, clockDriftMax } = core.options;
  if (readMode !== "lease" || leader.isLeaseForfeited || !core.isLeaseAllowed) return false;
  const since = majorityHeardTick(core, leader);
  if (since === 0) return false;
  return core.ticks - since <= leaseTicks(electionTimeoutTicks, clockDriftMax);
}

/** Appends one proposal. Nothing is allocated but the entry. */
export function proposeToLeader(
  core: RaftCore,
  leader: Leader,
  kind: number,
  data: Uint8Array,
): ProposeResult {
  const { log, options } = core;
  if (!core.isMember) return "not-a-member";
  if (leader.transferTarget !== 0n) return "transferring";
  const bytes = data.length;
  // One is always let in, or a proposal above the bound could never be made; an empty one never
  // counts.
  if (
    bytes > 0 &&
    leader.uncommittedBytes > 0 &&
    leader.uncommittedBytes + bytes > options.uncommittedBytesMax
  ) {
    return "too-many-uncommitted";
  }
  const index = log.lastIndex + 1;
  if (kind === ENTRY_MEMBERSHIP) {
    if (leader.pendingMembershipIndex > log.applied) return "membership-change-pending";
    if (log.commit < leader.termStartIndex) return "no-commit-in-term";
    leader.pendingMembershipIndex = index;
  }
  leader.uncommittedBytes += bytes;
  log.push({ term: core.term, index, kind, data });
  return index;
}

export function readAtLeader(core: RaftCore, leader: Leader, context: ReadContext): Refusal | null {
  if (leader.reads.count >= core.options.waitingReadsMax) return "too-many-reads";
  leader.reads.add(context);
  return null;
}

/** Thesis 3.10: stop taking proposals, bring the target up to date, tell it to campaign. */
export function transferLeadership(core: RaftCore, leader: Leader, target: bigint): Refusal | null {
  if (target === core.id) return "already-leader";
  if (!isVoter(core.configuration, target)) return "not-a-voter";
  if (target === leader.transferTarget) return null;
  // Another transfer under way gives way. The target has an election timeout from now.
  core.electionElapsedTicks = 0;
  leader.transferTarget = target;
  const progress = leader.progress.get(target)!;
  if (progress.match === core.log.lastIndex) handOver(core, leader);
  else sendAppend(core, target, progress, false);
  return null;
}

/** The own disk holds more of the log. */
export function ownEntriesPersisted(core: RaftCore, leader: Leader): void {
  const own = leader.progress.get(core.id);
  if (own === undefined || own.match === core.log.persisted) return;
  own.ownPersisted(core.log.persisted);
  advanceCommit(core, leader);
}

export function memberUnreachable(leader: Leader, member: bigint): void {
  leader.progress.get(member)?.unreachable();
}

export function snapshotReported(leader: Leader, member: bigint, succeeded: boolean): void {
  leader.progress.get(member)?.snapshotReported(succeeded);
}

/** A membership change took effect: another majority may already be there for commits and reads. */
export function configurationChanged(core: RaftCore, leader: Leader): void {
  if (!core.isVoter && core.options.stepDownOnRemoval) {
    core.becomeFollower(core.term, 0n);
    return;
  }
  // A new member is probed at the last entry, so that there is something to send at once.
  alignProgress(core, leader.progress, Math.max(core.log.lastIndex, 1));
  if (leader.transferTarget !== 0n && !isVoter(core.configuration, leader.transferTarget)) {
    leader.transferTarget = 0n;
  }
  if (core.isSoleVoter()) {
    leader.othersMayHaveAnswered = Math.max(leader.othersMayHaveAnswered, core.log.commit);
  }
  advanceCommit(core, leader);
  answerConfirmedReads(core, leader);
}
