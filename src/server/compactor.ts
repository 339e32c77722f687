/** Physical compaction in the background, its log lines, and whoever asked to wait for it. */
import type { CompactionResponseInit, MemberInstruments, UnaryCall } from "../api/index.ts";
import type { Clock, Logger } from "../io/index.ts";
import type { CompactionResult, Store } from "../mvcc/index.ts";
import type { Background } from "./background.ts";
import type { DatabaseCommitter } from "./database-committer.ts";
import type { Waiter } from "./proposal-queue.ts";

/** About half a millisecond of work. */
const ROWS_PER_STEP = 100;

export interface CompactorParts {
  readonly store: Store;
  readonly background: Background;
  readonly committer: DatabaseCommitter;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instruments: MemberInstruments;
}

export class Compactor {
  readonly #parts: CompactorParts;
  readonly #task = () => this.#step();
  #waiting: (() => void)[] = [];
  #startedMs = 0;
  /** Rows that compactions removed, and when the last one ended (seconds since 1970; 0 before). */
  removedRows = 0;
  finishedSeconds = 0;
  #running = false;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /**
   * Removes what the last scheduled compaction made unreachable, if anything is left to remove. Only rows that are in
   * the tree can be removed from it, so each sweep starts behind a commit.
   */
  wake(): void {
    const { store, clock, committer, background } = this.#parts;
    if (this.#running || !store.isCompacting()) return;
    this.#running = true;
    this.#startedMs = clock.monotonicMs();
    committer.commit(() => background.add(this.#task));
  }

  /** A waiter that answers `call` only after the records are gone from disk. */
  afterPhysical(call: UnaryCall<CompactionResponseInit>): Waiter {
    return {
      succeed: (response: CompactionResponseInit) => {
        this.#waiting.push(() => call.succeed(response));
        if (this.#parts.store.isCompacting()) this.wake();
        else this.#answer();
      },
      fail: (error) => call.fail(error),
    };
  }

  #step(): boolean {
    const { store, clock, instruments } = this.#parts;
    const startMs = clock.monotonicMs();
    const result = store.compactionStep(ROWS_PER_STEP);
    instruments.compactionPauseMs.observe(clock.monotonicMs() - startMs);
    this.#parts.committer.noteWrites();
    if (result === undefined && store.isCompacting()) return true;
    this.#running = false;
    // A received snapshot replaced the state, and in that one there is nothing left to sweep.
    if (result === undefined) this.#answer();
    else this.#finished(result);
    this.wake();
    return false;
  }

  #finished(result: CompactionResult): void {
    const { clock, logger, instruments } = this.#parts;
    const took = clock.monotonicMs() - this.#startedMs;
    instruments.compactionMs.observe(took);
    this.removedRows += result.removedRows;
    this.finishedSeconds = Math.floor(clock.wallMs() / 1000);
    logger.info("finished scheduled compaction", {
      "compact-revision": result.revision,
      took: `${took.toFixed(3)}ms`,
      hash: result.hash,
    });
    this.#answer();
  }

  #answer(): void {
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    this.#parts.committer.commit(() => {
      for (const answer of waiting) answer();
    });
  }
}
