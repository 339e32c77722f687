/**
 * Linearizable reads: a read waits until this member's state is no older than the moment the read began (thesis
 * 6.4). Where raft knows at once that it is (a sole voter, a leader with a lease) the read is served at once. Else
 * the reads of one turn are one question to raft, under a fresh number that is never used again (incident 16), and
 * run once the state has reached the index of the answer. A question that lost its leader is asked again, under a
 * new number, until the reads' time is up.
 */
import { type EtcdError, errStopped, errTimeout } from "../api/index.ts";
import type { Clock, Timer } from "../io/index.ts";
import type { ReadState } from "../raft/index.ts";
import type { RaftNode } from "./raft-node.ts";

/** A read that waits; called with null when it may run. */
export type ReadWaiter = (problem: EtcdError | null) => void;

interface Batch {
  readonly waiters: ReadWaiter[];
  readonly untilMs: number;
  /** The number raft knows it by; 0 while it waits to be asked. */
  context: number;
  /** Set once raft answered. */
  index: number;
}

const WAITING_MAX = 100_000;
/** A question that has not been answered for so long is asked again (etcd's interval). */
const RETRY_MS = 500;
const UNANSWERED = -1;

export interface ReadsOptions {
  readonly node: RaftNode;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Raft has something to do. */
  readonly wake: () => void;
  /** Delivers the ticks that are due; only leases need it. */
  readonly catchUp: (() => void) | null;
  /** The error of a read that began at `sinceMs` and found no answer in time. */
  readonly timeoutError: (sinceMs: number) => EtcdError;
}

export class Reads {
  readonly #options: ReadsOptions;
  /** The batch of this turn, last in `#batches` while it is open. */
  #open: Batch | null = null;
  #batches: Batch[] = [];
  #waitingCount = 0;
  #nextContext = 1;
  #timer: Timer | null = null;
  #stopped = false;
  failedCount = 0;
  slowCount = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** Whether a linearizable read may be served right now: the hot path, without a queue. */
  isReady(): boolean {
    const { node, catchUp } = this.#options;
    if (catchUp !== null) catchUp();
    return node.canReadNow();
  }

  wait(waiter: ReadWaiter): void {
    if (this.#stopped) {
      waiter(errStopped);
      return;
    }
    if (this.isReady()) {
      waiter(null);
      return;
    }
    if (this.#waitingCount >= WAITING_MAX) {
      waiter(errTimeout);
      return;
    }
    this.#waitingCount++;
    if (this.#open === null) this.#openBatch();
    this.#open!.waiters.push(waiter);
  }

  #openBatch(): void {
    const { clock, timeoutMs, wake } = this.#options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    this.#open = { waiters: [], untilMs, context: 0, index: UNANSWERED };
    this.#batches.push(this.#open);
    this.#timer ??= clock.setTimer(RETRY_MS, () => this.#review());
    wake();
  }

  /** The turn ends: whoever comes later belongs to another question. */
  endBatch(): void {
    const batch = this.#open;
    if (batch === null) return;
    this.#open = null;
    this.#ask(batch);
  }

  #ask(batch: Batch): void {
    batch.context = this.#nextContext++;
    if (this.#options.node.raft.readIndex(batch.context) !== null) batch.context = 0;
  }

  confirmed(states: readonly ReadState[]): void {
    if (states.length === 0) return;
    for (const { index, contexts } of states) {
      for (const context of contexts) {
        const batch = this.#batches.find((each) => each.context === context);
        if (batch !== undefined) batch.index = index;
      }
    }
    this.onApplied(this.#options.node.appliedIndex());
  }

  /** These lost their leader: they are asked again. */
  aborted(contexts: readonly number[]): void {
    for (const context of contexts) {
      const batch = this.#batches.find((each) => each.context === context);
      if (batch !== undefined) batch.context = 0;
    }
    if (contexts.length > 0) this.retry();
  }

  /** A leader is known again: whatever could not be asked is asked now. */
  retry(): void {
    const { node, wake } = this.#options;
    if (node.raft.leader === 0n) return;
    let asked = false;
    for (const batch of this.#batches) {
      if (batch.context !== 0 || batch === this.#open) continue;
      this.#ask(batch);
      asked = true;
    }
    if (asked) wake();
  }

  /** Called after entries were applied: runs what the state is fresh enough for. */
  onApplied(appliedIndex: number): void {
    if (this.#batches.length === 0) return;
    const rest: Batch[] = [];
    const ready: Batch[] = [];
    for (const batch of this.#batches) {
      const isFresh = batch.index !== UNANSWERED && batch.index <= appliedIndex;
      (isFresh ? ready : rest).push(batch);
    }
    if (ready.length === 0) return;
    this.#batches = rest;
    for (const batch of ready) this.#finish(batch, null);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#open = null;
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) this.#finish(batch, errStopped);
  }

  #finish({ waiters }: Batch, problem: EtcdError | null): void {
    this.#waitingCount -= waiters.length;
    if (problem !== null) this.failedCount += waiters.length;
    for (const waiter of waiters) waiter(problem);
  }

  /** Fails what is overdue and asks again what got no answer. */
  #review(): void {
    this.#timer = null;
    const { clock, timeoutMs, timeoutError } = this.#options;
    const nowMs = clock.monotonicMs();
    const overdue = this.#batches.filter((batch) => batch.untilMs <= nowMs);
    this.#batches = this.#batches.filter((batch) => batch.untilMs > nowMs);
    if (this.#open !== null && this.#open.untilMs <= nowMs) this.#open = null;
    if (this.#batches.length > 0) {
      this.slowCount++;
      for (const batch of this.#batches) if (batch.index === UNANSWERED) batch.context = 0;
      this.retry();
      this.#timer = clock.setTimer(RETRY_MS, () => this.#review());
    }
    for (const batch of overdue) this.#finish(batch, timeoutError(batch.untilMs - timeoutMs));
  }
}
