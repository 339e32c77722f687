/**
 * One member of a raft cluster as the server drives it (ready.ts has the contract). The server's
 * loop is the only caller, from one thread; every call returns at once and leaves what it caused to
 * the next `takeReady`.
 */
import { assert } from "../base/assert.ts";
import { campaignIfAllowed, ownVotePersisted, tickCandidate } from "./candidate.ts";
import {
  type Configuration,
  type ConfigurationRefusal,
  changed,
  type MembershipChange,
} from "./conf-change.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "./entry.ts";
import { flushFollower, tickFollower } from "./follower.ts";
import { ForwardedProposals } from "./forwarded-proposals.ts";
import {
  configurationChanged,
  flushLeader,
  isLeaseValid,
  memberUnreachable,
  ownEntriesPersisted,
  proposeToLeader,
  readAtLeader,
  snapshotReported,
  tickLeader,
  transferLeadership,
} from "./leader.ts";
import { statusOf } from "./member-status.ts";
import type { Message, Proposal } from "./message.ts";
import { RaftCore } from "./raft-core.ts";
import type {
  ProposeResult,
  RaftMemberStatus,
  RaftOptions,
  RaftReady,
  ReadContext,
  Refusal,
  RoleName,
} from "./ready.ts";
import { sendCommits } from "./replication.ts";
import type { HardState } from "./types.ts";

export class RaftMember {
  readonly #core: RaftCore;
  #sequence = 0;
  /** As last handed out. */
  #hardState: HardState;
  /** The commit index of the last hard state that was to be synced. */
  #syncedCommit: number;
  readonly #forwarding: ForwardedProposals;

  constructor(options: RaftOptions) {
    this.#core = new RaftCore(options);
    this.#forwarding = new ForwardedProposals(this.#core);
    this.#hardState = options.hardState;
    this.#syncedCommit = options.hardState.commit;
  }

  /** A message from another member. Old, repeated and misrouted ones do no harm. */
  step(message: Message): void {
    this.#core.step(message);
  }

  /** One step of time. In lease mode all ticks that are due come before a read (docs/raft.md). */
  tick(): void {
    const core = this.#core;
    core.ticks++;
    switch (core.role.kind) {
      case "follower":
        tickFollower(core);
        return;
      case "pre-candidate":
      case "candidate":
        tickCandidate(core);
        return;
      case "leader":
        tickLeader(core, core.role);
        return;
    }
  }

  /** Campaigns now instead of at the timeout: a cluster of one, or an operator's wish. */
  campaign(): Refusal | null {
    const core = this.#core;
    if (core.options.readMode === "lease" && core.isBoundToLeader()) return "lease-reads";
    return campaignIfAllowed(core, core.options.preVote ? "pre-election" : "election");
  }

  /** Appends here, or sends it to the leader, where it may still be refused without a word. */
  propose(kind: number, data: Uint8Array): ProposeResult {
    const { role } = this.#core;
    if (role.kind === "leader") return proposeToLeader(this.#core, role, kind, data);
    return this.#forwarding.add(kind, data);
  }

  /**
   * Proposes a change of the members; `data` is what the log carries. The leader checks the change
   * against the configuration of today; elsewhere it is checked when it arrives and again when it
   * is applied.
   */
  proposeMembershipChange(change: MembershipChange, data: Uint8Array): ProposeResult {
    const next = changed(this.#core.configuration, change);
    if (typeof next === "string") return next;
    return this.propose(ENTRY_MEMBERSHIP, data);
  }

  /** Asks from which index on the state is fresh enough; a Ready has the answer, or aborts it. */
  readIndex(context: ReadContext): Refusal | null {
    const core = this.#core;
    if (core.role.kind === "leader") return readAtLeader(core, core.role, context);
    if (core.leader === 0n) return "no-leader";
    if (core.forwardedReads.count >= core.options.waitingReadsMax) return "too-many-reads";
    core.forwardedReads.add(context);
    return null;
  }

  /** Asks the leader, wherever it is, to hand over; whether it did shows in the status. */
  transferLeadership(target: bigint): Refusal | null {
    const core = this.#core;
    if (core.role.kind === "leader") return transferLeadership(core, core.role, target);
    const { id: from, leader: to } = core;
    if (to === 0n) return "no-leader";
    core.send({ kind: "transfer-leadership", from, to, term: 0, target });
    return null;
  }

  /**
   * Gives up following, so that others may be elected at once (etcd's forget_leader). Not against a
   * lease.
   */
  forgetLeader(): Refusal | null {
    const core = this.#core;
    if (core.options.readMode === "lease") return "lease-reads";
    if (core.role.kind === "leader") return "already-leader";
    core.forgetLeader();
    return null;
  }

  /** The connection to the member broke: what was sent ahead is probably lost. */
  reportUnreachable(member: bigint): void {
    const { role } = this.#core;
    if (role.kind === "leader") memberUnreachable(role, member);
  }

  /**
   * How the transfer of a snapshot to the member ended. Must come, or the member waits for ever.
   */
  reportSnapshot(member: bigint, succeeded: boolean): void {
    const { role } = this.#core;
    if (role.kind === "leader") snapshotReported(role, member, succeeded);
  }

  /** The snapshot that was received and is not reported persisted yet; 0 for none. */
  get pendingSnapshotIndex(): number {
    return this.#core.log.unstable.snapshot?.index ?? 0;
  }

  /** Others' commands that came while nobody could take them: to be proposed again, once. */
  takeStranded(): readonly Proposal[] {
    const { stranded } = this.#core;
    if (stranded.length > 0) this.#core.stranded = [];
    return stranded;
  }

  /** With `commitsWait`: tells the commit index to all who do not know it; once in a while. */
  tellCommits(): void {
    const { role } = this.#core;
    if (role.kind === "leader") sendCommits(this.#core, role);
  }

  /** What must be done now; null when there is nothing. */
  takeReady(): RaftReady | null {
    const core = this.#core;
    this.#flush();
    const { log } = core;
    const snapshot = log.unstable.takeSnapshot();
    const entries = log.unstable.takeEntries();
    const hardState = this.#takeHardState();
    const mustSync = entries.length > 0 || snapshot !== null || hardState?.mustSync === true;
    if (mustSync) this.#awaitPersist(entries.at(-1)?.index ?? 0, snapshot?.index ?? 0);
    else this.#releaseOrHold();
    const committed = log.takeCommitted();
    this.#noteCommitted(committed);
    const { outgoing: messages, reads, abortedReads } = core;
    if (
      messages.length === 0 &&
      !mustSync &&
      hardState === null &&
      committed.length === 0 &&
      reads.length === 0 &&
      abortedReads.length === 0
    ) {
      return null;
    }
    core.outgoing = [];
    core.reads = [];
    core.abortedReads = [];
    this.#sequence++;
    return {
      sequence: this.#sequence,
      messages,
      snapshot,
      entries,
      hardState: hardState?.value ?? null,
      mustSync,
      committed,
      reads,
      abortedReads,
    };
  }

  /** All Readys up to `sequence` are durable, a snapshot among them is the state machine's state. */
  persisted(sequence: number): void {
    assert(sequence <= this.#sequence, `Ready ${sequence} of ${this.#sequence} is persisted`);
    const core = this.#core;
    for (;;) {
      const report = core.persisting.take(sequence);
      if (report === null) break;
      if (report.snapshotIndex > 0) core.log.snapshotPersisted(report.snapshotIndex);
      if (report.lastIndex > 0) core.log.persistedTo(report.lastIndex);
      core.log.commitPersisted(report.commit);
      this.#release(report.released);
    }
    if (core.role.kind === "leader") ownEntriesPersisted(core, core.role);
  }

  /** The state machine holds everything up to `index`. */
  applied(index: number): void {
    this.#core.log.appliedTo(index);
  }

  /**
   * The membership entry at `index` is being applied. Refused changes alter nothing, on every
   * member alike; `null` stands for an entry whose change the state machine itself refused.
   */
  applyMembershipChange(
    index: number,
    change: MembershipChange | null,
  ): Configuration | ConfigurationRefusal {
    const core = this.#core;
    const { applied, applying } = core.log;
    assert(
      index > applied && index <= applying,
      `the change at ${index} is not among ${applied + 1}..${applying}, which are being applied`,
    );
    if (change === null) return core.configuration;
    const next = changed(core.configuration, change);
    if (typeof next === "string") return next;
    core.setConfiguration(next);
    if (core.role.kind === "leader") configurationChanged(core, core.role);
    return next;
  }

  get term(): number {
    return this.#core.term;
  }

  /** 0n while no leader is known. */
  get leader(): bigint {
    return this.#core.leader;
  }

  get role(): RoleName {
    return this.#core.role.kind;
  }

  get commit(): number {
    return this.#core.log.commit;
  }

  get lastIndex(): number {
    return this.#core.log.lastIndex;
  }

  get configuration(): Configuration {
    return this.#core.configuration;
  }

  /** How long the oldest unfinished disk write has been running, in ticks; 0 for none. */
  get persistingTicks(): number {
    return this.#core.persisting.ageTicks(this.#core.ticks);
  }

  /** As a leader, the index of the first entry of its term; 0 elsewhere. */
  get termStartIndex(): number {
    const { role } = this.#core;
    return role.kind === "leader" ? role.termStartIndex : 0;
  }

  /** Data of own proposals that were not handed out as committed. */
  get uncommittedBytes(): number {
    const { role } = this.#core;
    return role.kind === "leader" ? role.uncommittedBytes : 0;
  }

  /** The member leadership is being handed to; 0n for none. */
  get transferTarget(): bigint {
    const { role } = this.#core;
    return role.kind === "leader" ? role.transferTarget : 0n;
  }

  /** Nobody else has to be heard for anything: time may stand still. */
  isAlone(): boolean {
    const core = this.#core;
    return core.isSoleVoter() && core.configuration.learners.length === 0;
  }

  /**
   * The index that a state must have reached for a read that begins now, where that is known
   * without asking anybody; -1 where a round is needed (`readIndex`). A sole voter answers a write
   * only when its own state has it, so all it waits for is what was committed before its term or
   * while others voted. In lease mode all ticks that are due come first.
   */
  readableIndex(): number {
    const core = this.#core;
    const { role } = core;
    if (role.kind !== "leader" || core.log.commit < role.termStartIndex) return -1;
    if (core.isSoleVoter()) return role.othersMayHaveAnswered;
    return isLeaseValid(core, role) ? core.log.commit : -1;
  }

  /** Whether all other voters keep the promise that a lease relies on; who knows tells, at any time. */
  allowLease(isAllowed: boolean): void {
    this.#core.isLeaseAllowed = isAllowed;
  }

  /** The leader's view of one member's log: its last entry known to agree; -1 where not known. */
  matchOf(member: bigint): number {
    const { role } = this.#core;
    return role.kind === "leader" ? (role.progress.get(member)?.match ?? -1) : -1;
  }

  /** Everything at once, for pages and logs; the getters are cheaper. */
  status(): RaftMemberStatus {
    return statusOf(this.#core);
  }

  #flush(): void {
    const core = this.#core;
    this.#forwarding.send();
    if (core.role.kind === "leader") flushLeader(core, core.role);
    else if (core.role.kind === "follower") flushFollower(core);
  }

  #takeHardState(): { value: HardState; mustSync: boolean } | null {
    const { term, vote, log } = this.#core;
    const before = this.#hardState;
    // The commit of a membership change must not be forgotten (raft-log.ts).
    const isMembershipCommit =
      log.commit > this.#syncedCommit && log.mayCommitMembershipAfter(this.#syncedCommit);
    const mustSync = term !== before.term || vote !== before.vote || isMembershipCommit;
    if (!mustSync && log.commit === before.commit) return null;
    this.#hardState = { term, vote, commit: log.commit };
    return { value: this.#hardState, mustSync };
  }

  #awaitPersist(lastIndex: number, snapshotIndex: number): void {
    const core = this.#core;
    const { commit } = this.#hardState;
    const { held, ticks: takenAtTick } = core;
    const sequence = this.#sequence + 1;
    core.persisting.add({ sequence, lastIndex, snapshotIndex, commit, takenAtTick, held });
    core.held = [];
    this.#syncedCommit = commit;
  }

  /** Nothing new to write: held messages leave with the last unfinished write's report, or now. */
  #releaseOrHold(): void {
    const core = this.#core;
    const { held, persisting } = core;
    if (held.length === 0) return;
    core.held = [];
    if (persisting.isEmpty()) this.#release(held);
    else persisting.holdWithLast(held);
  }

  #release(messages: readonly Message[]): void {
    const core = this.#core;
    for (const message of messages) {
      // What it promised itself: the own vote.
      if (message.to === core.id) ownVotePersisted(core, message.term);
      else core.send(message);
    }
  }

  /** Committed proposals make room for new ones. Those of older terms were never counted. */
  #noteCommitted(committed: readonly Entry[]): void {
    const { role } = this.#core;
    if (role.kind !== "leader" || committed.length === 0) return;
    let bytes = 0;
    for (let i = 0; i < committed.length; i++) {
      const entry = committed[i]!;
      if (entry.term === this.#core.term) bytes += entry.data.length;
    }
    role.uncommittedBytes -= bytes;
    assert(role.uncommittedBytes >= 0, `${role.uncommittedBytes} B of proposals are uncommitted`);
  }
}
