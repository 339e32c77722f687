/** The leader's duty towards leases: it proposes to revoke those whose time is up. It never deletes by itself. */
import { encodeLeaseRevokeRequest } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

const SCAN_INTERVAL_MS = 500;
/** At most so many per scan: 1000 a second, as etcd, so that a burst does not crowd out clients. */
const REVOKED_PER_SCAN_MAX = 500;
/** A revocation that is not applied by then is proposed again. */
const RETRY_MS = 7000;

export class LeaseKeeper {
  readonly #lessor: Lessor;
  readonly #proposer: Proposer;
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #stopped = false;
  expiredCount = 0;

  constructor(lessor: Lessor, proposer: Proposer, clock: Clock) {
    this.#lessor = lessor;
    this.#proposer = proposer;
    this.#clock = clock;
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
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
