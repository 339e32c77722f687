/**
 * Renewals on the leader, for its own clients and for those of other members. Nothing is written for them, except
 * that a checkpoint has to be taken back through the log before a longer time is promised.
 */
import { type EtcdError, encodeLeaseCheckpointRequest, errNotPrimary } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import type { Lease, Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { LeadershipCheck } from "./leadership-check.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { Proposer } from "./proposer.ts";

/** In place of seconds: the lease ran out, and its revocation is on its way. */
export const REVOKING = -1;
/** In place of seconds: there is no such lease. */
export const NO_LEASE = 0;

/** Seconds for each id in order; why not; or that another member is to be asked. */
export type RenewalResult = number[] | EtcdError | "not-leading";

export interface LeaseRenewerParts {
  readonly lessor: Lessor;
  readonly clock: Clock;
  readonly keeper: Pick<LeaseKeeper, "leadingTerm">;
  readonly check: LeadershipCheck;
  readonly proposer: Pick<Proposer, "propose">;
  readonly appliedIndex: () => number;
}

export class LeaseRenewer {
  readonly #parts: LeaseRenewerParts;
  renewedCount = 0;

  constructor(parts: LeaseRenewerParts) {
    this.#parts = parts;
  }

  /** Renews if nobody has to be asked for it: the usual case on a leader. -1 when `renew` has to do it. */
  renewNow(id: bigint): number {
    const { lessor, keeper, check } = this.#parts;
    if (keeper.leadingTerm() === 0 || !check.isConfirmed()) return -1;
    const lease = lessor.get(id);
    if (lease === undefined || !this.#isRunning(lease) || this.#isCheckpointed(lease)) return -1;
    return this.#renewed(id);
  }

  renew(ids: readonly bigint[], done: (result: RenewalResult) => void): void {
    const { lessor, keeper, check } = this.#parts;
    const term = keeper.leadingTerm();
    if (term === 0) {
      done("not-leading");
    } else if (check.isConfirmed() && ids.every((id) => lessor.has(id))) {
      this.#settle(term, ids, done);
    } else {
      // A lease that is not here may have been granted already where this member has not applied it yet.
      check.confirm((leads) => {
        if (leads === true) this.#settle(term, ids, done);
        else done(leads === false ? "not-leading" : errNotPrimary);
      });
    }
  }

  #settle(term: number, ids: readonly bigint[], done: (result: RenewalResult) => void): void {
    const { lessor, keeper } = this.#parts;
    if (keeper.leadingTerm() !== term) {
      done("not-leading");
      return;
    }
    const leases = ids.map((id) => lessor.get(id));
    const checkpointed = leases.filter(
      (lease): lease is Lease =>
        lease !== undefined && this.#isRunning(lease) && this.#isCheckpointed(lease),
    );
    if (checkpointed.length > 0) {
      this.#takeBack(checkpointed, (failure) => {
        if (failure !== null) done(failure);
        else this.#settle(term, ids, done);
      });
      return;
    }
    done(
      leases.map((lease) => {
        if (lease === undefined) return NO_LEASE;
        return this.#isRunning(lease) ? this.#renewed(lease.id) : REVOKING;
      }),
    );
  }

  #takeBack(leases: readonly Lease[], done: (failure: EtcdError | null) => void): void {
    const checkpoints = leases.map(({ id }) => ({ ID: id, remaining_TTL: 0 }));
    this.#parts.proposer.propose(
      CommandKind.leaseCheckpoint,
      encodeLeaseCheckpointRequest,
      { checkpoints },
      { succeed: () => done(null), fail: done },
    );
  }

  #isRunning(lease: Lease): boolean {
    return lease.expiryMs > this.#parts.clock.monotonicMs();
  }

  #isCheckpointed(lease: Lease): boolean {
    return this.#parts.lessor.isCheckpointed(lease, this.#parts.appliedIndex());
  }

  #renewed(id: bigint): number {
    this.renewedCount++;
    return this.#parts.lessor.renew(id, this.#parts.clock.monotonicMs()) ?? NO_LEASE;
  }
}
