/**
 * What members say to each other: one closed union, a `kind` per message of the thesis (figure 3.1,
 * 4.2.1, 6.4,
 * 9.6, 3.10). `peer/` puts them on the wire; `RaftMember.step` takes them, in any order, any number
 * of times, or never.
 *
 * `term` is the sender's term, except: a pre-vote and a granted pre-vote carry the term that would
 * be campaigned for; messages that were forwarded on behalf of a client (propose, read-index,
 * transfer-leadership) are not bound to a term and carry 0.
 */
import type { Configuration } from "./conf-change.ts";
import type { Entry } from "./entry.ts";

interface Header {
  readonly from: bigint;
  readonly to: bigint;
  readonly term: number;
}

/**
 * All that has to do with votes carries the sender's commit index and that entry's term. A member
 * whose majority is out of date learns from it that a membership change in its log is committed;
 * without that, two members could wait for each other for ever once the leader that removed itself
 * is gone (as in raft-rs; etcd leaves the case to the operator).
 */
interface CommitMark {
  readonly commit: number;
  readonly commitTerm: number;
}

/** "Would you vote for me?" (thesis 9.6). Changes nobody's term. */
export interface PreVote extends Header, CommitMark {
  readonly kind: "pre-vote";
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteResponse extends Header, CommitMark {
  readonly kind: "pre-vote-response";
  readonly granted: boolean;
}

export interface Vote extends Header, CommitMark {
  readonly kind: "vote";
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader asked for this election (thesis 3.10), so its lease does not stand against it. */
  readonly transfer: boolean;
}

export interface VoteResponse extends Header, CommitMark {
  readonly kind: "vote-response";
  readonly granted: boolean;
}

export interface Append extends Header {
  readonly kind: "append";
  /** Index and term of the entry right before `entries`. */
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly commit: number;
  readonly entries: readonly Entry[];
}

/** The sender's durable log agrees with the leader's up to `index`. */
export interface AppendAccepted extends Header {
  readonly kind: "append-accepted";
  readonly index: number;
}

/**
 * The sender's log has no entry with the append's previous index and term. The hint is the sender's
 * last entry at or below that index whose term is not above the wanted one: the leader skips whole
 * terms with it (etcd's findConflictByTerm, thesis 3.5's optimisation).
 */
export interface AppendRejected extends Header {
  readonly kind: "append-rejected";
  /** The append's previous index: tells a stale answer from a fresh one. */
  readonly index: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
}

export interface Heartbeat extends Header {
  readonly kind: "heartbeat";
  /** Never beyond what the receiver is known to have. */
  readonly commit: number;
  /**
   * The newest read round of this leader (0: none yet); its answer confirms all rounds up to it.
   */
  readonly readRound: number;
  /** The leader's own tick count when it sent this; the answer extends the lease from there. */
  readonly tick: number;
}

export interface HeartbeatResponse extends Header {
  readonly kind: "heartbeat-response";
  readonly readRound: number;
  readonly tick: number;
}

/**
 * Stands for the log up to `index`. The state itself travels beside the messages; raft sees only
 * this.
 */
export interface SnapshotMark {
  readonly index: number;
  readonly term: number;
  /** The members as of `index`. */
  readonly configuration: Configuration;
}

export interface InstallSnapshot extends Header {
  readonly kind: "snapshot";
  readonly snapshot: SnapshotMark;
}

/**
 * Tells a leader of an older term that it is deposed, where silence would leave a higher-term
 * member stuck.
 */
export interface TermNotice extends Header {
  readonly kind: "term-notice";
}

export interface Proposal {
  readonly kind: number;
  readonly data: Uint8Array;
}

export interface Propose extends Header {
  readonly kind: "propose";
  readonly proposals: readonly Proposal[];
}

export interface ReadIndex extends Header {
  readonly kind: "read-index";
  /** Fresh for every attempt and every start of the asking member. */
  readonly id: number;
}

export interface ReadIndexResponse extends Header {
  readonly kind: "read-index-response";
  readonly id: number;
  readonly index: number;
}

export interface TransferLeadership extends Header {
  readonly kind: "transfer-leadership";
  readonly target: bigint;
}

/** The leader tells its successor to campaign at once (thesis 3.10). */
export interface TimeoutNow extends Header {
  readonly kind: "timeout-now";
}

export type Message =
  | PreVote
  | PreVoteResponse
  | Vote
  | VoteResponse
  | Append
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TermNotice
  | Propose
  | ReadIndex
  | ReadIndexResponse
  | TransferLeadership
  | TimeoutNow;
