/**
 * Under load many clients answer to the end of one batch at almost the same time, but their requests arrive over
 * several turns of the event loop. Taken one turn at a time the first few would start a disk write and a message to
 * each follower of their own, and all others would wait for its end. So while batches are large, a leader's
 * proposals gather here as long as each turn brings more, up to a fraction of what a sync takes. A single client
 * never waits.
 */
import type { Clock } from "../io/index.ts";
import type { Proposal } from "../raft/index.ts";

/** Smaller batches than this gain nothing. */
const BATCH_MIN = 8;
const WAIT_MS_MAX = 0.25;
const TURNS_MAX = 16;

export class GatheredProposals {
  readonly #clock: Clock;
  readonly #flush: (proposals: readonly Proposal[]) => void;
  #proposals: Proposal[] = [];
  #bytes = 0;
  /** Size of recent batches; halves with every smaller one. */
  #usual = 0;
  #seen = 0;
  #turns = 0;
  #sinceMs = 0;

  constructor(clock: Clock, flush: (proposals: readonly Proposal[]) => void) {
    this.#clock = clock;
    this.#flush = flush;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So many entries went into the log together. */
  noteBatch(count: number): void {
    this.#usual = Math.max(count, this.#usual >> 1);
  }

  /** Whether waiting a moment is worth it. */
  isWorthIt(): boolean {
    return this.#usual >= BATCH_MIN;
  }

  add(kind: number, data: Uint8Array): void {
    this.#proposals.push({ kind, data });
    this.#bytes += data.length;
    if (this.#proposals.length > 1) return;
    this.#seen = 0;
    this.#turns = 0;
    this.#sinceMs = this.#clock.monotonicMs();
    this.#look();
  }

  clear(): void {
    this.#proposals = [];
    this.#bytes = 0;
  }

  #look(): void {
    this.#clock.soon(() => {
      const count = this.#proposals.length;
      const isFlowing = count > this.#seen && count < this.#usual && ++this.#turns < TURNS_MAX;
      this.#seen = count;
      if (isFlowing && this.#clock.monotonicMs() - this.#sinceMs < WAIT_MS_MAX) this.#look();
      else this.#end();
    });
  }

  #end(): void {
    const proposals = this.#proposals;
    this.clear();
    if (proposals.length > 0) this.#flush(proposals);
  }
}
