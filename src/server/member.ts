/**
 * One member, built from ports: state is opened from disk, loops and services are made around it, and it is started
 * and stopped. The edges (http, command line) get `services` and know nothing else of what is in here.
 */
import {
  AlarmType,
  encodeMembershipClusterMemberAttrSetRequest,
  encodeMembershipClusterVersionSetRequest,
  errStopped,
} from "../api/index.ts";
import { CLUSTER_VERSION } from "../base/version.ts";
import { CommandKind } from "../state-machine/index.ts";
import { ApplyObserver } from "./apply-observer.ts";
import { AutoCompactor } from "./auto-compactor.ts";
import { Background } from "./background.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Compactor } from "./compactor.ts";
import { DatabaseCommitter } from "./database-committer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { type MemberOptions, requestTimeoutMs } from "./member-options.ts";
import { type MemberServices, makeServices } from "./member-services.ts";
import { checkpointPath, type MemberState, openState } from "./member-state.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import { Proposer } from "./proposer.ts";
import { RaftLoop } from "./raft-loop.ts";
import { Reads } from "./reads.ts";
import { HeaderFactory } from "./response-header.ts";
import { Snapshotter } from "./snapshotter.ts";

export class Member {
  readonly options: MemberOptions;
  readonly state: MemberState;
  readonly services: MemberServices;
  readonly queue: ProposalQueue;
  readonly reads: Reads;
  readonly compactor: Compactor;
  readonly leaseKeeper: LeaseKeeper;
  readonly applyObserver: ApplyObserver;
  readonly #loop: RaftLoop;
  readonly #proposer: Proposer;
  readonly #background: Background;
  readonly #committer: DatabaseCommitter;
  readonly #snapshotter: Snapshotter;
  readonly #checkpointer: Checkpointer;
  readonly #autoCompactor: AutoCompactor;

  constructor(options: MemberOptions) {
    const { clock, logger } = options;
    const state = openState(options);
    const { storage, store, lessor, stateMachine, log, instruments } = state;
    const { database, wal, memberId, clusterId } = storage;
    this.options = options;
    this.state = state;
    const timeoutMs = requestTimeoutMs(options);
    const headers = new HeaderFactory(clusterId, memberId, () => log.status().term);
    const background = new Background(clock);
    const committer = new DatabaseCommitter(database, clock, instruments, {
      intervalMs: options.batchIntervalMs,
      writesMax: options.batchWritesMax,
    });
    this.queue = new ProposalQueue(clock, options.random, timeoutMs);
    this.reads = new Reads({ log, stateMachine, clock, timeoutMs });
    this.applyObserver = new ApplyObserver(instruments, logger, options.slowApplyMs);
    const loop = new RaftLoop({
      ...{ clock, log, wal, stateMachine },
      reply: (requestId, _kind, reply) => proposer.deliver(requestId, reply),
      observeApply: this.applyObserver.observe,
      onApplied: () => this.#afterApply(),
    });
    const { requestBytesMax } = options;
    const { queue } = this;
    const proposer = new Proposer({ log, loop, stateMachine, queue, headers, requestBytesMax });
    this.#loop = loop;
    this.#proposer = proposer;
    this.#background = background;
    this.#committer = committer;
    this.#snapshotter = new Snapshotter({
      ...{ database, committer, wal, clock, logger },
      appliedIndex: () => stateMachine.appliedIndex(),
      entriesPerSnapshot: options.entriesPerSnapshot,
      catchupEntries: options.catchupEntries,
      onDiskFailure: options.onDiskFailure,
    });
    this.compactor = new Compactor({ store, background, committer, clock, logger, instruments });
    this.#checkpointer = new Checkpointer({
      ...{ store, background, committer, clock, logger, disk: options.disk },
      path: checkpointPath(storage),
    });
    this.#autoCompactor = new AutoCompactor({ store, proposer, clock, logger }, options.retention);
    this.leaseKeeper = new LeaseKeeper(lessor, proposer, clock, options.leaseCheckpoints);
    const { reads, compactor } = this;
    this.services = makeServices(options, state, {
      ...{ headers, background, committer, proposer, reads, compactor },
    });
  }

  get memberId(): bigint {
    return this.state.storage.memberId;
  }

  get clusterId(): bigint {
    return this.state.storage.clusterId;
  }

  /** Leads the cluster of one; `ready` is called once this member published itself through the log. */
  start(ready: () => void): void {
    const { clock, logger, electionTimeoutMs } = this.options;
    const { log, lessor, storage } = this.state;
    log.campaign();
    logger.info("elected leader", { "local-member-id": this.memberId, term: log.status().term });
    // A restarted leader was missing for a while: leases live that much longer.
    lessor.promote(clock.monotonicMs(), storage.isNew ? 0 : electionTimeoutMs);
    this.#publish(ready);
    this.#loop.wake();
    this.compactor.wake();
    this.#autoCompactor.start();
  }

  #publish(ready: () => void): void {
    const { name, clientUrls, logger } = this.options;
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
          ready();
        },
        fail: (error) => logger.warn("failed to publish local member", { error: error.message }),
      },
    );
    const capabilities = () =>
      logger.info("enabled capabilities for version", { "cluster-version": "3.7" });
    if (this.state.membership.clusterVersion() === CLUSTER_VERSION) capabilities();
    else this.#setClusterVersion(capabilities);
  }

  #setClusterVersion(done: () => void): void {
    const { logger } = this.options;
    this.#proposer.propose(
      CommandKind.clusterVersionSet,
      encodeMembershipClusterVersionSetRequest,
      { ver: CLUSTER_VERSION },
      {
        succeed: () => {
          logger.info("set initial cluster version", { "cluster-version": "3.7" });
          done();
        },
        fail: (error) => logger.warn("failed to set the version", { error: error.message }),
      },
    );
  }

  #afterApply(): void {
    this.#committer.noteWrites();
    this.#snapshotter.noteApplied();
    this.#checkpointer.noteApplied();
    this.reads.onApplied();
    this.compactor.wake();
    this.leaseKeeper.wake();
    this.services.lease.onApplied();
  }

  /** Whether every request is served: a leader is known and no CORRUPT alarm stands. */
  isServing(): boolean {
    const { log, alarms } = this.state;
    return log.status().leader !== 0n && !alarms.isActive(AlarmType.CORRUPT);
  }

  /** Ends in good order: refuses what comes, makes the database durable, closes the files. */
  stop(done: () => void): void {
    const { storage } = this.state;
    this.#proposer.stop();
    this.#autoCompactor.stop();
    this.leaseKeeper.stop();
    this.services.watch.stop();
    this.queue.failAll(errStopped);
    this.reads.stop();
    this.#background.stop();
    this.#committer.stop();
    this.#loop.stop();
    storage.database.commit(() => {
      this.#checkpointer.stop();
      storage.wal.close();
      storage.database.close();
      done();
    });
  }
}
