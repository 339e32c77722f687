/**
 * This member of the raft group: the core, the part of its log that lies in memory, and the news of who leads. The
 * loop drives it; services see it as a RaftView.
 */

import { hexId } from "../cluster/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import { MemoryLog, RaftMember, type RaftOptions } from "../raft/index.ts";
import type { Bootstrapped } from "./bootstrap.ts";
import { compactTo, LOG_RETENTION } from "./log-retention.ts";
import type { Leadership, RaftView } from "./raft-view.ts";

export interface RaftNodeOptions {
  readonly storage: Bootstrapped;
  readonly settings: Omit<
    RaftOptions,
    "memberId" | "storage" | "hardState" | "configuration" | "appliedIndex"
  >;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class RaftNode implements RaftView {
  readonly memberId: bigint;
  readonly raft: RaftMember;
  readonly storage = new MemoryLog();
  /** Changes of the known leader. */
  leaderChanges = 0;
  /** When this member last learned of a new leader; -Infinity before the first. */
  leaderSinceMs = Number.NEGATIVE_INFINITY;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #listeners: ((news: Leadership) => void)[] = [];
  #appliedIndex: number;
  #told: Leadership = { term: 0, leader: 0n, isLeading: false };

  constructor({ storage, settings, clock, logger }: RaftNodeOptions) {
    const { memberId, hardState, configuration, previous, entries, database } = storage;
    this.memberId = memberId;
    this.#clock = clock;
    this.#logger = logger;
    this.#appliedIndex = database.consistentIndex();
    if (previous.index > 0) this.storage.installSnapshot({ ...previous, configuration });
    this.storage.append(entries);
    // What followers can be sent is the database, which may be ahead of where the entries begin.
    this.storage.saveSnapshot({
      index: this.#appliedIndex,
      term: database.consistentTerm(),
      configuration,
    });
    this.raft = new RaftMember({
      ...settings,
      memberId,
      hardState,
      configuration,
      storage: this.storage,
      appliedIndex: this.#appliedIndex,
    });
  }

  term(): number {
    return this.raft.term;
  }

  leader(): bigint {
    return this.raft.leader;
  }

  isLeader(): boolean {
    return this.raft.role === "leader";
  }

  commit(): number {
    return this.raft.commit;
  }

  lastIndex(): number {
    return this.raft.lastIndex;
  }

  appliedIndex(): number {
    return this.#appliedIndex;
  }

  onLeadership(listener: (news: Leadership) => void): void {
    this.#listeners.push(listener);
  }

  /** The state machine holds everything up to `index`. */
  applied(index: number): void {
    this.#appliedIndex = index;
    this.raft.applied(index);
  }

  /** A received snapshot became the state; raft learns of it when its Ready is reported persisted. */
  installed(index: number): void {
    this.#appliedIndex = index;
  }

  /**
   * The index that the state must have reached for a read that begins now, where nobody has to be asked; -1 where
   * somebody has. In lease mode the loop delivers the ticks that are due first.
   */
  canReadNow(): boolean {
    const index = this.raft.readableIndex();
    return index >= 0 && this.#appliedIndex >= index;
  }

  /**
   * The database is durable up to `durable`: entries that nobody is about to need leave the memory. What follows
   * `snapshotIndex` belongs to a snapshot that is being sent.
   */
  compact(
    durable: { readonly index: number; readonly term: number },
    snapshotIndex: number,
    entriesKept: number,
  ): void {
    const { raft, storage } = this;
    storage.saveSnapshot({ ...durable, configuration: raft.configuration });
    const log = {
      firstIndex: storage.firstIndex(),
      appliedIndex: this.#appliedIndex,
      durableIndex: durable.index,
      activeMatches: this.#activeMatches(),
      ...{ snapshotIndex, bytes: storage.bytes },
      bytesOf: (index: number) => storage.bytesOf(index),
    };
    storage.compact(compactTo(log, { ...LOG_RETENTION, entriesKept }));
  }

  /** What followers have that are being sent the log: not those who need a snapshot, or were never heard of. */
  #activeMatches(): number[] {
    const first = this.storage.firstIndex();
    return this.raft
      .status()
      .progress.filter(({ member, state, recentlyActive, match }) => {
        const isFed = state === "replicate" || (state === "probe" && recentlyActive);
        return member !== this.memberId && isFed && match >= first - 1;
      })
      .map(({ match }) => match);
  }

  /** Tells who listens when leadership changed since the last call. */
  noteChanges(): void {
    const { raft } = this;
    const isLeading = raft.role === "leader" && this.#appliedIndex >= raft.termStartIndex;
    const told = this.#told;
    if (raft.leader === told.leader && raft.term === told.term && isLeading === told.isLeading) {
      return;
    }
    const news: Leadership = { term: raft.term, leader: raft.leader, isLeading };
    this.#told = news;
    if (news.leader !== told.leader) this.#noteLeader(news, told);
    for (const listener of this.#listeners) listener(news);
  }

  #noteLeader(news: Leadership, before: Leadership): void {
    const fields = { "local-member-id": this.memberId, term: news.term };
    if (news.leader === 0n) {
      this.#logger.info("lost leader", { ...fields, "old-leader": hexId(before.leader) });
      return;
    }
    this.leaderChanges++;
    this.leaderSinceMs = this.#clock.monotonicMs();
    this.#logger.info("elected leader", { ...fields, leader: hexId(news.leader) });
  }
}
