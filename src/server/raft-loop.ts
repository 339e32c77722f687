/**
 * Drives the replicated log: gathers the proposals of one turn of the event loop, makes them durable with one
 * write and one sync, and applies what is committed in order. The duties and their order are the contract of
 * raft/types.ts: nothing is applied or answered before it is durable (incident 2).
 */
import { EtcdError } from "../api/index.ts";
import type { Clock } from "../io/index.ts";
import type { ReplicatedLog } from "../raft/index.ts";
import type { ReplySink, StateMachine } from "../state-machine/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";

const APPLY_SLICE_MS = 2;
const APPLY_CHUNK_COUNT = 64;
const NOTHING = (): void => {};

export interface RaftLoopOptions {
  readonly clock: Clock;
  readonly log: ReplicatedLog;
  readonly wal: WriteAheadLog;
  readonly stateMachine: StateMachine;
  /** Gets every reply. */
  readonly reply: ReplySink;
  /** Told how long each answered command took to apply. */
  readonly observeApply: (kind: number, succeeded: boolean, seconds: number) => void;
  /** Called after each slice of applied entries. */
  readonly onApplied: () => void;
}

export class RaftLoop {
  readonly #options: RaftLoopOptions;
  #turnScheduled = false;
  #applyScheduled = false;
  #unappliedBytes = 0;
  #appliedMs = 0;
  #stopped = false;

  constructor(options: RaftLoopOptions) {
    this.#options = options;
  }

  /** Bytes proposed and not yet applied: what the admission bounds. */
  unappliedBytes(): number {
    return this.#unappliedBytes;
  }

  /** False when this member cannot take proposals (no leader). */
  propose(kind: number, data: Uint8Array): boolean {
    if (this.#options.log.propose(kind, data) === 0) return false;
    this.#unappliedBytes += data.length;
    this.wake();
    return true;
  }

  /** There may be something to persist: look in the next turn, after what has arrived was handled. */
  wake(): void {
    if (this.#turnScheduled || this.#stopped) return;
    this.#turnScheduled = true;
    this.#options.clock.soon(() => this.#turn());
  }

  stop(): void {
    this.#stopped = true;
  }

  #turn(): void {
    this.#turnScheduled = false;
    if (!this.#stopped) this.#persist();
  }

  /** False when there was nothing to persist. */
  #persist(): boolean {
    const { log, wal } = this.#options;
    const ready = log.takeReady();
    if (ready === null) return false;
    wal.append(ready.entries, ready.hardState);
    const last = ready.entries.at(-1)?.index ?? 0;
    wal.flush(() => this.#durable(last));
    return true;
  }

  #durable(index: number): void {
    if (this.#stopped) return;
    const { log, wal } = this.#options;
    if (index > 0) log.persisted(index);
    // What came meanwhile goes to the disk first: it syncs while these entries are applied and answered.
    if (!this.#persist()) wal.flush(NOTHING);
    this.#apply();
  }

  readonly #reply: ReplySink = (requestId, kind, reply) => {
    const { clock, observeApply } = this.#options;
    const nowMs = clock.monotonicMs();
    observeApply(kind, !(reply instanceof EtcdError), (nowMs - this.#appliedMs) / 1000);
    this.#appliedMs = nowMs;
    this.#options.reply(requestId, kind, reply);
  };

  #apply(): void {
    if (this.#applyScheduled) return;
    const { clock, log, stateMachine, onApplied } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#appliedMs = nowMs;
    const end = nowMs + APPLY_SLICE_MS;
    for (;;) {
      const entries = log.takeCommitted(APPLY_CHUNK_COUNT);
      for (const entry of entries) {
        stateMachine.apply(entry, nowMs, this.#reply);
        // Entries recovered from the log were never counted.
        this.#unappliedBytes = Math.max(0, this.#unappliedBytes - entry.data.length);
      }
      if (entries.length < APPLY_CHUNK_COUNT) break;
      if (clock.monotonicMs() >= end) {
        this.#applyScheduled = true;
        clock.soon(() => {
          this.#applyScheduled = false;
          if (!this.#stopped) this.#apply();
        });
        break;
      }
    }
    onApplied();
  }
}
