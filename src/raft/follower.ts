/**
 * A follower does what the leader of its term says (thesis 3.5) and campaigns when it hears none
 * for too long (3.4). It passes on what only the leader can do. The handlers of leader messages
 * serve candidates too, which become followers first.
 */
import { campaignIfAllowed } from "./candidate.ts";
import { canonical } from "./conf-change.ts";
import type { Append, Heartbeat, InstallSnapshot, Message } from "./message.ts";
import type { RaftCore } from "./raft-core.ts";

export function stepFollower(core: RaftCore, message: Message): void {
  switch (message.kind) {
    case "append":
      core.heardLeader(message.from);
      handleAppend(core, message);
      return;
    case "heartbeat":
      core.heardLeader(message.from);
      handleHeartbeat(core, message);
      return;
    case "snapshot":
      core.heardLeader(message.from);
      handleSnapshot(core, message);
      return;
    case "read-index-response": {
      const state = core.forwardedReads.answered(message.id, message.index);
      if (state !== null) core.reads.push(state);
      return;
    }
    case "timeout-now":
      // Thesis 3.10: as if the timeout had passed, and without a pre-vote, for the leader itself
      // wants it.
      if (message.from === core.leader) campaignIfAllowed(core, "transfer");
      return;
    case "propose":
    case "read-index":
    case "transfer-leadership":
      passOn(core, message);
      return;
    default:
      // Answers to a role this member does not have any more.
      return;
  }
}

export function tickFollower(core: RaftCore): void {
  const { electionTimeoutTicks } = core.options;
  core.electionElapsedTicks++;
  core.forwardedReads.expire(core.ticks - electionTimeoutTicks, core.abortedReads);
  if (core.electionElapsedTicks < core.electionPatienceTicks || !core.isPromotable()) return;
  core.electionElapsedTicks = 0;
  campaignIfAllowed(core, core.options.preVote ? "pre-election" : "election");
}

/** Before a Ready: the reads of this turn go to the leader as one question. */
export function flushFollower(core: RaftCore): void {
  if (core.leader === 0n) return;
  const id = core.forwardedReads.send(core.ticks);
  if (id !== 0) core.send({ kind: "read-index", from: core.id, to: core.leader, term: 0, id });
}

/** Thesis 3.5, figure 3.1 "AppendEntries RPC". */
function handleAppend(core: RaftCore, message: Append): void {
  const { log } = core;
  const header = { from: core.id, to: message.from, term: core.term };
  if (message.previousIndex < log.commit) {
    // Delayed: everything committed is known to agree already.
    core.hold({ kind: "append-accepted", ...header, index: log.commit });
    return;
  }
  const { previousIndex, previousTerm, entries } = message;
  if (!log.matches(previousIndex, previousTerm)) {
    const hint = log.lastAtOrBelowTerm(Math.min(previousIndex, log.lastIndex), previousTerm);
    core.send({
      kind: "append-rejected",
      ...header,
      index: previousIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
    });
    return;
  }
  const rewrittenFrom = log.appendAfterMatch(entries);
  if (rewrittenFrom > 0) core.persisting.truncate(rewrittenFrom);
  const last = previousIndex + entries.length;
  // What follows `last` here may be a leftover of another term: commit no further (figure 3.1, rule
  // 5).
  log.commitTo(Math.min(message.commit, last));
  core.hold({ kind: "append-accepted", ...header, index: last });
}

/** Not held for the disk: it confirms who leads, not what is stored. */
function handleHeartbeat(core: RaftCore, message: Heartbeat): void {
  core.log.commitTo(message.commit);
  core.send({
    kind: "heartbeat-response",
    from: core.id,
    to: message.from,
    term: core.term,
    readRound: message.readRound,
    tick: message.tick,
  });
}

function handleSnapshot(core: RaftCore, message: InstallSnapshot): void {
  const header = { from: core.id, to: message.from, term: core.term };
  const index = restore(core, message) ? core.log.lastIndex : core.log.commit;
  core.hold({ kind: "append-accepted", ...header, index });
}

/**
 * Takes a snapshot if it is of use: not behind the commit index, and not merely describing what the
 * log holds anyway (then only the commit index moves). Thesis chapter 5. Unlike etcd's, it need not
 * name this member: the entry that adds it may come after, and refusing would have the leader send
 * the same one for ever.
 */
function restore(core: RaftCore, message: InstallSnapshot): boolean {
  const { snapshot } = message;
  const { log } = core;
  if (snapshot.index <= log.commit) return false;
  if (log.matches(snapshot.index, snapshot.term)) {
    log.commitTo(snapshot.index);
    return false;
  }
  log.restore(snapshot);
  core.persisting.truncate(1);
  core.setConfiguration(canonical(snapshot.configuration));
  return true;
}

/**
 * A member with an older view asked the wrong one. Kept as it is: the leader answers whoever asked
 * first.
 */
function passOn(
  core: RaftCore,
  message: Extract<Message, { kind: "propose" | "read-index" | "transfer-leadership" }>,
): void {
  if (message.kind === "propose") {
    if (!core.options.forwardProposals) return;
    if (core.leader === 0n) for (const proposal of message.proposals) core.strand(proposal);
  }
  if (core.leader === 0n || core.leader === message.from) return;
  core.send({ ...message, to: core.leader });
}
