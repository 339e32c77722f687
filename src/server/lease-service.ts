/** The lease service. Grants and revocations are replicated; renewals and times to live are the leader's clock. */
import {
  EtcdError,
  encodeLeaseCheckpointRequest,
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  errLeaseTTLTooLarge,
  errNotPrimary,
  type LeaseGrantRequest,
  type LeaseGrantResponseInit,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponseInit,
  type LeaseLeasesRequest,
  type LeaseLeasesResponseInit,
  type LeaseRevokeRequest,
  type LeaseRevokeResponseInit,
  type LeaseService,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponseInit,
  type RequestStream,
  type StreamCall,
  type UnaryCall,
} from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import { LEASE_TTL_SECONDS_MAX, type Lease, type Lessor } from "../lease/index.ts";
import type { Store } from "../mvcc/index.ts";
import { CommandKind, leaseGrantCost } from "../state-machine/index.ts";
import type { LeaseIdSource } from "./lease-id-source.ts";
import type { Proposer } from "./proposer.ts";
import type { QuotaGuard } from "./quota-guard.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";

export interface LeaseServiceParts {
  readonly lessor: Lessor;
  readonly store: Store;
  readonly clock: Clock;
  readonly proposer: Proposer;
  readonly reads: Reads;
  readonly headers: HeaderFactory;
  readonly quota: QuotaGuard;
  readonly leaseIds: LeaseIdSource;
}

interface AwaitedRevocation {
  readonly lease: Lease;
  readonly revoked: () => void;
}

export class LeaseServer implements LeaseService {
  readonly #parts: LeaseServiceParts;
  /** Renewals of leases whose time is up and whose revocation is on its way. One per stream. */
  readonly #awaited = new Set<AwaitedRevocation>();
  renewedCount = 0;

  constructor(parts: LeaseServiceParts) {
    this.#parts = parts;
  }

  leaseGrant(request: LeaseGrantRequest, call: UnaryCall<LeaseGrantResponseInit>): void {
    const { quota, proposer, lessor, leaseIds } = this.#parts;
    const refused = quota.refuse(leaseGrantCost());
    if (refused !== null) {
      call.fail(refused);
      return;
    }
    if (request.TTL > LEASE_TTL_SECONDS_MAX) {
      call.fail(errLeaseTTLTooLarge);
      return;
    }
    if (request.ID === 0n) request.ID = leaseIds.next((id) => lessor.has(id));
    proposer.propose(CommandKind.leaseGrant, encodeLeaseGrantRequest, request, call);
  }

  leaseRevoke(request: LeaseRevokeRequest, call: UnaryCall<LeaseRevokeResponseInit>): void {
    this.#parts.proposer.propose(CommandKind.leaseRevoke, encodeLeaseRevokeRequest, request, call);
  }

  leaseKeepAlive(
    requests: RequestStream<LeaseKeepAliveRequest>,
    call: StreamCall<LeaseKeepAliveResponseInit>,
  ): void {
    let waiting: AwaitedRevocation | null = null;
    /** Whether the next request may come. */
    const answer = (response: LeaseKeepAliveResponseInit | EtcdError): boolean => {
      if (response instanceof EtcdError) {
        call.fail(response);
        return false;
      }
      if (call.send(response)) return true;
      requests.pause();
      call.onDrain(() => requests.resume());
      return false;
    };
    requests.onMessage((request) => {
      const { lessor, clock, headers, store } = this.#parts;
      const lease = lessor.get(request.ID);
      if (lease === undefined || lease.expiryMs > clock.monotonicMs()) {
        answer(this.#renew(request.ID));
        return;
      }
      const response = { header: headers.header(store.revision()), ID: request.ID, TTL: 0 };
      requests.pause();
      waiting = {
        lease,
        revoked: () => {
          if (answer(response)) requests.resume();
        },
      };
      this.#awaited.add(waiting);
    });
    call.onAbort(() => {
      if (waiting !== null) this.#awaited.delete(waiting);
    });
    requests.onEnd(() => call.end());
  }

  /** Called after entries were applied: a lease that expired is answered as such once its keys are gone. */
  onApplied(): void {
    for (const awaited of this.#awaited) {
      if (this.#parts.lessor.get(awaited.lease.id) === awaited.lease) continue;
      this.#awaited.delete(awaited);
      awaited.revoked();
    }
  }

  #renew(id: bigint): LeaseKeepAliveResponseInit | EtcdError {
    const { lessor, clock, store, headers, proposer } = this.#parts;
    if (!lessor.isPrimary()) return errNotPrimary;
    const header = headers.header(store.revision());
    const checkpointed = (lessor.get(id)?.remainingTtlSeconds ?? 0) > 0;
    const ttl = lessor.renew(id, clock.monotonicMs());
    if (ttl === undefined) return { header, ID: id, TTL: 0 };
    this.renewedCount++;
    if (checkpointed) {
      // The rest of the time that was replicated is no longer true.
      proposer.proposeQuietly(CommandKind.leaseCheckpoint, encodeLeaseCheckpointRequest, {
        checkpoints: [{ ID: id, remaining_TTL: 0 }],
      });
    }
    return { header, ID: id, TTL: ttl };
  }

  leaseTimeToLive(
    request: LeaseTimeToLiveRequest,
    call: UnaryCall<LeaseTimeToLiveResponseInit>,
  ): void {
    this.#parts.reads.wait((failure) => {
      if (failure !== null) call.fail(failure);
      else call.succeed(this.#timeToLive(request));
    });
  }

  #timeToLive(request: LeaseTimeToLiveRequest): LeaseTimeToLiveResponseInit {
    const { lessor, clock, store, headers } = this.#parts;
    const header = headers.header(store.revision());
    const lease = lessor.get(request.ID);
    const nowMs = clock.monotonicMs();
    if (lease === undefined) return { header, ID: request.ID, TTL: -1 };
    return {
      header,
      ID: lease.id,
      TTL: lessor.remainingSeconds(lease, nowMs),
      grantedTTL: lease.ttlSeconds,
      keys: request.keys ? lessor.sortedKeys(lease.id) : [],
    };
  }

  leaseLeases(_request: LeaseLeasesRequest, call: UnaryCall<LeaseLeasesResponseInit>): void {
    const { lessor, store, headers } = this.#parts;
    call.succeed({
      header: headers.header(store.revision()),
      leases: lessor.byExpiry().map((lease) => ({ ID: lease.id })),
    });
  }
}
