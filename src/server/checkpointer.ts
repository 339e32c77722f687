/**
 * Decides when the key index is written to its checkpoint file: whenever it is some thousand changes behind, after a
 * compaction (which makes the old one useless), and at a clean stop. A restart then reads the file and the few rows
 * behind it instead of all rows. The file is a cache: a failure costs time at the next start, never truth.
 *
 * Each one is the whole index, so the pause to the next one follows from what the last one cost: a small index is
 * never far behind, a large one takes no more than its share of the thread while writes go on, and when they stop a
 * timer lets it catch up.
 */
import { CheckpointFile } from "../database/index.ts";
import { type Clock, type Disk, DiskError, type Logger, type Timer } from "../io/index.ts";
import type { Store } from "../mvcc/index.ts";
import type { Background } from "./background.ts";
import { runCommittingTask } from "./committing-task.ts";
import type { DatabaseCommitter } from "./database-committer.ts";

export interface CheckpointerParts {
  readonly store: Store;
  readonly disk: Disk;
  readonly path: string;
  readonly background: Background;
  readonly committer: DatabaseCommitter;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** So many revisions are replayed in some ten milliseconds; fewer need no checkpoint. */
const REVISIONS_BETWEEN = 5000;
/** At a stop a checkpoint is worth its time from here on. */
const REVISIONS_AT_STOP = 1000;
/** Share of the thread that checkpoints may take: a pause of so many times what the last one took. */
const PAUSE_PER_COST = 40;
const PAUSE_MS_MIN = 1000;
const PAUSE_MS_MAX = 60_000;
const KEYS_PER_STEP = 200;
const KEYS_PER_STEP_AT_STOP = 10_000;

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  #writing = false;
  /** No checkpoint is begun before. */
  #nextMs = -Infinity;
  #timer: Timer | null = null;
  #compactRevision: number;
  #stopped = false;

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
    this.#compactRevision = parts.store.compactRevision();
  }

  /** Called after entries were applied. */
  noteApplied(): void {
    const { store, clock } = this.#parts;
    if (this.#writing || this.#stopped || store.isCompacting()) return;
    const behind = store.revision() - store.checkpointRevision();
    const compacted = store.compactRevision() !== this.#compactRevision;
    if (behind < REVISIONS_BETWEEN && !(compacted && store.checkpointRevision() > 0)) return;
    const waitMs = this.#nextMs - clock.monotonicMs();
    if (waitMs <= 0) this.#write();
    else this.#wakeIn(waitMs);
  }

  /** Looks again later, whether or not anything is applied until then. */
  #wakeIn(ms: number): void {
    this.#timer ??= this.#parts.clock.setTimer(ms, () => {
      this.#timer = null;
      this.noteApplied();
    });
  }

  #write(): void {
    const { store, disk, path, background, committer, clock } = this.#parts;
    const file = this.#create(disk, path);
    if (file === null) return;
    this.#writing = true;
    this.#compactRevision = store.compactRevision();
    const writer = store.beginCheckpoint(file);
    let costMs = 0;
    const step = () => {
      if (this.#stopped) return "outdated";
      const startMs = clock.monotonicMs();
      const progress = writer.step(KEYS_PER_STEP);
      costMs += clock.monotonicMs() - startMs;
      return progress;
    };
    runCommittingTask(background, committer, step, (end) => {
      const over = (error: DiskError | null) => {
        this.#writing = false;
        const pauseMs = Math.min(Math.max(costMs * PAUSE_PER_COST, PAUSE_MS_MIN), PAUSE_MS_MAX);
        this.#nextMs = clock.monotonicMs() + pauseMs;
        this.#report(error);
        this.noteApplied();
      };
      if (end === "done") file.finish(over);
      else {
        file.abandon();
        over(null);
      }
    });
  }

  /** The last one, blocking; everything is committed. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    const { store, disk, path } = this.#parts;
    const behind = store.revision() - store.checkpointRevision();
    const current = behind < REVISIONS_AT_STOP && store.compactRevision() === this.#compactRevision;
    if (current || this.#writing || store.isCompacting()) return;
    const file = this.#create(disk, path);
    if (file === null) return;
    const writer = store.beginCheckpoint(file);
    let progress = writer.step(KEYS_PER_STEP_AT_STOP);
    while (progress === "more") progress = writer.step(KEYS_PER_STEP_AT_STOP);
    if (progress === "done") this.#report(file.finishNow());
    else file.abandon();
  }

  #create(disk: Disk, path: string): CheckpointFile | null {
    try {
      return new CheckpointFile(disk, path);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#report(error);
      return null;
    }
  }

  #report(error: DiskError | null): void {
    if (error === null) return;
    this.#parts.logger.warn("failed to write the index checkpoint; the next start reads all rows", {
      error: error.message,
    });
  }
}
