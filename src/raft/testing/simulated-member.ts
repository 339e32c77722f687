// A member with a disk that finishes writes late and loses the unfinished ones in a crash, and a
// state machine that applies in its own time. What is durable is kept apart from what raft reads.

import { assert } from "../../base/assert.ts";
import type { Configuration } from "../conf-change.ts";
import { ENTRY_MEMBERSHIP, type Entry } from "../entry.ts";
import { MemoryLog } from "../log-storage.ts";
import type { Message, SnapshotMark } from "../message.ts";
import { RaftMember } from "../raft-member.ts";
import type { RaftOptions, RaftReady } from "../ready.ts";
import type { HardState } from "../types.ts";
import type { Invariants } from "./invariants.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { decodeChange } from "./test-member.ts";

/** Everything a crash leaves behind. */
interface Durable {
  readonly log: MemoryLog;
  hardState: HardState;
  /** What the state machine had on disk, and the members then. */
  applied: number;
  configuration: Configuration;
}

export class SimulatedMember {
  readonly id: bigint;
  readonly durable: Durable;
  raft: RaftMember;
  isUp = true;
  isPaused = false;
  /** When its next tick is due, and how far apart its ticks are. */
  nextTickAt = 0;
  readonly tickEvery: number;
  lifeNumber = 1;
  /** Every written entry, durable or not: what the log is meant to be. */
  written: MemoryLog;
  readonly #options: RaftOptions;
  readonly #invariants: Invariants;
  readonly #random: SeededRandom;
  /**
   * Whether raft's storage shows writes at once or only when they are durable: both are allowed.
   */
  readonly #showsWritesEarly: boolean;
  #storage: MemoryLog;
  #unsynced: RaftReady[] = [];
  #toApply: Entry[] = [];
  /** Those in force since the last Ready; a commit was counted under one of them. */
  #configurations: Configuration[] = [];
  #applied: number;

  constructor(
    options: Omit<RaftOptions, "storage" | "hardState" | "appliedIndex" | "random">,
    invariants: Invariants,
    random: SeededRandom,
  ) {
    this.id = options.memberId;
    this.#invariants = invariants;
    this.#random = random;
    this.#showsWritesEarly = random.chance(0.5);
    this.tickEvery = 100 + random.below(1 + Math.floor(100 * options.clockDriftMax));
    this.durable = {
      log: new MemoryLog(),
      hardState: { term: 0, vote: 0n, commit: 0 },
      applied: 0,
      configuration: options.configuration,
    };
    this.#options = {
      ...options,
      storage: this.durable.log,
      hardState: this.durable.hardState,
      appliedIndex: 0,
      random: (below) => random.below(below),
    };
    this.written = new MemoryLog();
    this.#storage = new MemoryLog();
    this.#applied = 0;
    this.raft = this.#start();
  }

  /** Takes one Ready and does what may be done at once; returns the messages to send. */
  turn(): readonly Message[] {
    const ready = this.raft.takeReady();
    if (ready === null) return [];
    const configurations = this.#configurations;
    this.#configurations = [this.raft.status().configuration];
    this.#write(this.written, ready);
    if (this.#showsWritesEarly) this.#write(this.#storage, ready);
    if (ready.snapshot !== null) this.#toApply = [];
    this.#unsynced.push(ready);
    // A record that needs no sync may be lost, but only after the ones before it.
    for (const entry of ready.committed) this.#toApply.push(entry);
    this.#invariants.ready(this, ready, configurations);
    return ready.messages;
  }

  hasUnsynced(): boolean {
    return this.#unsynced.length > 0;
  }

  /** The first `count` writes are durable now. */
  sync(count: number): void {
    let last = 0;
    for (const ready of this.#unsynced.splice(0, count)) {
      this.#makeDurable(ready);
      last = ready.sequence;
    }
    if (last > 0) this.raft.persisted(last);
  }

  hasToApply(): boolean {
    return this.#toApply.length > 0;
  }

  apply(count: number): void {
    for (const entry of this.#toApply.splice(0, count)) {
      assert(
        entry.index === this.#applied + 1,
        `member ${this.id} applies ${entry.index} after ${this.#applied}`,
      );
      this.#invariants.applied(this, entry);
      if (entry.kind === ENTRY_MEMBERSHIP) {
        this.raft.applyMembershipChange(entry.index, decodeChange(entry.data));
        this.#configurations.push(this.raft.status().configuration);
      }
      this.#applied = entry.index;
      this.raft.applied(entry.index);
    }
  }

  get applied(): number {
    return this.#applied;
  }

  /**
   * The state machine's state reaches the disk, and the log before it is dropped except for `keep`
   * entries.
   */
  compact(keep: number): void {
    const { applied, configuration } = this.raft.status();
    if (applied <= this.durable.applied || this.durable.log.lastIndex() < applied) return;
    const term = this.written.termAt(applied);
    const mark: SnapshotMark = { index: applied, term, configuration };
    this.durable.applied = applied;
    this.durable.configuration = configuration;
    for (const log of [this.durable.log, this.#storage, this.written]) {
      log.saveSnapshot(mark);
      log.compact(Math.max(applied - keep, 0));
    }
  }

  /** Some of the unfinished writes made it to the disk, in order; the rest never happened. */
  crash(): void {
    const survivors = this.#random.below(this.#unsynced.length + 1);
    for (const ready of this.#unsynced.slice(0, survivors)) this.#makeDurable(ready);
    this.#unsynced = [];
    this.#toApply = [];
    this.isUp = false;
    this.isPaused = false;
  }

  restart(): void {
    this.isUp = true;
    this.lifeNumber++;
    this.#applied = this.durable.applied;
    this.raft = this.#start();
  }

  #start(): RaftMember {
    this.written = copyOf(this.durable.log);
    this.#storage = copyOf(this.durable.log);
    const { hardState, applied, configuration } = this.durable;
    this.#configurations = [configuration];
    return new RaftMember({
      ...this.#options,
      storage: this.#storage,
      hardState,
      appliedIndex: applied,
      configuration,
    });
  }

  #makeDurable(ready: RaftReady): void {
    this.#write(this.durable.log, ready);
    if (!this.#showsWritesEarly) this.#write(this.#storage, ready);
    if (ready.hardState !== null) this.durable.hardState = ready.hardState;
    if (ready.snapshot === null) return;
    this.durable.applied = ready.snapshot.index;
    this.durable.configuration = ready.snapshot.configuration;
    this.#applied = ready.snapshot.index;
  }

  #write(log: MemoryLog, ready: RaftReady): void {
    if (ready.snapshot !== null) log.installSnapshot(ready.snapshot);
    log.append(ready.entries);
  }
}

function copyOf(log: MemoryLog): MemoryLog {
  const copy = new MemoryLog();
  const first = log.firstIndex();
  const snapshot = log.snapshot();
  if (snapshot !== null) {
    copy.installSnapshot({ ...snapshot, index: first - 1, term: log.termAt(first - 1) });
    copy.saveSnapshot(snapshot);
  }
  if (log.lastIndex() >= first) copy.append(log.entries(first, log.lastIndex() + 1, 1e12));
  return copy;
}
