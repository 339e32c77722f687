/**
 * The rules of --strict-reconfig-check (etcd's mayAddMember, mayRemoveMember, mayPromoteMember): a change of members
 * that could cost the cluster its majority is refused before it is proposed. Asked by the member that a client calls,
 * about what that member sees; promotions are asked on the leader.
 */
import { type EtcdError, errMemberNotEnoughStarted, errUnhealthy } from "../api/index.ts";
import { hexId, type Member, type Membership } from "../cluster/index.ts";
import type { Clock, Logger } from "../io/index.ts";

/** A connection counts when it has held this long (etcd's HealthInterval). */
export const HEALTHY_CONNECTION_MS = 5000;

export interface ReconfigurationGuardParts {
  readonly memberId: bigint;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly logger: Logger;
  /** --strict-reconfig-check; without it everything may be done. */
  readonly isStrict: boolean;
  /** Since when another member is connected, monotonic; NaN while it is not. */
  readonly activeSinceMs: (member: bigint) => number;
}

export class ReconfigurationGuard {
  readonly #parts: ReconfigurationGuardParts;

  constructor(parts: ReconfigurationGuardParts) {
    this.#parts = parts;
  }

  /** Null when the member may be added. */
  refusalToAdd({ id, isLearner }: Member): EtcdError | null {
    if (!this.#parts.isStrict) return null;
    const fields = { "requested-member-add": hexId(id) };
    if (!isLearner && !this.#mayGrow()) {
      return this.#reject("add", "not enough healthy members", errMemberNotEnoughStarted, fields);
    }
    // The new member has not started yet: those that are connected must be a majority with it, or a member that is
    // down becomes one too many. Learners too, though they do not vote. A cluster of one has nobody to wait for.
    const voters = this.#voters();
    const needed = voters.length === 1 ? 1 : quorumOf(voters.length + 1);
    if (this.#connectedCount(voters) >= needed) return null;
    const why =
      "local member has not been connected to majority peers, reconfigure breaks active quorum";
    return this.#reject("add", why, errUnhealthy, fields);
  }

  refusalToRemove(id: bigint): EtcdError | null {
    const { isStrict, membership, memberId, activeSinceMs } = this.#parts;
    // Who does not vote is no part of any majority.
    if (!isStrict || membership.member(id)?.isLearner === true) return null;
    const fields = { "requested-member-remove-id": hexId(id) };
    const rest = this.#voters().filter((voter) => voter.id !== id);
    if (startedCount(rest) < quorumOf(rest.length)) {
      return this.#reject(
        "remove",
        "not enough healthy members",
        errMemberNotEnoughStarted,
        fields,
      );
    }
    // Who is down is no part of the majority that works.
    if (id !== memberId && Number.isNaN(activeSinceMs(id))) return null;
    const voters = this.#voters();
    if (this.#connectedCount(voters) - 1 >= quorumOf(voters.length - 1)) return null;
    const why =
      "local member has not been connected to all peers, reconfigure breaks active quorum";
    return this.#reject("remove", why, errUnhealthy, fields);
  }

  /** The learner itself counts as a voter that has started. */
  refusalToPromote(id: bigint): EtcdError | null {
    if (!this.#parts.isStrict) return null;
    const voters = this.#voters();
    if (startedCount(voters) + 1 >= quorumOf(voters.length + 1)) return null;
    return this.#reject("promote", "not enough healthy members", errMemberNotEnoughStarted, {
      "requested-member-promote-id": hexId(id),
    });
  }

  /** Whether those that have started are a majority of one more voter. */
  #mayGrow(): boolean {
    const voters = this.#voters();
    const started = startedCount(voters);
    // How a cluster of one grows, also one that was restored from a backup.
    if (started === 1 && voters.length === 1) return true;
    return started >= quorumOf(voters.length + 1);
  }

  #voters(): Member[] {
    return this.#parts.membership.members().filter(({ isLearner }) => !isLearner);
  }

  #connectedCount(voters: readonly Member[]): number {
    const { memberId, clock, activeSinceMs } = this.#parts;
    const beforeMs = clock.monotonicMs() - HEALTHY_CONNECTION_MS;
    // NaN is before nothing.
    return voters.filter(({ id }) => id === memberId || activeSinceMs(id) <= beforeMs).length;
  }

  #reject(what: string, why: string, error: EtcdError, fields: Record<string, string>): EtcdError {
    const { logger, memberId } = this.#parts;
    logger.warn(`rejecting member ${what} request; ${why}`, {
      "local-member-id": memberId,
      ...fields,
      error: error.message,
    });
    return error;
  }
}

/** A member that has started once has a name. */
function startedCount(members: readonly Member[]): number {
  return members.filter(({ name }) => name !== "").length;
}

function quorumOf(count: number): number {
  return Math.floor(count / 2) + 1;
}
