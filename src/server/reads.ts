/**
 * Linearizable reads: a read waits until this member knows that its applied state is no older than the moment the
 * read began (thesis 6.4). A cluster of one knows that at once; the queue holds reads until the first entry of the
 * term is applied after a start.
 */
import { type EtcdError, errStopped, errTimeout } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { ReplicatedLog } from "../raft/index.ts";
import type { StateMachine } from "../state-machine/index.ts";

/** A read that waits; called with null when it may run. */
export type ReadWaiter = (problem: EtcdError | null) => void;

interface Waiting {
  readonly waiter: ReadWaiter;
  readonly untilMs: number;
}

const WAITING_MAX = 100_000;

export class Reads {
  readonly #log: ReplicatedLog;
  readonly #stateMachine: StateMachine;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In order of arrival, so that whoever waited longest comes first. */
  #waiting: Waiting[] = [];
  #timer: Timer | null = null;
  failedCount = 0;

  constructor(parts: {
    log: ReplicatedLog;
    stateMachine: StateMachine;
    clock: Clock;
    timeoutMs: number;
  }) {
    this.#log = parts.log;
    this.#stateMachine = parts.stateMachine;
    this.#clock = parts.clock;
    this.#timeoutMs = parts.timeoutMs;
  }

  /** Whether a linearizable read may be served right now: the hot path, without a queue. */
  isReady(): boolean {
    return this.#waiting.length === 0 && this.#log.isReadable();
  }

  wait(waiter: ReadWaiter): void {
    if (this.isReady()) {
      waiter(null);
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) {
      waiter(errTimeout);
      return;
    }
    this.#waiting.push({ waiter, untilMs: this.#clock.monotonicMs() + this.#timeoutMs });
    this.#timer ??= this.#clock.setTimer(this.#timeoutMs, () => this.#failOverdue());
  }

  #failOverdue(): void {
    this.#timer = null;
    const nowMs = this.#clock.monotonicMs();
    const later = this.#waiting.findIndex(({ untilMs }) => untilMs > nowMs);
    const overdue = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    const next = this.#waiting[0];
    if (next !== undefined) {
      this.#timer = this.#clock.setTimer(next.untilMs - nowMs, () => this.#failOverdue());
    }
    this.failedCount += overdue.length;
    for (const { waiter } of overdue) waiter(errTimeout);
  }

  /** Called after entries were applied. */
  onApplied(): void {
    if (this.#waiting.length === 0 || !this.#log.isReadable()) return;
    if (this.#stateMachine.appliedIndex() < this.#log.status().commit) return;
    this.#flush(null);
  }

  stop(): void {
    this.#flush(errStopped);
  }

  #flush(problem: EtcdError | null): void {
    this.#timer?.cancel();
    this.#timer = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (problem !== null) this.failedCount += waiting.length;
    for (const { waiter } of waiting) waiter(problem);
  }
}
