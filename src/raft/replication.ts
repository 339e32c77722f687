/**
 * How a leader brings its log to the others: what to send next (thesis 3.5, 10.2.1), what an answer
 * means, and when an entry is committed (3.6.2). Works on a Leader; the pace of each follower is
 * its Progress.
 */
import { assert } from "../base/assert.ts";
import { isVoter, membersOf } from "./conf-change.ts";
import { entriesBytes } from "./entry.ts";
import { Inflights } from "./inflights.ts";
import type { Leader } from "./leader.ts";
import type { AppendAccepted, AppendRejected, HeartbeatResponse, Message } from "./message.ts";
import { Progress } from "./progress.ts";
import { majorityValue } from "./quorum.ts";
import type { RaftCore } from "./raft-core.ts";

/**
 * Sends what each follower lacks and may be sent. Called once per Ready: a turn's proposals share
 * messages.
 */
export function sendAppends(core: RaftCore, leader: Leader): void {
  const { commit } = core.log;
  const { commitsWait } = core.options;
  for (const [member, progress] of leader.progress) {
    if (member === core.id) continue;
    while (sendAppend(core, member, progress, false));
    if (!progress.wantsCommit(commit)) continue;
    if (!commitsWait || progress.awaitsCommit(commit)) sendAppend(core, member, progress, true);
  }
}

/** Tells the commit index to those whom no entries told it meanwhile. */
export function sendCommits(core: RaftCore, leader: Leader): void {
  for (const [member, progress] of leader.progress) {
    if (member !== core.id && progress.wantsCommit(core.log.commit)) {
      sendAppend(core, member, progress, true);
    }
  }
}

/**
 * Sends one append, or the snapshot that must come before it. Returns whether something was sent.
 */
export function sendAppend(
  core: RaftCore,
  member: bigint,
  progress: Progress,
  evenIfEmpty: boolean,
): boolean {
  if (progress.isPaused()) return false;
  const { log, options } = core;
  const previousIndex = progress.next - 1;
  const previousTerm = log.termAt(previousIndex);
  if (previousTerm < 0 || progress.next < log.firstIndex()) {
    return sendSnapshot(core, member, progress);
  }
  const entries = progress.mayCarryEntries()
    ? log.entriesFrom(progress.next, options.messageBytesMax)
    : [];
  if (entries.length === 0 && !evenIfEmpty) return false;
  const header = { from: core.id, to: member, term: core.term };
  const { commit } = log;
  core.send({ kind: "append", ...header, previousIndex, previousTerm, commit, entries });
  progress.appendSent(entries.length, entriesBytes(entries), commit);
  return true;
}

/** The log no longer reaches back to what the follower needs (thesis chapter 5). */
function sendSnapshot(core: RaftCore, member: bigint, progress: Progress): boolean {
  // To a silent member it would only be made for nothing.
  if (!progress.recentlyActive) return false;
  const snapshot = core.log.snapshot();
  if (snapshot === null) return false;
  assert(
    snapshot.index >= core.log.firstIndex() - 1,
    `the snapshot at ${snapshot.index} ends before the log at ${core.log.firstIndex()}`,
  );
  core.send({ kind: "snapshot", from: core.id, to: member, term: core.term, snapshot });
  progress.snapshotSent(snapshot.index);
  return true;
}

export function sendHeartbeats(core: RaftCore, leader: Leader): void {
  for (const [member, progress] of leader.progress) {
    if (member === core.id) continue;
    core.send({
      kind: "heartbeat",
      from: core.id,
      to: member,
      term: core.term,
      // Beyond its match the follower might hold something else.
      commit: Math.min(progress.match, core.log.commit),
      readRound: leader.reads.newestRound,
      tick: core.ticks,
    });
  }
}

export function appendAccepted(
  core: RaftCore,
  leader: Leader,
  progress: Progress,
  message: AppendAccepted,
): void {
  const { log } = core;
  assert(
    message.index <= log.lastIndex,
    `member ${message.from} has ${message.index}, the leader only ${log.lastIndex}`,
  );
  if (!progress.accepted(message.index, log.firstIndex())) return;
  advanceCommit(core, leader);
  if (message.from === leader.transferTarget) handOver(core, leader);
}

export function appendRejected(core: RaftCore, progress: Progress, message: AppendRejected): void {
  const { hintIndex, hintTerm } = message;
  const agreeing = hintTerm > 0 ? core.log.lastAtOrBelowTerm(hintIndex, hintTerm).index : hintIndex;
  if (progress.rejected(message.index, agreeing)) {
    sendAppend(core, message.from, progress, true);
  }
}

export function heartbeatAnswered(
  core: RaftCore,
  leader: Leader,
  progress: Progress,
  message: HeartbeatResponse,
): void {
  progress.heartbeatAnswered();
  progress.confirmedTick = Math.max(progress.confirmedTick, message.tick);
  // The append that was to be answered may be lost, and so may all that fill the window: an empty
  // one finds out.
  if (progress.match < core.log.lastIndex || progress.state === "probe") {
    sendAppend(core, message.from, progress, true);
  }
  if (message.readRound > progress.confirmedRound) {
    progress.confirmedRound = message.readRound;
    answerConfirmedReads(core, leader);
  }
}

/**
 * Entries of the own term commit by counting copies, and carry the older ones along (thesis 3.6.2,
 * figure 3.7). The own copy counts as far as the own disk has reported.
 */
export function advanceCommit(core: RaftCore, leader: Leader): boolean {
  const index = majorityOverVoters(core, leader, matchOf);
  if (index <= core.log.commit || core.log.termAt(index) !== core.term) return false;
  return core.log.commitTo(index);
}

/** Rounds that a majority of the voters confirmed are answered. */
export function answerConfirmedReads(core: RaftCore, leader: Leader): void {
  const own = leader.progress.get(core.id);
  if (own !== undefined) own.confirmedRound = leader.reads.newestRound;
  const round = majorityOverVoters(core, leader, confirmedRoundOf);
  for (const confirmed of leader.reads.confirmed(round)) {
    answerReads(core, confirmed.index, confirmed.contexts, confirmed.remotes);
  }
}

export function answerReads(
  core: RaftCore,
  index: number,
  contexts: readonly number[],
  remotes: readonly { readonly from: bigint; readonly id: number }[],
): void {
  if (contexts.length > 0) core.reads.push({ index, contexts });
  for (const { from, id } of remotes) {
    awaitCommit(core, from, index);
    const header = { from: core.id, to: from, term: core.term };
    core.send({ kind: "read-index-response", ...header, id, index });
  }
}

/** A member waits for this commit: it is not kept waiting for entries to go with it. */
export function awaitCommit(core: RaftCore, member: bigint, index: number): void {
  if (core.role.kind !== "leader") return;
  const progress = core.role.progress.get(member);
  if (progress !== undefined) progress.awaitedCommit = Math.max(progress.awaitedCommit, index);
}

const matchOf = (progress: Progress): number => progress.match;
const confirmedRoundOf = (progress: Progress): number => progress.confirmedRound;
const confirmedTickOf = (progress: Progress): number => progress.confirmedTick;

/** The tick since which a majority has been bound to this leader; 0 for never. */
export function majorityHeardTick(core: RaftCore, leader: Leader): number {
  const own = leader.progress.get(core.id);
  if (own !== undefined) own.confirmedTick = core.ticks;
  return majorityOverVoters(core, leader, confirmedTickOf);
}

function majorityOverVoters(
  core: RaftCore,
  leader: Leader,
  rowValue: (progress: Progress) => number,
): number {
  const { voters } = core.configuration;
  if (leader.voterValues.length < voters.length) {
    leader.voterValues = new Float64Array(voters.length * 2);
  }
  const values = leader.voterValues;
  for (let i = 0; i < voters.length; i++) values[i] = rowValue(leader.progress.get(voters[i]!)!);
  return majorityValue(values, voters.length);
}

/** Thesis 3.10: the successor has everything; it may campaign. */
export function handOver(core: RaftCore, leader: Leader): void {
  const target = leader.transferTarget;
  if (leader.progress.get(target)?.match !== core.log.lastIndex) return;
  // From here on the target may be elected at any time in spite of all promises, and the message
  // may be slow.
  leader.isLeaseForfeited = true;
  core.send({ kind: "timeout-now", from: core.id, to: target, term: core.term });
}

/**
 * Rows for exactly the members of the configuration; those that stay keep theirs. New ones start at
 * `next`, a guess that probing corrects.
 */
export function alignProgress(core: RaftCore, progress: Map<bigint, Progress>, next: number): void {
  const members = membersOf(core.configuration);
  for (const member of progress.keys()) {
    if (!members.includes(member)) progress.delete(member);
  }
  const { inflightMessagesMax, inflightBytesMax } = core.options;
  for (const member of members) {
    if (progress.has(member)) continue;
    const inflights = new Inflights(inflightMessagesMax, inflightBytesMax);
    // A new member counts as active, or check-quorum could depose the leader before it had a chance
    // to answer.
    const row = new Progress(next, inflights, true);
    if (member === core.id) row.ownPersisted(core.log.persisted);
    progress.set(member, row);
  }
}

/** Whether a majority of the voters was heard since the last look; starts the next look. */
export function checkQuorum(core: RaftCore, leader: Leader): boolean {
  let active = 0;
  for (const [member, progress] of leader.progress) {
    if (!isVoter(core.configuration, member)) continue;
    if (member === core.id || progress.recentlyActive) active++;
  }
  for (const progress of leader.progress.values()) progress.recentlyActive = false;
  return active > core.configuration.voters.length >> 1;
}

export type FollowerAnswer = Extract<
  Message,
  { kind: "append-accepted" | "append-rejected" | "heartbeat-response" }
>;
