/**
 * One member, built from ports: state is opened from disk, loops and services are made around it, and it is started
 * and stopped. The edges (http, command line) get `services` and know nothing else of what is in here.
 */
import { AlarmType, type EtcdError, errStopped, type Services } from "../api/index.ts";
import type { PeerAddress } from "../peer/index.ts";
import { ApplyObserver } from "./apply-observer.ts";
import { Background } from "./background.ts";
import { CallGate } from "./call-gate.ts";
import { setClusterVersion } from "./cluster-version.ts";
import type { Compactor } from "./compactor.ts";
import { DatabaseCommitter } from "./database-committer.ts";
import { DiskWatch } from "./disk-watch.ts";
import { advanceFirstElection } from "./election-advance.ts";
import { EntryApplier } from "./entry-applier.ts";
import { type HandOverParts, handOver } from "./hand-over.ts";
import { LeaderWatch } from "./leader-watch.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseTrust } from "./lease-trust.ts";
import { MemberDuties } from "./member-duties.ts";
import { electionTimeoutTicks, type MemberOptions, requestTimeoutMs } from "./member-options.ts";
import { type MemberServices, makeServices } from "./member-services.ts";
import { type MemberState, openState } from "./member-state.ts";
import { logMembershipChange } from "./membership-log.ts";
import { PeerRequests } from "./peer-requests.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import { Proposer } from "./proposer.ts";
import { publish } from "./publisher.ts";
import { RaftLoop } from "./raft-loop.ts";
import type { RaftNode } from "./raft-node.ts";
import { Reads } from "./reads.ts";
import { HeaderFactory } from "./response-header.ts";
import { SnapshotTraffic } from "./snapshot-traffic.ts";
import { StartProblem } from "./start-problem.ts";
import { timeoutError } from "./timeout-error.ts";

export class Member {
  readonly options: MemberOptions;
  readonly state: MemberState;
  readonly raft: RaftNode;
  readonly services: MemberServices;
  readonly gate: CallGate;
  /** The services as edges may call them. */
  readonly api: Services;
  readonly queue: ProposalQueue;
  readonly reads: Reads;
  readonly loop: RaftLoop;
  readonly diskWatch: DiskWatch;
  readonly #leaderWatch: LeaderWatch;
  readonly applyObserver: ApplyObserver;
  /** Questions of other members; who answers them registers here. */
  readonly peerRequests = new PeerRequests();
  readonly #proposer: Proposer;
  readonly #background: Background;
  readonly #committer: DatabaseCommitter;
  readonly #snapshots: SnapshotTraffic;
  readonly #applier: EntryApplier;
  readonly #duties: MemberDuties;
  /** False while it still compares its data with the others': then raft's messages are lost on it. */
  #takesPart = false;
  #stopped = false;

  /** Parts in the order in which they need each other; what one only calls later, it gets as a function. */
  constructor(options: MemberOptions) {
    const { clock, logger, random, requestBytesMax } = options;
    const state = openState(options);
    const { storage, stateMachine, node, instruments } = state;
    const { peerRequests } = this;
    this.options = options;
    this.state = state;
    this.raft = node;
    const timeoutMs = requestTimeoutMs(options);
    const timeoutError = (sinceMs: number) => this.#timeoutError(sinceMs);
    const wake = () => this.loop.wake();
    const headers = new HeaderFactory(storage.clusterId, storage.memberId, () => node.term());
    const background = new Background(clock);
    const committer = new DatabaseCommitter(storage.database, clock, instruments, {
      intervalMs: options.batchIntervalMs,
      writesMax: options.batchWritesMax,
      onDurable: (index, term) => this.#compactLog(index, term),
    });
    const queue = new ProposalQueue(clock, random, timeoutMs, timeoutError);
    const reads = new Reads({
      ...{ node, clock, timeoutMs, timeoutError, wake },
      catchUp: options.readMode === "lease" ? () => this.loop.catchUp() : null,
    });
    this.queue = queue;
    this.reads = reads;
    this.#background = background;
    this.#committer = committer;
    this.diskWatch = new DiskWatch(logger, options.electionTimeoutMs);
    this.#leaderWatch = new LeaderWatch({ node, ...options });
    this.applyObserver = new ApplyObserver(instruments, logger, options.slowApplyMs);
    this.#applier = new EntryApplier({
      ...{ stateMachine, clock, observe: this.applyObserver.observe },
      reply: (requestId, _kind, reply, origin) => proposer.deliver(origin, requestId, reply),
      onMembership: (index, change) => this.#changeMembership(index, change),
    });
    this.#snapshots = new SnapshotTraffic({ options, state, committer, background, wake });
    const loop = this.#makeLoop();
    this.loop = loop;
    const proposer = new Proposer({
      ...{ raft: node, loop, stateMachine, queue, headers, requestBytesMax },
    });
    this.#proposer = proposer;
    this.#duties = new MemberDuties(options, state, {
      ...{ background, committer, proposer, reads, peerRequests },
    });
    const { compactor, leaseKeeper } = this.#duties;
    this.services = makeServices(options, state, {
      ...{ headers, background, committer, proposer, reads, compactor, loop, queue, peerRequests },
      ...{ leaseKeeper, handOver: this.#handOverParts() },
    });
    this.services.lease.registerPeerRequests(peerRequests);
    this.gate = new CallGate({
      ...{ raft: node, clock, electionTimeoutMs: options.electionTimeoutMs },
      clientRequests: instruments.clientRequests,
      isLearner: () => node.raft.configuration.learners.includes(storage.memberId),
    });
    this.api = this.gate.guard(this.services);
    this.#watchLeadership();
  }

  #makeLoop(): RaftLoop {
    const { clock, logger, transport, heartbeatIntervalMs, readMode } = this.options;
    const { raft: node } = this;
    const patienceMs = this.options.electionTimeoutMs;
    return new RaftLoop({
      ...{ clock, node, wal: this.state.storage.wal, transport, reads: this.reads },
      tickIntervalMs: heartbeatIntervalMs,
      leaseTrust:
        readMode === "lease"
          ? new LeaseTrust({ node, transport, clock, logger, patienceMs })
          : null,
      proposalTimeoutMs: requestTimeoutMs(this.options),
      apply: this.#applier.apply,
      onTick: () => {
        this.diskWatch.note(this.loop.diskStalledMs());
        this.#leaderWatch.note();
      },
      onApplied: () => this.#afterApply(),
      sendSnapshot: (message) => this.#snapshots.send(message),
      installSnapshot: (mark, done) => this.#install(mark, done),
    });
  }

  get compactor(): Compactor {
    return this.#duties.compactor;
  }

  get leaseKeeper(): LeaseKeeper {
    return this.#duties.leaseKeeper;
  }

  get memberId(): bigint {
    return this.state.storage.memberId;
  }

  get clusterId(): bigint {
    return this.state.storage.clusterId;
  }

  /**
   * Takes part from now on; `ready` is called once this member published itself through the log. `refused` is called
   * instead where other members have other data; then there is nothing left but to stop.
   */
  start(ready: () => void, refused: (problem: StartProblem) => void = throwIt): void {
    const { options, state } = this;
    const { transport } = options;
    // What a first start put into the log counts as committed: it is durable before anything is done with it.
    state.storage.wal.flush(() => {
      if (this.#stopped) return;
      transport.start({
        receive: (messages) => {
          if (this.#takesPart) this.loop.receive(messages);
        },
        unreachable: (member) => this.raft.raft.reportUnreachable(member),
        beginSnapshot: (transfer) => (this.#takesPart ? this.#snapshots.begin(transfer) : null),
        request: (from, request, body, respond) =>
          this.peerRequests.handle(from, request, body, respond),
        removed: () => options.onRemoved(),
      });
      this.#updatePeers();
      if (state.storage.isNew) {
        this.#takePart(ready);
        return;
      }
      this.#duties.compareFirst((problem) => {
        if (this.#stopped) return;
        if (problem === null) this.#takePart(ready);
        else refused(new StartProblem(problem));
      });
    });
  }

  #takePart(ready: () => void): void {
    const { clock, logger, name, clientUrls } = this.options;
    this.#takesPart = true;
    this.loop.start();
    this.#campaignAlone();
    this.#advanceElection();
    const { memberId, clusterId } = this;
    const parts = { proposer: this.#proposer, clock, logger, name, clientUrls };
    publish({ ...parts, memberId, clusterId }, () => this.#stopped, ready);
    this.#duties.start();
  }

  /** Whether every request is served: a leader is known and no CORRUPT alarm stands. */
  isServing(): boolean {
    return this.raft.leader() !== 0n && !this.state.alarms.isActive(AlarmType.CORRUPT);
  }

  /** Gives leadership away, where there is somebody to take it; before the listeners are closed. */
  handOver(done: () => void): void {
    handOver(this.#handOverParts(), done);
  }

  /** Ends in good order: refuses what comes, makes the database durable, closes the files. */
  stop(done: () => void): void {
    const { storage } = this.state;
    this.#stopped = true;
    this.#proposer.stop();
    this.#duties.stop();
    this.services.watch.stop();
    this.services.lease.stop();
    this.gate.stop();
    this.queue.failAll(errStopped);
    this.reads.stop();
    this.#background.stop();
    this.#committer.stop();
    this.loop.stop();
    this.options.transport.stop();
    this.#snapshots.stop();
    storage.database.commit(() => {
      this.#duties.close();
      storage.wal.close();
      storage.database.close();
      done();
    });
  }

  #handOverParts(): HandOverParts {
    const { clock, logger, transport, electionTimeoutMs } = this.options;
    return {
      ...{ node: this.raft, transport, clock, logger },
      timeoutMs: 5000 + electionTimeoutMs,
      wake: () => this.loop.wake(),
    };
  }

  #watchLeadership(): void {
    const { logger } = this.options;
    let versionTerm = 0;
    this.raft.onLeadership((news) => {
      // At once, not when this member may lead: so it comes before the entry that makes a first member ready.
      if (news.leader === this.memberId && news.term !== versionTerm) {
        const isSet = setClusterVersion(this.state.membership, this.#proposer, logger);
        if (isSet) versionTerm = news.term;
      }
      this.reads.retry();
      if (news.leader !== 0n) this.loop.wake();
    });
  }

  #advanceElection(): void {
    const { options, raft: node } = this;
    const { transport, clock, electionTickAdvance, readMode } = options;
    if (!electionTickAdvance || readMode === "lease") return;
    advanceFirstElection({
      ...{ node, transport, clock },
      tickIntervalMs: options.heartbeatIntervalMs,
      electionTimeoutTicks: electionTimeoutTicks(options),
      isStopped: () => this.#stopped,
    });
  }

  /** The only voter need not wait for its election timeout. */
  #campaignAlone(): void {
    const { raft } = this.raft;
    const { voters } = raft.configuration;
    if (voters.length !== 1 || voters[0] !== this.memberId || raft.role !== "follower") return;
    raft.campaign();
    this.loop.wake();
  }

  #changeMembership(index: number, change: Parameters<RaftLoop["applyMembership"]>[1]): void {
    const before = this.raft.raft.configuration;
    this.loop.applyMembership(index, change);
    if (change === null) return;
    const { clusterId, memberId } = this;
    const { membership } = this.state;
    logMembershipChange({ ...this.options, clusterId, memberId, membership }, change, before);
    this.#updatePeers();
    if (change.kind === "remove" && change.member === memberId) this.options.onRemoved();
  }

  /** Whom to talk to: the members of the applied state; before it names this one, those of the start. */
  #updatePeers(): void {
    const { transport } = this.options;
    const { membership, storage } = this.state;
    const byId = new Map<bigint, PeerAddress>();
    if (membership.member(this.memberId) === undefined) {
      for (const peer of storage.remotes) byId.set(peer.id, peer);
    }
    for (const { id, peerUrls } of membership.members()) byId.set(id, { id, peerUrls });
    byId.delete(this.memberId);
    transport.setPeers([...byId.values()]);
    transport.setRemoved(membership.removedIds());
  }

  #install(mark: Parameters<SnapshotTraffic["install"]>[0], done: () => void): void {
    this.#snapshots.install(mark, () => {
      this.raft.installed(mark.index);
      this.#updatePeers();
      this.#afterApply();
      done();
      this.reads.onApplied(mark.index);
      // Removed while it was away: it learns of it from the state itself.
      if (this.state.membership.isRemoved(this.memberId)) this.options.onRemoved();
    });
  }

  /** Entries that the database holds stay in memory only as far as a follower may still need them. */
  #compactLog(index: number, term: number): void {
    const kept = this.raft.raft.isAlone() ? 0 : this.options.catchupEntries;
    this.raft.compact({ index, term }, this.#snapshots.neededAfter(), kept);
  }

  #timeoutError(sinceMs: number): EtcdError {
    const { transport, electionTimeoutMs } = this.options;
    const { voters, learners } = this.raft.raft.configuration;
    return timeoutError(sinceMs, {
      memberId: this.memberId,
      leader: this.raft.leader(),
      leaderSinceMs: this.raft.leaderSinceMs,
      electionTimeoutMs,
      members: [...voters, ...learners],
      activeSinceMs: (member) => transport.activeSinceMs(member),
    });
  }

  #afterApply(): void {
    if (this.raft.leader() === 0n) this.#campaignAlone();
    this.#committer.noteWrites();
    this.#duties.noteApplied();
    this.services.lease.onApplied();
  }
}

function throwIt(problem: StartProblem): never {
  throw problem;
}
