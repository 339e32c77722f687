/**
 * One member, built from ports: storage is opened, the log is replayed, services are made and started. The edges
 * (http, command line) get `services` and know nothing else of what is in here.
 */
import {
  AlarmType,
  encodeMembershipClusterMemberAttrSetRequest,
  encodeMembershipClusterVersionSetRequest,
  errStopped,
  MemberInstruments,
  type MemberSample,
  type Services,
} from "../api/index.ts";
import { CLUSTER_VERSION } from "../base/version.ts";
import { Alarms, Membership } from "../cluster/index.ts";
import type { Clock, Logger, Random } from "../io/index.ts";
import { Lessor } from "../lease/index.ts";
import { Store } from "../mvcc/index.ts";
import { WatchHub as Hub, type WatchHub } from "../mvcc/watch/index.ts";
import { SingleVoter } from "../raft/index.ts";
import { CommandKind, StateMachine } from "../state-machine/index.ts";
import { ApplyObserver } from "./apply-observer.ts";
import { AutoCompactor, type Retention } from "./auto-compactor.ts";
import { Background } from "./background.ts";
import { type BootstrapOptions, type Bootstrapped, bootstrap } from "./bootstrap.ts";
import { ClusterServer } from "./cluster-service.ts";
import { Compactor } from "./compactor.ts";
import { DatabaseCommitter } from "./database-committer.ts";
import { HealthServer } from "./health-service.ts";
import { KvServer } from "./kv-service.ts";
import { LeaseIdSource } from "./lease-id-source.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseServer } from "./lease-service.ts";
import { MaintenanceServer } from "./maintenance-service.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import { Proposer } from "./proposer.ts";
import { QuotaGuard } from "./quota-guard.ts";
import { RaftLoop } from "./raft-loop.ts";
import { Reads } from "./reads.ts";
import { HeaderFactory } from "./response-header.ts";
import { SlicedRange } from "./sliced-range.ts";
import { Snapshotter } from "./snapshotter.ts";
import { WatchServer } from "./watch-service.ts";
import { STREAM_QUEUE_BYTES_MAX, WATCHERS_PER_STREAM_MAX } from "./watch-service-parts.ts";

export interface MemberOptions extends BootstrapOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clientUrls: readonly string[];
  readonly electionTimeoutMs: number;
  readonly requestBytesMax: number;
  readonly txnOperationsMax: number;
  /** Bytes; Infinity for none. */
  readonly quotaBytes: number;
  readonly batchIntervalMs: number;
  readonly batchWritesMax: number;
  readonly entriesPerSnapshot: number;
  readonly catchupEntries: number;
  readonly progressIntervalMs: number;
  readonly retention: Retention;
  /** Replicate how much time leases have left (feature LeaseCheckpoint). */
  readonly leaseCheckpoints: boolean;
  /** Feature gates, for metrics. */
  readonly features: MemberSample["features"];
  /** Applying one command longer than this is worth a warning. */
  readonly slowApplyMs: number;
}

const REQUEST_TIMEOUT_BASE_MS = 5000;
const LEASE_TTL_ELECTIONS = 1.5;
/** What gRPC allows a message on top of the largest request. */
const GRPC_OVERHEAD_BYTES = 512 * 1024;

export class Member {
  readonly services: Services;
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly storage: Bootstrapped;
  readonly store: Store;
  readonly hub: WatchHub;
  readonly membership: Membership;
  readonly alarms: Alarms;
  readonly lessor: Lessor;
  readonly stateMachine: StateMachine;
  readonly log: SingleVoter;
  readonly queue: ProposalQueue;
  readonly leaseKeeper: LeaseKeeper;
  readonly leaseServer: LeaseServer;
  readonly watchServer: WatchServer;
  readonly quotaBytes: number;
  readonly features: MemberSample["features"];
  readonly instruments = new MemberInstruments();
  readonly applyObserver: ApplyObserver;
  readonly reads: Reads;
  readonly compactor: Compactor;
  readonly #options: MemberOptions;
  readonly #loop: RaftLoop;
  readonly #proposer: Proposer;
  readonly #background: Background;
  readonly #committer: DatabaseCommitter;
  readonly #snapshotter: Snapshotter;
  readonly #autoCompactor: AutoCompactor;
  #onReady: (() => void) | null = null;

  constructor(options: MemberOptions) {
    const { clock, logger, random } = options;
    this.#options = options;
    const { instruments } = this;
    const storage = bootstrap({
      ...options,
      walObserver: {
        written: (seconds) => instruments.walWriteSeconds.observe(seconds),
        synced: (seconds) => instruments.walFsyncSeconds.observe(seconds),
      },
    });
    this.storage = storage;
    this.memberId = storage.memberId;
    this.clusterId = storage.clusterId;
    this.quotaBytes = options.quotaBytes;
    const { database, wal, memberId } = storage;
    const ttlSecondsMin = Math.ceil((LEASE_TTL_ELECTIONS * options.electionTimeoutMs) / 1000);
    const lessor = new Lessor(database, { ttlSecondsMin });
    this.lessor = lessor;
    let hub: WatchHub | null = null;
    this.store = Store.open({
      database,
      hashSeed: random.uint32(),
      onChanges: (batch) => hub?.notify(batch),
      onLease: (key, leaseId) => {
        if (lessor.has(leaseId)) lessor.attach(key, leaseId);
      },
    });
    hub = new Hub(this.store);
    this.hub = hub;
    logger.info("kvstore restored", { "current-rev": this.store.revision() });
    this.membership = new Membership(database);
    this.alarms = new Alarms(database);
    const { store, membership, alarms } = this;
    const stateMachine = new StateMachine({ database, store, lessor, membership, alarms });
    this.stateMachine = stateMachine;
    this.log = new SingleVoter({
      memberId,
      hardState: storage.hardState,
      entries: storage.entries,
      appliedIndex: stateMachine.appliedIndex(),
    });
    const { log } = this;
    const timeoutMs = REQUEST_TIMEOUT_BASE_MS + 2 * options.electionTimeoutMs;
    this.queue = new ProposalQueue(clock, timeoutMs);
    const headers = new HeaderFactory(storage.clusterId, memberId, () => log.status().term);
    this.#background = new Background(clock);
    this.applyObserver = new ApplyObserver(instruments, logger, options.slowApplyMs);
    this.features = options.features;
    this.#committer = new DatabaseCommitter(database, clock, instruments, {
      intervalMs: options.batchIntervalMs,
      writesMax: options.batchWritesMax,
    });
    this.reads = new Reads({ log, stateMachine, clock, timeoutMs });
    this.#loop = new RaftLoop({
      clock,
      log,
      wal,
      stateMachine,
      reply: (requestId, _kind, reply) => this.#proposer.deliver(requestId, reply),
      observeApply: this.applyObserver.observe,
      onApplied: () => this.#afterApply(),
    });
    this.#proposer = new Proposer({
      log,
      loop: this.#loop,
      stateMachine,
      queue: this.queue,
      headers,
      requestBytesMax: options.requestBytesMax,
    });
    const proposer = this.#proposer;
    const reads = this.reads;
    const background = this.#background;
    const committer = this.#committer;
    this.#snapshotter = new Snapshotter({
      database,
      committer,
      wal,
      clock,
      logger,
      appliedIndex: () => stateMachine.appliedIndex(),
      entriesPerSnapshot: options.entriesPerSnapshot,
      catchupEntries: options.catchupEntries,
    });
    this.compactor = new Compactor({
      store,
      background,
      committer,
      clock,
      logger,
      instruments,
    });
    this.#autoCompactor = new AutoCompactor({ store, proposer, clock, logger }, options.retention);
    this.leaseKeeper = new LeaseKeeper(lessor, proposer, clock, options.leaseCheckpoints);
    const quota = new QuotaGuard({
      database,
      alarms,
      proposer,
      logger,
      memberId,
      quotaBytes: options.quotaBytes,
    });
    const view = stateMachine.view();
    this.watchServer = new WatchServer({
      hub,
      clock,
      random,
      background,
      headers,
      permission: () => null,
      hasLeader: () => log.status().leader !== 0n,
      limits: {
        progressNotifyIntervalMs: options.progressIntervalMs,
        fragmentBytesMax: options.requestBytesMax + GRPC_OVERHEAD_BYTES,
        streamQueueBytesMax: STREAM_QUEUE_BYTES_MAX,
        watchersPerStreamMax: WATCHERS_PER_STREAM_MAX,
      },
    });
    this.leaseServer = new LeaseServer({
      lessor,
      store,
      clock,
      proposer,
      reads,
      headers,
      quota,
      leaseIds: new LeaseIdSource(memberId, clock),
    });
    this.services = {
      kv: new KvServer({
        store,
        view,
        reads,
        proposer,
        headers,
        quota,
        compactor: this.compactor,
        counters: stateMachine.counters,
        slicedRange: new SlicedRange({ store, view, background, headers }),
        txnOperationsMax: options.txnOperationsMax,
        requestBytesMax: options.requestBytesMax,
      }),
      watch: this.watchServer,
      lease: this.leaseServer,
      cluster: new ClusterServer(membership, reads, headers),
      maintenance: new MaintenanceServer({
        log,
        store,
        stateMachine,
        alarms,
        membership,
        proposer,
        headers,
        quota,
        memberId,
        database,
        instruments,
        background,
        newDigest: options.newDigest,
        clock,
        logger,
      }),
      health: new HealthServer({ log, alarms, membership, reads, memberId }),
    };
  }

  /** Leads the cluster of one; `ready` is called once this member published itself through the log. */
  start(ready: () => void): void {
    const { clock, logger, electionTimeoutMs } = this.#options;
    this.#onReady = ready;
    this.log.campaign();
    logger.info("elected leader", {
      "local-member-id": this.memberId,
      term: this.log.status().term,
    });
    const extendMs = this.storage.isNew ? 0 : electionTimeoutMs;
    this.lessor.promote(clock.monotonicMs(), extendMs);
    this.#publish();
    this.#loop.wake();
    this.compactor.wake();
    this.#autoCompactor.start();
  }

  #publish(): void {
    const { name, clientUrls, logger } = this.#options;
    const attributes = { name, client_urls: [...clientUrls] };
    this.#proposer.propose(
      CommandKind.memberAttributesSet,
      encodeMembershipClusterMemberAttrSetRequest,
      { member_ID: this.memberId, member_attributes: attributes },
      {
        succeed: () => {
          logger.info("published local member to cluster through raft", {
            "local-member-id": this.memberId,
            "local-member-attributes": JSON.stringify({ Name: name, ClientURLs: clientUrls }),
            "cluster-id": this.clusterId,
          });
          this.#onReady?.();
        },
        fail: (error) => logger.warn("failed to publish local member", { error: error.message }),
      },
    );
    if (this.membership.clusterVersion() !== CLUSTER_VERSION) this.#setClusterVersion();
    else logger.info("enabled capabilities for version", { "cluster-version": "3.7" });
  }

  #setClusterVersion(): void {
    const { logger } = this.#options;
    this.#proposer.propose(
      CommandKind.clusterVersionSet,
      encodeMembershipClusterVersionSetRequest,
      { ver: CLUSTER_VERSION },
      {
        succeed: () => {
          logger.info("set initial cluster version", { "cluster-version": "3.7" });
          logger.info("enabled capabilities for version", { "cluster-version": "3.7" });
        },
        fail: (error) => logger.warn("failed to set the version", { error: error.message }),
      },
    );
  }

  #afterApply(): void {
    this.#committer.noteWrites();
    this.#snapshotter.noteApplied();
    this.reads.onApplied();
    this.compactor.wake();
    this.leaseKeeper.wake();
  }

  /** Whether every request is served: a leader is known and no CORRUPT alarm stands. */
  isServing(): boolean {
    return this.log.status().leader !== 0n && !this.alarms.isActive(AlarmType.CORRUPT);
  }

  /** Ends in good order: refuses what comes, commits the database, writes the index checkpoint, closes the files. */
  stop(done: () => void): void {
    this.#proposer.stop();
    this.#autoCompactor.stop();
    this.leaseKeeper.stop();
    this.queue.failAll(errStopped);
    this.reads.stop();
    this.#background.stop();
    this.#committer.stop();
    this.#loop.stop();
    this.storage.database.commit(() => {
      this.storage.wal.close();
      this.storage.database.close();
      done();
    });
  }
}
