/** Physical compaction in the background, its log lines, and whoever asked to wait for it. */
import type { CompactionResponseInit, UnaryCall } from "../api/index.ts";
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
}

export class Compactor {
  readonly #parts: CompactorParts;
  readonly #task = () => this.#step();
  #waiting: (() => void)[] = [];
  #startedMs = 0;
  #running = false;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** Removes what the last scheduled compaction made unreachable, if anything is left to remove. */
  wake(): void {
    if (!this.#parts.store.isCompacting()) return;
    if (!this.#running) this.#startedMs = this.#parts.clock.monotonicMs();
    this.#running = true;
    this.#parts.background.add(this.#task);
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
    const { store } = this.#parts;
    const result = store.compactionStep(ROWS_PER_STEP);
    if (result !== undefined) this.#finished(result);
    this.#running = store.isCompacting();
    return this.#running;
  }

  #finished(result: CompactionResult): void {
    const { clock, logger } = this.#parts;
    const took = clock.monotonicMs() - this.#startedMs;
    this.#startedMs = clock.monotonicMs();
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
