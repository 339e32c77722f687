/**
 * Says it when the log's disk does not answer: raft gives up leadership by itself after an election timeout without a
 * finished sync and does not campaign until there is one; operators have to hear of it.
 */
import type { Logger } from "../io/index.ts";

export class DiskWatch {
  readonly #logger: Logger;
  readonly #limitMs: number;
  #isStalled = false;
  /** Stalls of an election timeout and more, for metrics. */
  stalls = 0;

  constructor(logger: Logger, limitMs: number) {
    this.#logger = logger;
    this.#limitMs = limitMs;
  }

  isStalled(stalledMs: number): boolean {
    return stalledMs >= this.#limitMs;
  }

  /** Called with every tick. */
  note(stalledMs: number): void {
    if (this.isStalled(stalledMs) === this.#isStalled) return;
    this.#isStalled = !this.#isStalled;
    if (this.#isStalled) {
      this.stalls++;
      this.#logger.warn(
        "the log's disk has not finished a sync for an election timeout; " +
          "this member does not lead and does not campaign until it does",
        { "stalled-ms": Math.round(stalledMs) },
      );
    } else this.#logger.info("the log's disk finishes syncs again");
  }
}
