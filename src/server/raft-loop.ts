/**
 * Drives raft: time, messages and proposals go in; once a turn of the event loop everything that raft wants done
 * comes out and is done in the order of its contract (raft/ready.ts). Messages leave first: a leader replicates while
 * its own disk syncs, and no heartbeat waits for a disk. Nothing is applied or answered before it is durable on a
 * majority.
 */
import { type EtcdError, errRequestTooManyRequests } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { PeerTransport, SnapshotMessage } from "../peer/index.ts";
import type {
  Entry,
  MembershipChange,
  Message,
  Proposal,
  RaftReady,
  SnapshotMark,
} from "../raft/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import { ApplyQueue } from "./apply-queue.ts";
import { GatheredProposals } from "./gathered-proposals.ts";
import { HeldProposals } from "./held-proposals.ts";
import type { LeaseTrust } from "./lease-trust.ts";
import type { RaftNode } from "./raft-node.ts";
import type { Reads } from "./reads.ts";
import { Ticker } from "./ticker.ts";

const COMMIT_NOTICE_MS = 1;

export interface RaftLoopOptions {
  readonly clock: Clock;
  readonly node: RaftNode;
  readonly wal: WriteAheadLog;
  readonly transport: PeerTransport;
  readonly reads: Reads;
  readonly tickIntervalMs: number;
  /** Set in lease mode. */
  readonly leaseTrust: LeaseTrust | null;
  /** How long a proposal may wait for a leader. */
  readonly proposalTimeoutMs: number;
  /** Puts one committed entry into the state machine. */
  readonly apply: (entry: Entry, nowMs: number) => void;
  readonly onTick: () => void;
  /** Called after each slice of applied entries. */
  readonly onApplied: () => void;
  readonly sendSnapshot: (message: SnapshotMessage) => void;
  /** Makes a received snapshot, which the log names durably now, the member's state. */
  readonly installSnapshot: (mark: SnapshotMark, done: () => void) => void;
}

export class RaftLoop {
  readonly #options: RaftLoopOptions;
  readonly #queue: ApplyQueue;
  readonly #held: HeldProposals;
  readonly #gathered: GatheredProposals;
  readonly #ticker: Ticker;
  #turnScheduled = false;
  #inTurn = false;
  /** Received snapshots that are being made the state: no later Ready is reported before their own. */
  #installing = 0;
  #persistedWhileInstalling = 0;
  /** Since when the oldest unfinished sync runs; Infinity for none. */
  #syncingSinceMs = Number.POSITIVE_INFINITY;
  #syncsUnderWay = 0;
  #commitTimer: Timer | null = null;
  /** The commit index when everybody was last told. */
  #toldCommit = 0;
  #stopped = false;
  /** Ticks that came more than an interval late while this member led. */
  lateHeartbeats = 0;

  constructor(options: RaftLoopOptions) {
    const { clock, node, leaseTrust, tickIntervalMs } = options;
    this.#options = options;
    this.#queue = new ApplyQueue({
      clock,
      apply: options.apply,
      onApplied: (index) => this.#applied(index),
    });
    this.#held = new HeldProposals(clock, options.proposalTimeoutMs);
    this.#gathered = new GatheredProposals(clock, (proposals) => this.#proposeAll(proposals));
    this.#ticker = new Ticker({
      clock,
      intervalMs: tickIntervalMs,
      everyTick: leaseTrust !== null,
      tick: () => {
        node.raft.tick();
        leaseTrust?.tick();
        options.onTick();
        this.wake();
      },
      late: () => {
        if (node.isLeader()) this.lateHeartbeats++;
      },
      mayRest: () => node.raft.isAlone() && node.raft.role === "leader",
    });
  }

  /** Time begins. */
  start(): void {
    this.#ticker.wake();
    this.wake();
  }

  /** Bytes on their way into the state machine: what the admission bounds. */
  pendingBytes(): number {
    return this.#options.node.raft.uncommittedBytes + this.#gathered.bytes + this.#queue.bytes;
  }

  /** Received snapshots that are being made the state. */
  get installing(): number {
    return this.#installing;
  }

  /** How long the oldest unfinished disk write has been running. */
  diskStalledMs(): number {
    return Math.max(0, this.#options.clock.monotonicMs() - this.#syncingSinceMs);
  }

  /**
   * Takes a proposal: into the own log, on its way to the leader, or held until there is one, or until more can be sent
   * to it. Null, or why it was refused.
   */
  propose(kind: number, data: Uint8Array): EtcdError | null {
    const { node } = this.#options;
    if (node.isLeader() && this.#gathered.isWorthIt()) {
      this.#gathered.add(kind, data);
      return null;
    }
    this.wake();
    if (this.#isLeaderOutOfReach()) {
      return this.#held.add(kind, data) ? null : errRequestTooManyRequests;
    }
    const result = node.raft.propose(kind, data);
    if (typeof result === "number" || result === "forwarded") return null;
    if (result === "too-many-uncommitted" && node.isLeader()) return errRequestTooManyRequests;
    return this.#held.add(kind, data) ? null : errRequestTooManyRequests;
  }

  /** What gathered goes into the log together. Where leadership was lost meanwhile it waits for the next leader. */
  #proposeAll(proposals: readonly Proposal[]): void {
    if (this.#stopped) return;
    const { raft } = this.#options.node;
    for (let i = 0; i < proposals.length; i++) {
      const { kind, data } = proposals[i]!;
      const result = raft.propose(kind, data);
      if (typeof result !== "number" && result !== "forwarded") this.#held.add(kind, data);
    }
    this.#turn();
  }

  /**
   * Nothing can be sent to the leader that this member still believes in: what is held until it is back, or another
   * one is there, waits for an election; what were forwarded would be lost, and its client wait in vain.
   */
  #isLeaderOutOfReach(): boolean {
    const { node, transport } = this.#options;
    const { leader } = node.raft;
    if (leader === 0n || node.isLeader()) return false;
    return Number.isNaN(transport.activeSinceMs(leader));
  }

  /** Takes it only while this member leads: it is never sent to another leader (incident 17). */
  proposeAsLeader(kind: number, data: Uint8Array): boolean {
    const { raft } = this.#options.node;
    if (raft.role !== "leader" || typeof raft.propose(kind, data) !== "number") return false;
    this.wake();
    return true;
  }

  /** Ticks that are due come before anything that trusts the time, or a lease. */
  catchUp(): void {
    this.#ticker.catchUp();
    this.#options.leaseTrust?.update();
  }

  /** There may be something to do: look in the next turn, after what has arrived was handled. */
  wake(): void {
    if (this.#turnScheduled || this.#stopped) return;
    this.#turnScheduled = true;
    this.#options.clock.soon(() => {
      this.#turnScheduled = false;
      this.#turn();
    });
  }

  /**
   * Messages of others arrived: what they caused is done at once, they came together anyway. In lease mode the ticks
   * that are due come first: time that was over before a promise was given to a leader must not shorten it.
   */
  receive(messages: readonly Message[]): void {
    const { leaseTrust, node } = this.#options;
    const { raft } = node;
    if (leaseTrust !== null) this.#ticker.catchUp();
    for (let i = 0; i < messages.length; i++) raft.step(messages[i]!);
    this.#turn();
  }

  stop(): void {
    this.#stopped = true;
    this.#ticker.stop();
    this.#commitTimer?.cancel();
    this.#queue.stop();
    this.#held.clear();
    this.#gathered.clear();
  }

  #turn(): void {
    // A disk may finish a sync within the call that asked for it: the turn under way goes on.
    if (this.#stopped || this.#inTurn) return;
    this.#inTurn = true;
    const { node, reads } = this.#options;
    this.catchUp();
    this.#ticker.wake();
    // Whoever proposed them waits for a reply, not for a refusal. Copied: they are views of what a socket read.
    for (const { kind, data } of node.raft.takeStranded()) this.#held.add(kind, data.slice());
    if (this.#held.count > 0) {
      // What a leader has to say first comes before what waited for one.
      node.noteChanges();
      this.#proposeHeld();
    }
    reads.endBatch();
    for (;;) {
      const ready = node.raft.takeReady();
      if (ready === null) break;
      this.#handle(ready);
      if (this.#stopped) break;
    }
    this.#inTurn = false;
    if (node.isLeader()) this.#tellCommitsSoon();
    node.noteChanges();
  }

  /** Followers that nobody waits on hear of a commit with the next entries, or after a moment. */
  #tellCommitsSoon(): void {
    const { clock, node } = this.#options;
    const { commit } = node.raft;
    if (this.#commitTimer !== null || commit === this.#toldCommit || node.raft.isAlone()) return;
    this.#commitTimer = clock.setTimer(COMMIT_NOTICE_MS, () => {
      this.#commitTimer = null;
      this.#toldCommit = node.raft.commit;
      node.raft.tellCommits();
      this.wake();
    });
  }

  #proposeHeld(): void {
    const { node } = this.#options;
    const { raft } = node;
    if (raft.leader === 0n || raft.transferTarget !== 0n || this.#isLeaderOutOfReach()) return;
    const held = this.#held.take();
    for (let i = 0; i < held.length; i++) {
      const result = raft.propose(held[i]!.kind, held[i]!.data);
      if (typeof result === "number" || result === "forwarded") continue;
      // More than may be on its way at once: the rest waits on, as long as it would have anyway.
      this.#held.putBack(held.slice(i));
      if (!node.isLeader()) this.wake();
      return;
    }
  }

  #handle(ready: RaftReady): void {
    const { node, wal, reads } = this.#options;
    if (ready.messages.length > 0) this.#send(ready);
    if (ready.snapshot !== null) {
      this.#installing++;
      this.#queue.clear();
      wal.replaceBySnapshot(ready.snapshot.index, ready.snapshot.term);
      node.storage.installSnapshot(ready.snapshot);
    }
    if (ready.entries.length > 0) this.#gathered.noteBatch(ready.entries.length);
    wal.append(ready.entries, ready.hardState);
    node.storage.append(ready.entries);
    if (ready.mustSync) this.#sync(ready);
    this.#queue.push(ready.committed);
    this.#queue.run();
    reads.confirmed(ready.reads);
    reads.aborted(ready.abortedReads);
  }

  #send({ messages }: RaftReady): void {
    const { transport, sendSnapshot } = this.#options;
    if (messages.every(isNoSnapshot)) {
      transport.send(messages);
      return;
    }
    transport.send(messages.filter(isNoSnapshot));
    for (const message of messages) if (message.kind === "snapshot") sendSnapshot(message);
  }

  #sync({ sequence, snapshot }: RaftReady): void {
    const { clock, wal } = this.#options;
    if (this.#syncsUnderWay++ === 0) this.#syncingSinceMs = clock.monotonicMs();
    wal.flush(() => {
      this.#syncsUnderWay--;
      this.#syncingSinceMs =
        this.#syncsUnderWay === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs();
      if (this.#stopped) return;
      if (snapshot !== null) this.#install(snapshot, sequence);
      else this.#durable(sequence);
    });
  }

  #durable(sequence: number): void {
    if (this.#installing > 0) {
      this.#persistedWhileInstalling = Math.max(this.#persistedWhileInstalling, sequence);
      return;
    }
    this.#options.node.raft.persisted(sequence);
    // What came meanwhile goes to the disk first: it syncs while the entries that are durable now are applied. A
    // commit index alone is not written for its own sake; it leaves with the next batch.
    this.#turn();
  }

  #install(mark: SnapshotMark, sequence: number): void {
    this.#persistedWhileInstalling = Math.max(this.#persistedWhileInstalling, sequence);
    this.#options.installSnapshot(mark, () => {
      if (this.#stopped) return;
      if (--this.#installing > 0) return;
      const persisted = this.#persistedWhileInstalling;
      this.#persistedWhileInstalling = 0;
      this.#durable(persisted);
    });
  }

  #applied(index: number): void {
    const { node, reads, onApplied } = this.#options;
    if (this.#stopped) return;
    node.applied(index);
    reads.onApplied(index);
    onApplied();
    if (!this.#inTurn) this.wake();
  }

  /** A membership entry is being applied. */
  applyMembership(index: number, change: MembershipChange | null): void {
    const { node, leaseTrust } = this.#options;
    const { raft } = node;
    // A leader that removes itself leads no longer: the others must hear now that it is committed. If they count it
    // on, those that stay may be no majority, for ever.
    raft.tellCommits();
    raft.applyMembershipChange(index, change);
    leaseTrust?.update();
    // Whoever was alone had no need of time; no client may come to wake it.
    this.#ticker.wake();
  }
}

function isNoSnapshot(message: Message): boolean {
  return message.kind !== "snapshot";
}
