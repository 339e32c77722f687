/**
 * The contract between raft and the loop that drives it. Raft is a function: messages, ticks,
 * proposals and reports of what is durable or applied go in; `takeReady` gives what must be done
 * now. Nothing else leaves.
 *
 * The loop's duties for each Ready, in this order:
 *  1. send `messages` at once; none of them waits for this Ready's disk write (see below);
 *  2. if `snapshot` is set: store it, make it the state machine's state, drop the whole stored log;
 *  3. append `entries` (replacing everything from the first one's index on) and `hardState` to the
 *     write-ahead log; sync if `mustSync`; after the sync call `persisted(sequence)`, then
 *     `takeReady` again;
 *  4. apply `committed` in order; hand each membership change to `applyMembershipChange`; call
 *     `applied(index)`;
 *  5. answer `reads` once the applied index has reached theirs; tell `abortedReads` to try again.
 * Further Readys may be taken while a sync runs; `persisted(n)` covers all up to n.
 *
 * What must be durable before what is kept by raft itself: a message that promises durable state (a
 * granted vote, a vote request, an accepted append) is held back and comes with a Ready taken after
 * the `persisted` that covers it. The same goes for what this member promises itself: its own vote
 * as a candidate, and its own copy of the entries it proposes as a leader. A leader's appends do
 * not wait: they leave while its disk still writes (thesis 10.2.1).
 */
import type { Configuration } from "./conf-change.ts";
import type { Entry } from "./entry.ts";
import type { LogStorage } from "./log-storage.ts";
import type { Message, SnapshotMark } from "./message.ts";
import type { HardState } from "./types.ts";

/** A caller's own number for a read; raft hands it back and never compares it. */
export type ReadContext = number;

/** Reads that may be answered from a state at or after `index`. */
export interface ReadState {
  readonly index: number;
  readonly contexts: readonly ReadContext[];
}

export interface RaftReady {
  /** Ascends by one from Ready to Ready. */
  readonly sequence: number;
  readonly messages: readonly Message[];
  readonly snapshot: SnapshotMark | null;
  readonly entries: readonly Entry[];
  /** Set when term, vote or commit changed. */
  readonly hardState: HardState | null;
  /** False when only the commit index moved: losing that is harmless. */
  readonly mustSync: boolean;
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** Reads whose leader is gone or did not answer in time: ask again. */
  readonly abortedReads: readonly ReadContext[];
}

/** Why a request was not taken. A value, not an exception: each is ordinary life in a cluster. */
export type Refusal =
  | "no-leader"
  | "not-leader"
  | "forwarding-disabled"
  | "transferring"
  | "not-a-voter"
  | "not-a-member"
  | "too-many-uncommitted"
  | "too-many-reads"
  | "membership-change-pending"
  | "no-commit-in-term"
  | "no-member-named"
  | "last-voter"
  | "already-leader"
  | "disk-stalled"
  | "lease-reads";

/** The index of the appended entry, or how it was not appended here. */
export type ProposeResult = number | "forwarded" | Refusal;

export interface RaftOptions {
  readonly memberId: bigint;
  readonly storage: LogStorage;
  /** A number in [0, below), for election timeouts and the first read id. */
  readonly random: (below: number) => number;
  readonly hardState: HardState;
  /** The members as of `appliedIndex`. */
  readonly configuration: Configuration;
  /** The last entry the state machine holds. */
  readonly appliedIndex: number;

  /** A follower campaigns after one to two times this (thesis 3.4). */
  readonly electionTimeoutTicks: number;
  readonly heartbeatTicks: number;
  /** Ask before disturbing (thesis 9.6). */
  readonly preVote: boolean;
  /**
   * A leader that hears no majority steps down; a follower with a leader ignores candidates (thesis
   * 6.2, 4.2.3).
   */
  readonly checkQuorum: boolean;
  /** "lease" needs checkQuorum, on every member. */
  readonly readMode: "safe" | "lease";
  /**
   * How much faster than the leader's clock a follower's may run, as a share: 0.1 is ten per cent.
   */
  readonly clockDriftMax: number;
  readonly forwardProposals: boolean;
  /** A leader that is removed or demoted gives up at once instead of when it falls silent. */
  readonly stepDownOnRemoval: boolean;

  /**
   * A commit index that no entries carry waits for `tellCommits`, unless its receiver waits for it:
   * under load the next entries carry it anyway.
   */
  readonly commitsWait: boolean;

  readonly messageBytesMax: number;
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  readonly committedPageBytes: number;
  readonly applyingBytesMax: number;
  /** Data of proposals that are not committed; one proposal is always let in. */
  readonly uncommittedBytesMax: number;
  readonly waitingReadsMax: number;
}

export const RAFT_DEFAULTS = {
  electionTimeoutTicks: 10,
  heartbeatTicks: 1,
  preVote: true,
  checkQuorum: true,
  readMode: "safe",
  clockDriftMax: 0.1,
  forwardProposals: true,
  stepDownOnRemoval: true,
  commitsWait: false,
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 512,
  inflightBytesMax: 64 * 1024 * 1024,
  committedPageBytes: 4 * 1024 * 1024,
  applyingBytesMax: 64 * 1024 * 1024,
  uncommittedBytesMax: 256 * 1024 * 1024,
  waitingReadsMax: 65_536,
} as const satisfies Partial<RaftOptions>;

export type RoleName = "follower" | "pre-candidate" | "candidate" | "leader";

export interface MemberProgress {
  readonly member: bigint;
  readonly isLearner: boolean;
  readonly state: "probe" | "replicate" | "snapshot";
  readonly match: number;
  readonly next: number;
  readonly recentlyActive: boolean;
  readonly isPaused: boolean;
  readonly inflightMessages: number;
}

export interface RaftMemberStatus {
  readonly memberId: bigint;
  readonly role: RoleName;
  readonly term: number;
  readonly vote: bigint;
  /** 0n while no leader is known. */
  readonly leader: bigint;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly persistedIndex: number;
  readonly configuration: Configuration;
  /** The member leadership is being handed to; 0n for none. */
  readonly transferTarget: bigint;
  /** How long the oldest unfinished disk write has been running; 0 for none. */
  readonly persistingTicks: number;
  /** The leader's view of all members; empty elsewhere. */
  readonly progress: readonly MemberProgress[];
}
