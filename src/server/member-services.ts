/** Makes the services of a member out of its parts. */
import type { Services } from "../api/index.ts";
import type { Background } from "./background.ts";
import type { Compactor } from "./compactor.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import { type HandOverParts, transferTo } from "./hand-over.ts";
import { HealthServer } from "./health-service.ts";
import { KvServer } from "./kv-service.ts";
import { LeaseIdSource } from "./lease-id-source.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseServer } from "./lease-service.ts";
import { MaintenanceServer } from "./maintenance-service.ts";
import { makeClusterServer } from "./member-cluster.ts";
import { type MemberOptions, requestTimeoutMs } from "./member-options.ts";
import type { MemberState } from "./member-state.ts";
import type { PeerRequests } from "./peer-requests.ts";
import type { ProposalQueue } from "./proposal-queue.ts";
import type { Proposer } from "./proposer.ts";
import { QuotaGuard } from "./quota-guard.ts";
import type { RaftLoop } from "./raft-loop.ts";
import type { Reads } from "./reads.ts";
import type { HeaderFactory } from "./response-header.ts";
import { SlicedRange } from "./sliced-range.ts";
import { SlicedTxn } from "./sliced-txn.ts";
import { WatchServer } from "./watch-service.ts";
import { STREAM_QUEUE_BYTES_MAX, WATCHERS_PER_STREAM_MAX } from "./watch-service-parts.ts";

/** What gRPC allows a message on top of the largest request. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;

/** The moving parts that services share. */
export interface MemberMachinery {
  readonly headers: HeaderFactory;
  readonly background: Background;
  readonly committer: DatabaseCommitter;
  readonly proposer: Proposer;
  readonly reads: Reads;
  readonly compactor: Compactor;
  readonly loop: RaftLoop;
  readonly queue: ProposalQueue;
  readonly peerRequests: PeerRequests;
  readonly handOver: HandOverParts;
  readonly leaseKeeper: LeaseKeeper;
}

export interface MemberServices extends Services {
  readonly watch: WatchServer;
  readonly lease: LeaseServer;
}

export function makeServices(
  options: MemberOptions,
  state: MemberState,
  machinery: MemberMachinery,
): MemberServices {
  const { clock, logger, requestBytesMax, quotaBytes } = options;
  const { storage, store, membership, alarms, stateMachine, node, instruments } = state;
  const { headers, background, committer, proposer, reads, compactor } = machinery;
  const { database, memberId } = storage;
  const quota = new QuotaGuard({ database, alarms, proposer, logger, memberId, quotaBytes });
  const view = stateMachine.view();
  return {
    kv: new KvServer({
      store,
      view,
      reads,
      proposer,
      headers,
      quota,
      compactor,
      counters: stateMachine.counters,
      slicedRange: new SlicedRange({ store, view, background, headers }),
      slicedTxn: new SlicedTxn({ store, view, background, headers }),
      txnOperationsMax: options.txnOperationsMax,
      requestBytesMax,
    }),
    watch: makeWatchServer(options, state, machinery),
    lease: makeLeaseServer(options, state, machinery, quota),
    cluster: makeClusterServer(options, state, machinery),
    maintenance: new MaintenanceServer({
      moveLeadership: (target, done) => transferTo(machinery.handOver, target, done),
      ...{
        raft: node,
        store,
        stateMachine,
        alarms,
        membership,
        proposer,
        headers,
        quota,
        memberId,
      },
      ...{
        database,
        instruments,
        background,
        committer,
        newDigest: options.newDigest,
        clock,
        logger,
      },
    }),
    health: new HealthServer({
      ...{ raft: node, alarms, membership, reads, memberId },
      stalledDiskMs: () => {
        const stalledMs = machinery.loop.diskStalledMs();
        return stalledMs < options.electionTimeoutMs ? 0 : stalledMs;
      },
    }),
  };
}

function makeLeaseServer(
  options: MemberOptions,
  { lessor, store, node, stateMachine }: MemberState,
  { proposer, reads, headers, leaseKeeper }: MemberMachinery,
  quota: QuotaGuard,
): LeaseServer {
  const { clock, transport, electionTimeoutMs } = options;
  return new LeaseServer({
    ...{ lessor, store, clock, proposer, reads, headers, quota, transport, electionTimeoutMs },
    leaseIds: new LeaseIdSource(node.memberId, clock),
    raft: node,
    keeper: leaseKeeper,
    appliedIndex: () => stateMachine.appliedIndex(),
    timeoutMs: requestTimeoutMs(options),
  });
}

function makeWatchServer(
  options: MemberOptions,
  { hub }: MemberState,
  { background, headers }: MemberMachinery,
): WatchServer {
  return new WatchServer({
    hub,
    clock: options.clock,
    random: options.random,
    background,
    headers,
    permission: () => null,
    limits: {
      progressNotifyIntervalMs: options.progressIntervalMs,
      fragmentBytesMax: options.requestBytesMax + GRPC_OVERHEAD_BYTES,
      streamQueueBytesMax: STREAM_QUEUE_BYTES_MAX,
      watchersPerStreamMax: WATCHERS_PER_STREAM_MAX,
    },
  });
}
