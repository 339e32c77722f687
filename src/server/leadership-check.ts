/**
 * Whether a leader may still promise a time to live. It must know that no other leader was elected half an election
 * timeout ago or more: whoever comes gives every lease its full time from its own election on and a whole election
 * timeout on top, so what is promised here until then is kept there, with half an election timeout to spare.
 *
 * The knowledge comes from a linearizable read, which asks a majority; it counts from when the question began, on
 * the monotonic clock, so a process that was stopped wakes up without it. At most one round per half election
 * timeout is spent on it, however many leases are renewed. (etcd asks only after its ticks were late.)
 */
import { type EtcdError, errNotPrimary } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import type { RaftView } from "./raft-view.ts";
import type { Reads } from "./reads.ts";

const VALID_ELECTIONS = 0.5;
const ATTEMPTS_MAX = 3;

export interface LeadershipCheckParts {
  readonly raft: RaftView;
  readonly reads: Pick<Reads, "isReady" | "wait">;
  readonly clock: Clock;
  readonly electionTimeoutMs: number;
}

export class LeadershipCheck {
  readonly #parts: LeadershipCheckParts;
  #term = 0;
  #confirmedMs = Number.NEGATIVE_INFINITY;

  constructor(parts: LeadershipCheckParts) {
    this.#parts = parts;
  }

  /** True without a question where a majority answered lately, or nobody has to be asked. */
  isConfirmed(): boolean {
    const { raft, reads, clock, electionTimeoutMs } = this.#parts;
    if (!raft.isLeader()) return false;
    const ageMs = clock.monotonicMs() - this.#confirmedMs;
    if (raft.term() === this.#term && ageMs <= VALID_ELECTIONS * electionTimeoutMs) return true;
    return reads.isReady();
  }

  /**
   * Asks: `done` gets whether this member leads in the term it leads in now, as of lately, or why that cannot be
   * known. The state machine holds by then whatever was committed when it was asked.
   */
  confirm(done: (leads: boolean | EtcdError) => void): void {
    this.#ask(this.#parts.raft.term(), ATTEMPTS_MAX, done);
  }

  #ask(term: number, attempts: number, done: (leads: boolean | EtcdError) => void): void {
    const { raft, reads, clock } = this.#parts;
    const askedMs = clock.monotonicMs();
    reads.wait((failure) => {
      if (failure !== null) {
        done(failure);
      } else if (!raft.isLeader() || raft.term() !== term) {
        done(false);
      } else {
        this.#term = term;
        this.#confirmedMs = askedMs;
        // A process that was stopped while it asked gets an answer of long ago.
        if (this.isConfirmed()) done(true);
        else if (attempts > 1) this.#ask(term, attempts - 1, done);
        else done(errNotPrimary);
      }
    });
  }
}
