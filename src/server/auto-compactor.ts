/**
 * Automatic compaction, a leader's duty: it proposes compactions, by age (periodic) or by number of revisions.
 * Periodic: the revision is sampled ten times per interval (the period, at most an hour) and the one that is a whole
 * period old is compacted. Revision: every five minutes everything but the newest N revisions.
 */
import { encodeCompactionRequest } from "../api/index.ts";
import type { Clock, Logger, Timer } from "../io/index.ts";
import type { Store } from "../mvcc/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import type { Proposer } from "./proposer.ts";

export type Retention =
  | { readonly mode: "off" }
  | { readonly mode: "periodic"; readonly periodMs: number }
  | { readonly mode: "revision"; readonly revisions: number };

export interface AutoCompactorParts {
  readonly store: Store;
  readonly proposer: Proposer;
  readonly clock: Clock;
  readonly logger: Logger;
}

const HOUR_MS = 3_600_000;
const REVISION_INTERVAL_MS = 300_000;
const SAMPLES_PER_INTERVAL = 10;

export class AutoCompactor {
  readonly #parts: AutoCompactorParts;
  readonly #retention: Retention;
  readonly #samples: number[] = [];
  #timer: Timer | null = null;
  #compactedRevision = 0;
  #sinceMs: number;

  constructor(parts: AutoCompactorParts, retention: Retention) {
    this.#parts = parts;
    this.#retention = retention;
    this.#sinceMs = parts.clock.monotonicMs();
  }

  start(): void {
    if (this.#retention.mode === "off") return;
    if (this.#retention.mode === "periodic") this.#samples.push(this.#parts.store.revision());
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    this.#timer = this.#parts.clock.setTimer(this.#stepMs(), () => {
      this.#tick();
      this.#arm();
    });
  }

  #stepMs(): number {
    const retention = this.#retention;
    if (retention.mode !== "periodic") return REVISION_INTERVAL_MS;
    return Math.min(retention.periodMs, HOUR_MS) / SAMPLES_PER_INTERVAL;
  }

  #tick(): void {
    const retention = this.#retention;
    const { store, clock } = this.#parts;
    if (retention.mode === "revision") {
      this.#compact(store.revision() - retention.revisions);
      return;
    }
    if (retention.mode === "off") return;
    const kept = Math.round(retention.periodMs / this.#stepMs());
    this.#samples.push(store.revision());
    if (this.#samples.length > kept + 1) this.#samples.shift();
    const intervalMs = Math.min(retention.periodMs, HOUR_MS);
    if (this.#samples.length <= kept || clock.monotonicMs() - this.#sinceMs < intervalMs) return;
    // What could not be done, or was not worth it yet, is looked at again at the next sample (etcd's retry).
    if (this.#compact(this.#samples[0]!)) this.#sinceMs = clock.monotonicMs();
  }

  /** Whether a compaction was proposed. */
  #compact(revision: number): boolean {
    if (revision <= 0 || revision === this.#compactedRevision) return false;
    const { logger, proposer } = this.#parts;
    const fields = { revision, "compact-mode": this.#retention.mode };
    logger.info(`starting auto ${this.#retention.mode} compaction`, fields);
    const proposed = proposer.proposeAsLeader(CommandKind.compaction, encodeCompactionRequest, {
      revision,
    });
    if (proposed) {
      this.#compactedRevision = revision;
      logger.info(`completed auto ${this.#retention.mode} compaction`, fields);
    } else {
      logger.warn(`failed auto ${this.#retention.mode} compaction`, fields);
    }
    return proposed;
  }
}
