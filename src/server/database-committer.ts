/**
 * Decides when the write batch becomes a database transaction: a while after its first write, or when it is full
 * (etcd's 100 ms and 10,000 writes). An idle member writes nothing. Commits are written in pieces, so that requests
 * are served in between.
 */
import type { MemberInstruments } from "../api/index.ts";
import type { Database } from "../database/index.ts";
import type { Clock, Timer } from "../io/index.ts";

export interface CommitterOptions {
  readonly intervalMs: number;
  readonly writesMax: number;
  /** The state up to this entry is in the database file. */
  readonly onDurable?: (index: number, term: number) => void;
}

export class DatabaseCommitter {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #instruments: MemberInstruments;
  readonly #options: CommitterOptions;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(
    database: Database,
    clock: Clock,
    instruments: MemberInstruments,
    options: CommitterOptions,
  ) {
    this.#instruments = instruments;
    this.#database = database;
    this.#clock = clock;
    this.#options = options;
    database.commitInPieces((fire) => clock.soon(fire));
  }

  /** Called after entries were applied. */
  noteWrites(): void {
    if (this.#stopped) return;
    if (this.#database.pendingWrites() >= this.#options.writesMax) {
      this.commit();
      return;
    }
    if (this.#timer !== null || this.#database.pendingWrites() === 0) return;
    this.#timer = this.#clock.setTimer(this.#options.intervalMs, () => {
      this.#timer = null;
      this.commit();
    });
  }

  /** Commits what is there; `done` after it is durable. */
  commit(done?: () => void): void {
    this.#timer?.cancel();
    this.#timer = null;
    const startMs = this.#clock.monotonicMs();
    const index = this.#database.consistentIndex();
    const term = this.#database.consistentTerm();
    this.#database.commit(() => {
      this.#options.onDurable?.(index, term);
      this.#instruments.backendCommitSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
      done?.();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }
}
