/** A member's state as one value, for pages, logs and tests. */
import type { Leader } from "./leader.ts";
import type { RaftCore } from "./raft-core.ts";
import type { MemberProgress, RaftMemberStatus } from "./ready.ts";

export function statusOf(core: RaftCore): RaftMemberStatus {
  const { log, role } = core;
  return {
    memberId: core.id,
    role: role.kind,
    term: core.term,
    vote: core.vote,
    leader: core.leader,
    commit: log.commit,
    applied: log.applied,
    lastIndex: log.lastIndex,
    persistedIndex: log.persisted,
    configuration: core.configuration,
    transferTarget: role.kind === "leader" ? role.transferTarget : 0n,
    persistingTicks: core.persisting.ageTicks(core.ticks),
    progress: role.kind === "leader" ? progressOf(core, role) : [],
  };
}

function progressOf({ configuration }: RaftCore, role: Leader): MemberProgress[] {
  return [...role.progress].map(([member, progress]) => ({
    member,
    isLearner: configuration.learners.includes(member),
    state: progress.state,
    match: progress.match,
    next: progress.next,
    recentlyActive: progress.recentlyActive,
    isPaused: progress.isPaused(),
    inflightMessages: progress.inflights.count,
  }));
}
