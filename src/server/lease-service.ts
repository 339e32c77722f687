/** The lease service. Grants and revocations are replicated; renewals and times to live are the leader's clock. */
import {
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  errLeaseTTLTooLarge,
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
import { LEASE_TTL_SECONDS_MAX, type Lessor } from "../lease/index.ts";
import type { Store } from "../mvcc/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import { CommandKind, leaseGrantCost } from "../state-machine/index.ts";
import { LeadershipCheck } from "./leadership-check.ts";
import type { LeaseIdSource } from "./lease-id-source.ts";
import {
  type LeaseKeepAliveOwner,
  LeaseKeepAliveSession,
  type Renewal,
} from "./lease-keep-alive.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { LEASE_RENEW, LEASE_TIME_TO_LIVE } from "./lease-messages.ts";
import { LeaseRenewals } from "./lease-renewals.ts";
import { LeaseRenewer } from "./lease-renewer.ts";
import { LeaseTimesTeller } from "./lease-times.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { Proposer } from "./proposer.ts";
import type { QuotaGuard } from "./quota-guard.ts";
import type { RaftView } from "./raft-view.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";

export interface LeaseServiceParts {
  readonly lessor: Lessor;
  readonly store: Pick<Store, "revision">;
  readonly clock: Clock;
  readonly proposer: Pick<Proposer, "propose">;
  readonly reads: Pick<Reads, "isReady" | "wait">;
  readonly headers: HeaderFactory;
  readonly quota: QuotaGuard;
  readonly leaseIds: LeaseIdSource;
  readonly raft: RaftView;
  readonly transport: Pick<PeerTransport, "request">;
  readonly keeper: LeaseKeeper;
  readonly appliedIndex: () => number;
  readonly electionTimeoutMs: number;
  /** How long a request may wait for the leader. */
  readonly timeoutMs: number;
}

export class LeaseServer implements LeaseService, LeaseKeepAliveOwner {
  readonly #parts: LeaseServiceParts;
  readonly #renewer: LeaseRenewer;
  readonly #renewals: LeaseRenewals;
  readonly #times: LeaseTimesTeller;

  constructor(parts: LeaseServiceParts) {
    this.#parts = parts;
    this.#renewer = new LeaseRenewer({ ...parts, check: new LeadershipCheck(parts) });
    this.#renewals = new LeaseRenewals({ ...parts, renewer: this.#renewer });
    this.#times = new LeaseTimesTeller(parts);
  }

  /** What other members ask while this one leads. */
  registerPeerRequests(requests: PeerRequests): void {
    requests.register(LEASE_RENEW, this.#renewals.handlePeer);
    requests.register(LEASE_TIME_TO_LIVE, this.#times.handlePeer);
  }

  get renewedCount(): number {
    return this.#renewer.renewedCount;
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
    new LeaseKeepAliveSession(this, requests, call).start();
  }

  nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  header() {
    return this.#parts.headers.header(this.#parts.store.revision());
  }

  renewNow(id: bigint): number {
    return this.#renewer.renewNow(id);
  }

  renew(renewal: Renewal): void {
    this.#renewals.renew(renewal);
  }

  /** Called after entries were applied: a lease that expired is answered as such once its keys are gone. */
  onApplied(): void {
    this.#renewals.onApplied();
  }

  leaseTimeToLive(
    request: LeaseTimeToLiveRequest,
    call: UnaryCall<LeaseTimeToLiveResponseInit>,
  ): void {
    this.#times.tell({ id: request.ID, withKeys: request.keys }, call);
  }

  /** As this member knows them, not linearizable. */
  leaseLeases(_request: LeaseLeasesRequest, call: UnaryCall<LeaseLeasesResponseInit>): void {
    const { lessor } = this.#parts;
    call.succeed({
      header: this.header(),
      leases: lessor.byExpiry().map((lease) => ({ ID: lease.id })),
    });
  }

  stop(): void {
    this.#renewals.stop();
    this.#times.stop();
  }
}
