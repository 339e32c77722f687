/**
 * The contract of `SingleVoter` (raft in full has its own, ready.ts) and the values both share. It
 * stands between the replicated log and the loop that drives it. The log is a function of its
 * inputs: proposals, what became durable, messages and ticks go in; what to persist and what to
 * apply come out.
 *
 * Order of duties for each Ready (the caller's side of the contract):
 *  1. append `entries` and `hardState` to the write-ahead log, in that order;
 *  2. sync it; only then call `persisted` (a leader's own vote for its entries counts from there);
 *  3. take committed entries and apply them in order.
 */
import type { Entry } from "./entry.ts";

export type { Entry } from "./entry.ts";
export { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "./entry.ts";

export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export interface Ready {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
}

export interface RaftStatus {
  readonly term: number;
  /** 0n while no leader is known. */
  readonly leader: bigint;
  readonly commit: number;
  readonly lastIndex: number;
}

export interface ReplicatedLog {
  /** Appends a proposal; returns its index, or 0 when this member cannot take proposals now. */
  propose(kind: number, data: Uint8Array): number;
  /** What must be persisted since the last call; null when nothing is new. */
  takeReady(): Ready | null;
  /** Everything up to `index` is on disk. */
  persisted(index: number): void;
  /** Committed entries that were not taken yet, at most `countMax`, in order. */
  takeCommitted(countMax: number): Entry[];
  /**
   * Whether a linearizable read may be served from the applied state at once: this member is
   * leader, has committed an entry of its own term, and needs nobody else to confirm it (a single
   * voter).
   */
  isReadable(): boolean;
  status(): RaftStatus;
}
