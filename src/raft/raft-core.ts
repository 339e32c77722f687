/**
 * The state of one member and the rules that hold in every role: terms (thesis 3.3), votes (3.4,
 * 3.6.1), changes of role, and what leaves as a message. The roles' own rules are in follower.ts,
 * candidate.ts and leader.ts, which work on this object; raft-member.ts is the face towards the
 * server.
 *
 * Invariants: the term never falls; within a term the vote changes once, from none; a leader exists
 * only in a term in which it voted for itself.
 */
import { assert } from "../base/assert.ts";
import { type Candidate, stepCandidate } from "./candidate.ts";
import type { Configuration } from "./conf-change.ts";
import { canonical, isMember, isVoter } from "./conf-change.ts";
import { ENTRY_COMMAND } from "./entry.ts";
import { stepFollower } from "./follower.ts";
import { Leader, stepLeader } from "./leader.ts";
import type { Message, PreVote, Proposal, Vote } from "./message.ts";
import { PersistQueue } from "./persist-queue.ts";
import { RaftLog } from "./raft-log.ts";
import { ForwardedReads } from "./read-index.ts";
import type { RaftOptions, ReadContext, ReadState } from "./ready.ts";

export interface Follower {
  readonly kind: "follower";
}

export type Role = Follower | Candidate | Leader;

const FOLLOWER: Follower = { kind: "follower" };
/** Ids of forwarded reads stay exact numbers however many follow the first. */
const FIRST_READ_IDS = 2 ** 48;
/** The caller takes them once a turn. */
const STRANDED_MAX = 5000;

export class RaftCore {
  readonly id: bigint;
  readonly options: RaftOptions;
  readonly log: RaftLog;
  readonly persisting = new PersistQueue();
  readonly forwardedReads: ForwardedReads;
  role: Role = FOLLOWER;
  term: number;
  vote: bigint;
  /** 0n while unknown. */
  leader = 0n;
  configuration: Configuration;
  isVoter = false;
  isMember = false;
  /** Ticks of this life; starts at 1, so that 0 can mean never. */
  ticks = 1;
  electionElapsedTicks = 0;
  /** This round's timeout: one to two election timeouts. */
  electionPatienceTicks = 0;
  /** When a leader was last heard, whatever its term; only lease reads need it. */
  leaderHeardTick = 0;
  /** As a leader: all other voters keep the promise that a lease relies on. */
  isLeaseAllowed = true;
  /** May leave at once. */
  outgoing: Message[] = [];
  /** Wait for what the next Ready persists. */
  held: Message[] = [];
  reads: ReadState[] = [];
  abortedReads: ReadContext[] = [];
  /** Commands of other members that came while nobody could take them (no leader, or one that hands over). */
  stranded: Proposal[] = [];

  constructor(options: RaftOptions) {
    assertOptions(options);
    const { hardState, storage, appliedIndex } = options;
    this.options = options;
    this.id = options.memberId;
    this.term = hardState.term;
    this.vote = hardState.vote;
    this.log = new RaftLog(storage, hardState.commit, appliedIndex, options);
    assert(
      this.log.lastTerm <= this.term,
      `the log ends in term ${this.log.lastTerm}, the hard state in ${this.term}`,
    );
    this.forwardedReads = new ForwardedReads(1 + options.random(FIRST_READ_IDS));
    this.configuration = canonical(options.configuration);
    this.#noteOwnPlace();
    // An earlier life may have promised a leader its lease a moment ago.
    if (options.readMode === "lease" && this.term > 0) this.leaderHeardTick = this.ticks;
    this.#drawPatience();
  }

  step(message: Message): void {
    // Misrouted or reflected: nothing that this member could answer for.
    if (message.to !== this.id || message.from === this.id) return;
    switch (message.kind) {
      case "propose":
      case "read-index":
      case "transfer-leadership":
        break;
      case "pre-vote":
      case "vote":
      case "pre-vote-response":
      case "vote-response":
        this.#learnCommit(message.commit, message.commitTerm);
        if (!this.#passesTerm(message)) return;
        break;
      default:
        if (!this.#passesTerm(message)) return;
    }
    switch (message.kind) {
      case "pre-vote":
      case "vote":
        this.#answerVote(message);
        return;
      default:
        this.#stepRole(message);
    }
  }

  becomeFollower(term: number, leader: bigint): void {
    assert(term >= this.term, `term ${this.term} cannot fall to ${term}`);
    if (term > this.term || leader !== this.leader) this.forwardedReads.abandon(this.abortedReads);
    this.#leaveRole();
    if (term > this.term) {
      this.term = term;
      this.vote = 0n;
    }
    this.leader = leader;
    this.role = FOLLOWER;
    this.#restartTimeout();
  }

  /**
   * Asking for votes of the next term; changes nothing that anyone could be bound by (thesis 9.6).
   */
  becomePreCandidate(): Candidate {
    assert(this.role.kind !== "leader", "a leader does not ask for pre-votes");
    this.forwardedReads.abandon(this.abortedReads);
    const role: Candidate = { kind: "pre-candidate", votes: new Map() };
    this.role = role;
    this.leader = 0n;
    this.#restartTimeout();
    return role;
  }

  becomeCandidate(): Candidate {
    assert(this.role.kind !== "leader", "a leader does not campaign");
    this.forwardedReads.abandon(this.abortedReads);
    const role: Candidate = { kind: "candidate", votes: new Map() };
    this.role = role;
    this.term++;
    this.vote = this.id;
    this.leader = 0n;
    this.#restartTimeout();
    return role;
  }

  becomeLeader(): Leader {
    assert(
      this.role.kind === "candidate" && this.vote === this.id,
      `a ${this.role.kind} that voted for ${this.vote} cannot lead term ${this.term}`,
    );
    const role = new Leader(this);
    this.role = role;
    this.leader = this.id;
    this.#restartTimeout();
    return role;
  }

  setConfiguration(configuration: Configuration): void {
    this.configuration = configuration;
    this.#noteOwnPlace();
  }

  commitMark(): { readonly commit: number; readonly commitTerm: number } {
    const { commit } = this.log;
    return { commit, commitTerm: this.log.termAt(commit) };
  }

  /** May this member lead at all? Learners and strangers wait for the log (thesis 4.2.1). */
  isPromotable(): boolean {
    return this.isVoter && this.log.unstable.snapshot === null;
  }

  isSoleVoter(): boolean {
    return this.isVoter && this.configuration.voters.length === 1;
  }

  /**
   * The disk has not finished a write for an election timeout: no one should depend on this member.
   */
  isDiskStalled(): boolean {
    return this.persisting.ageTicks(this.ticks) >= this.options.electionTimeoutTicks;
  }

  /** Leaves with the next Ready. For what promises nothing that a crash could take back. */
  send(message: Message): void {
    this.outgoing.push(message);
  }

  /** Leaves when everything up to now is durable here. */
  hold(message: Message): void {
    const last = this.held[this.held.length - 1];
    if (
      message.kind === "append-accepted" &&
      last?.kind === "append-accepted" &&
      last.to === message.to &&
      last.term === message.term
    ) {
      // Answers to appends of one turn become one: the highest says all.
      if (message.index > last.index) this.held[this.held.length - 1] = message;
      return;
    }
    this.held.push(message);
  }

  /** A leader of this term was heard. */
  heardLeader(leader: bigint): void {
    this.electionElapsedTicks = 0;
    this.leaderHeardTick = this.ticks;
    this.leader = leader;
  }

  /** Keeps a forwarded command for the caller, who may propose it again; changes of members are not. */
  strand(proposal: Proposal): void {
    if (proposal.kind !== ENTRY_COMMAND || this.stranded.length >= STRANDED_MAX) return;
    this.stranded.push(proposal);
  }

  forgetLeader(): void {
    this.leader = 0n;
    this.forwardedReads.abandon(this.abortedReads);
  }

  /**
   * Whether a leader counts on this member not to elect another now. Check-quorum's rule (thesis
   * 4.2.3) asks for a known leader. Lease reads need more: not even a newer term, heard by chance,
   * may shorten the promise.
   */
  isBoundToLeader(): boolean {
    const { checkQuorum, readMode, electionTimeoutTicks } = this.options;
    if (!checkQuorum) return false;
    if (this.leader !== 0n && this.electionElapsedTicks < electionTimeoutTicks) return true;
    if (readMode !== "lease" || this.leaderHeardTick === 0) return false;
    return this.ticks - this.leaderHeardTick < electionTimeoutTicks;
  }

  /**
   * Figure 3.1, "rules for servers": a newer term ends the own role; an older one is not listened
   * to.
   */
  #passesTerm(message: Message): boolean {
    if (message.term > this.term) return this.#enterTerm(message);
    if (message.term === this.term) return true;
    this.#answerOldTerm(message);
    return false;
  }

  #enterTerm(message: Message): boolean {
    switch (message.kind) {
      case "pre-vote":
        return !this.isBoundToLeader();
      case "vote":
        if (!message.transfer && this.isBoundToLeader()) return false;
        this.becomeFollower(message.term, 0n);
        return true;
      case "pre-vote-response":
        // A grant carries the term asked for, which nobody is in yet.
        if (!message.granted) this.becomeFollower(message.term, 0n);
        return true;
      case "append":
      case "heartbeat":
      case "snapshot":
        this.becomeFollower(message.term, message.from);
        return true;
      default:
        this.becomeFollower(message.term, 0n);
        return true;
    }
  }

  /**
   * A leader of an older term may hold a member captive that went to a newer term alone:
   * check-quorum's vote refusal keeps everyone with the leader. Telling it the newer term frees the
   * member. A pre-vote of an older term is refused aloud, or a cluster that is being switched to
   * pre-votes could wait for ever (both as etcd does). So is a vote (figure 3.1, where etcd is
   * silent): two members of which each goes on to newer terms alone, the one that could lead behind
   * the other, would never meet in one.
   */
  #answerOldTerm(message: Message): void {
    const { checkQuorum, preVote } = this.options;
    const header = { from: this.id, to: message.from, term: this.term };
    if (message.kind === "append" || message.kind === "heartbeat") {
      if (checkQuorum || preVote) this.send({ kind: "term-notice", ...header });
    } else if (message.kind === "pre-vote") {
      this.send({ kind: "pre-vote-response", ...header, ...this.commitMark(), granted: false });
    } else if (message.kind === "vote") {
      this.send({ kind: "vote-response", ...header, ...this.commitMark(), granted: false });
    }
  }

  /**
   * Thesis 3.4 and 3.6.1: one vote per term, and only for a log at least as up to date. Asked by a
   * member that is not in the configuration, or being a learner, this member answers all the same:
   * the asker may know a newer configuration (etcd's campaign_learner_must_vote).
   */
  #answerVote(message: PreVote | Vote): void {
    const isPreVote = message.kind === "pre-vote";
    const isFree =
      this.vote === message.from ||
      (this.vote === 0n && this.leader === 0n) ||
      (isPreVote && message.term > this.term);
    const granted = isFree && this.log.isUpToDate(message.lastIndex, message.lastTerm);
    const header = { from: this.id, to: message.from, ...this.commitMark() };
    if (isPreVote) {
      const term = granted ? message.term : this.term;
      this.send({ kind: "pre-vote-response", ...header, term, granted });
    } else if (granted) {
      this.electionElapsedTicks = 0;
      this.vote = message.from;
      this.hold({ kind: "vote-response", ...header, term: this.term, granted });
    } else {
      this.send({ kind: "vote-response", ...header, term: this.term, granted });
    }
  }

  /**
   * What is committed is so in every term; an entry of that index and term here is the same one (log
   * matching). A candidate that finds its majority out of date stops counting with it.
   */
  #learnCommit(commit: number, commitTerm: number): void {
    const { log } = this;
    if (this.role.kind === "leader" || commit <= log.commit) return;
    if (!log.matches(commit, commitTerm)) return;
    log.commitTo(commit);
    if (this.role.kind !== "follower" && log.hasUnappliedMembershipChange()) {
      this.becomeFollower(this.term, 0n);
    }
  }

  #stepRole(message: Message): void {
    switch (this.role.kind) {
      case "follower":
        stepFollower(this, message);
        return;
      case "pre-candidate":
      case "candidate":
        stepCandidate(this, this.role, message);
        return;
      case "leader":
        stepLeader(this, this.role, message);
        return;
    }
  }

  #leaveRole(): void {
    if (this.role.kind !== "leader") return;
    for (const context of this.role.reads.abandon()) this.abortedReads.push(context);
  }

  #noteOwnPlace(): void {
    this.isVoter = isVoter(this.configuration, this.id);
    this.isMember = isMember(this.configuration, this.id);
  }

  #restartTimeout(): void {
    this.electionElapsedTicks = 0;
    this.#drawPatience();
  }

  #drawPatience(): void {
    const { electionTimeoutTicks, random } = this.options;
    this.electionPatienceTicks = electionTimeoutTicks + random(electionTimeoutTicks);
  }
}

function assertOptions(options: RaftOptions): void {
  const { memberId, electionTimeoutTicks, heartbeatTicks } = options;
  assert(memberId > 0n, `a member has an id above zero, not ${memberId}`);
  assert(
    heartbeatTicks > 0 && electionTimeoutTicks > heartbeatTicks,
    `an election timeout of ${electionTimeoutTicks} ticks with heartbeats every ${heartbeatTicks}`,
  );
  assert(
    options.readMode === "safe" || options.checkQuorum,
    "lease reads need check-quorum: without it followers promise the leader nothing",
  );
  assert(options.clockDriftMax >= 0, `a clock drift of ${options.clockDriftMax}`);
  for (const bound of [
    options.messageBytesMax,
    options.committedPageBytes,
    options.applyingBytesMax,
    options.uncommittedBytesMax,
    options.waitingReadsMax,
  ]) {
    assert(bound > 0, `every bound is above zero, not ${bound}`);
  }
}
