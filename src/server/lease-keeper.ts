/**
 * The leader's duties towards leases, and whose turn it is: with the leadership come expiry times, with its loss they
 * go. While this member leads it proposes to revoke leases whose time is up (it never deletes by itself), and
 * replicates now and then how much time long ones have left, so that a new leader does not give them all of it again.
 *
 * What it decides by its clock goes into the log only in the term in which its times began: the log refuses what an
 * old leader proposes, and nothing is handed on to another leader (incident 17 of etcd).
 */
import { encodeLeaseCheckpointRequest, encodeLeaseRevokeRequest } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";
import type { Leadership, RaftView } from "./raft-view.ts";

const SCAN_INTERVAL_MS = 500;
/** At most so many per scan: 1000 a second, as etcd, so that a burst does not crowd out clients. */
const REVOKED_PER_SCAN_MAX = 500;
/** How often it is looked again after a lease that should be gone. */
const RETRY_MS = 7000;
/**
 * Checkpoints as etcd's: every five minutes, at most so many in one entry, for leases that are granted for longer.
 * (etcd passes over those with less than five minutes left, which then never end if each leader stays for six.)
 */
const CHECKPOINT_INTERVAL_MS = 300_000;
const CHECKPOINTS_PER_ENTRY_MAX = 1000;
const NOT_LEADING = 0;

export interface LeaseKeeperParts {
  readonly lessor: Lessor;
  readonly proposer: Pick<Proposer, "proposeAsLeader">;
  readonly raft: RaftView;
  readonly clock: Clock;
  readonly appliedIndex: () => number;
  /** A new leader adds this to every lease: so long there may have been none. */
  readonly electionTimeoutMs: number;
  readonly checkpoints: boolean;
}

export class LeaseKeeper {
  readonly #parts: LeaseKeeperParts;
  /** The term in which the lessor's expiry times began to run. */
  #term = NOT_LEADING;
  #timer: Timer | null = null;
  #checkpointedMs = 0;
  #stopped = false;
  expiredCount = 0;

  constructor(parts: LeaseKeeperParts) {
    this.#parts = parts;
    parts.raft.onLeadership((news) => this.#onLeadership(news));
  }

  /** The term in which this member may speak for leases right now; 0 while it may not. */
  leadingTerm(): number {
    const { raft } = this.#parts;
    return raft.isLeader() && raft.term() === this.#term ? this.#term : NOT_LEADING;
  }

  #onLeadership({ term, isLeading }: Leadership): void {
    const { lessor, clock, electionTimeoutMs } = this.#parts;
    if (isLeading && term === this.#term) return;
    if (isLeading) {
      const nowMs = clock.monotonicMs();
      lessor.promote(nowMs, electionTimeoutMs);
      this.#term = term;
      this.#checkpointedMs = nowMs;
      this.wake();
    } else if (this.#term !== NOT_LEADING) {
      lessor.demote();
      this.#term = NOT_LEADING;
    }
  }

  /** Leases may be there: watch them. Without leases, and where another member leads, no timer runs. */
  wake(): void {
    if (this.#timer !== null || this.#stopped) return;
    const { lessor, clock } = this.#parts;
    if (this.#term === NOT_LEADING || lessor.count() === 0) return;
    this.#timer = clock.setTimer(SCAN_INTERVAL_MS, () => {
      this.#timer = null;
      if (this.leadingTerm() !== NOT_LEADING) this.#scan();
      this.wake();
    });
  }

  #scan(): void {
    const { lessor, clock, checkpoints } = this.#parts;
    const due = lessor.takeExpired(clock.monotonicMs(), REVOKED_PER_SCAN_MAX, RETRY_MS);
    for (const id of due) this.#revoke(id);
    if (checkpoints) this.#checkpoint();
  }

  /**
   * Proposes to revoke a lease once. What a leader appended stays in its log as long as it leads, so there is nothing
   * to repeat unless the state machine refused it; a second revocation behind the first one could meet a lease that
   * was granted under the same id in between.
   */
  #revoke(id: bigint): void {
    const { lessor, proposer, raft, appliedIndex } = this.#parts;
    const lease = lessor.get(id)!;
    if (lease.revokeIndex > appliedIndex()) return;
    const isFirst = lease.revokeIndex === 0;
    if (!proposer.proposeAsLeader(CommandKind.leaseRevoke, encodeLeaseRevokeRequest, { ID: id })) {
      lessor.expireAgain(id, this.#parts.clock.monotonicMs() + SCAN_INTERVAL_MS);
      return;
    }
    lease.revokeIndex = raft.lastIndex();
    if (isFirst) this.expiredCount++;
  }

  #checkpoint(): void {
    const { lessor, clock, proposer, raft } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#checkpointedMs < CHECKPOINT_INTERVAL_MS) return;
    this.#checkpointedMs = nowMs;
    const left = lessor.remainders(nowMs, CHECKPOINT_INTERVAL_MS / 1000);
    for (let first = 0; first < left.length; first += CHECKPOINTS_PER_ENTRY_MAX) {
      const group = left.slice(first, first + CHECKPOINTS_PER_ENTRY_MAX);
      const checkpoints = group.map(([{ id }, seconds]) => ({ ID: id, remaining_TTL: seconds }));
      const request = { checkpoints };
      const kind = CommandKind.leaseCheckpoint;
      if (!proposer.proposeAsLeader(kind, encodeLeaseCheckpointRequest, request)) return;
      // Renewals from now on have to take it back (Lessor.isCheckpointed).
      for (const [lease] of group) lease.checkpointIndex = raft.lastIndex();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
