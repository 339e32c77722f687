/**
 * The leader's duties towards leases: it proposes to revoke those whose time is up (it never deletes by itself), and,
 * where that is switched on, replicates now and then how much time long ones have left, so that a new leader does
 * not give them all of it again.
 */
import { encodeLeaseCheckpointRequest, encodeLeaseRevokeRequest } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

const SCAN_INTERVAL_MS = 500;
/** At most so many per scan: 1000 a second, as etcd, so that a burst does not crowd out clients. */
const REVOKED_PER_SCAN_MAX = 500;
/** A revocation that is not applied by then is proposed again. */
const RETRY_MS = 7000;
/** etcd's checkpoints: every five minutes, for leases with more than that left, at most so many in one entry. */
const CHECKPOINT_INTERVAL_MS = 300_000;
const CHECKPOINTS_PER_ENTRY_MAX = 1000;

export class LeaseKeeper {
  readonly #lessor: Lessor;
  readonly #proposer: Proposer;
  readonly #clock: Clock;
  readonly #checkpoints: boolean;
  #timer: Timer | null = null;
  #checkpointedMs: number;
  #stopped = false;
  expiredCount = 0;

  constructor(lessor: Lessor, proposer: Proposer, clock: Clock, checkpoints: boolean) {
    this.#lessor = lessor;
    this.#proposer = proposer;
    this.#clock = clock;
    this.#checkpoints = checkpoints;
    this.#checkpointedMs = clock.monotonicMs();
  }

  /** Leases may be there: watch them. Without leases no timer runs. */
  wake(): void {
    if (this.#timer !== null || this.#stopped) return;
    if (!this.#lessor.isPrimary() || this.#lessor.count() === 0) return;
    this.#timer = this.#clock.setTimer(SCAN_INTERVAL_MS, () => {
      this.#timer = null;
      this.#scan();
      this.wake();
    });
  }

  #scan(): void {
    if (!this.#lessor.isPrimary()) return;
    const due = this.#lessor.takeExpired(this.#clock.monotonicMs(), REVOKED_PER_SCAN_MAX, RETRY_MS);
    for (const id of due) {
      this.expiredCount++;
      this.#proposer.proposeQuietly(CommandKind.leaseRevoke, encodeLeaseRevokeRequest, { ID: id });
    }
    if (this.#checkpoints) this.#checkpoint();
  }

  #checkpoint(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#checkpointedMs < CHECKPOINT_INTERVAL_MS) return;
    this.#checkpointedMs = nowMs;
    const left = this.#lessor.remainders(nowMs, CHECKPOINT_INTERVAL_MS / 1000);
    for (let first = 0; first < left.length; first += CHECKPOINTS_PER_ENTRY_MAX) {
      const checkpoints = left
        .slice(first, first + CHECKPOINTS_PER_ENTRY_MAX)
        .map(([ID, remaining_TTL]) => ({ ID, remaining_TTL }));
      this.#proposer.proposeQuietly(CommandKind.leaseCheckpoint, encodeLeaseCheckpointRequest, {
        checkpoints,
      });
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
