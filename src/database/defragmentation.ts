/**
 * Gives the disk back what deletions left free: pages at the end of the file move down into free
 * ones, in slices inside of ordinary batches, and the file gets shorter. Serving goes on; every
 * commit on the way is a commit like any other, with the applied index in it (etcd's incident 14685
 * came from a defragmentation that committed on a path of its own), so a crash at any point leaves
 * a whole database.
 */
import { TailMove, type WriteTransaction } from "../bbolt/index.ts";

/** What the database lets a defragmentation do. */
export interface DefragmentationHost {
  pageBytes: number;
  sizeBytes(): number;
  inUseBytes(): number;
  isCommitting(): boolean;
  /** The open batch. */
  writer(): WriteTransaction;
  /**
   * Commits the batch even when nothing is in it: pages dropped before become free, the tail is cut
   * off.
   */
  commitAlways(done: () => void): void;
}

/** Elements looked at per step: about a millisecond. */
const STEP_WORK = 400;
/** Dropped pages are free one commit later, and a free tail is cut off by the commit after that. */
const SETTLING_COMMITS = 3;
/** Pages that the moving itself needs. */
const SPARE_PAGES = 64;
/** Each pass must gain at least this part of the file, or it was the last. */
const GAIN_DIVISOR = 50;

export class Defragmentation {
  readonly #host: DefragmentationHost;
  #move: TailMove | null = null;
  #settling = 0;
  #sizeBefore = 0;
  #isDone = false;

  constructor(host: DefragmentationHost) {
    this.#host = host;
  }

  /** "waiting": a commit is under way, call again when it may be over. */
  step(): "more" | "waiting" | "done" {
    if (this.#isDone) return "done";
    const host = this.#host;
    if (host.isCommitting()) return "waiting";
    if (this.#settling > 0) {
      this.#settling--;
      host.commitAlways(() => {
        if (this.#settling === 0) this.#endPass();
      });
      return this.#isDone ? "done" : "waiting";
    }
    this.#move ??= this.#beginPass();
    if (this.#move.step(host.writer(), STEP_WORK)) {
      this.#move = null;
      this.#settling = SETTLING_COMMITS;
    }
    host.commitAlways(() => {});
    return "waiting";
  }

  #beginPass(): TailMove {
    this.#sizeBefore = this.#host.sizeBytes();
    const pagesInUse = Math.ceil(this.#host.inUseBytes() / this.#host.pageBytes);
    return new TailMove(pagesInUse + SPARE_PAGES);
  }

  #endPass(): void {
    const gained = this.#sizeBefore - this.#host.sizeBytes();
    this.#isDone = gained * GAIN_DIVISOR < this.#sizeBefore;
  }
}
