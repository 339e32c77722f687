/**
 * Proposals that came while nobody could take them: no leader, one that is handing over, or more than a follower may
 * forward in one turn. They wait for the next chance instead of failing, as etcd's do, so that clients see an election
 * as a pause. Bounded in number, bytes and time; whoever waits for the reply has a deadline of its own.
 */
import type { Clock } from "../io/index.ts";

const COUNT_MAX = 5000;
const BYTES_MAX = 64 << 20;

interface HeldProposal {
  readonly kind: number;
  readonly data: Uint8Array;
  readonly untilMs: number;
}

export class HeldProposals {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #held: HeldProposal[] = [];
  #bytes = 0;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  get count(): number {
    return this.#held.length;
  }

  /** False when no more can be held. */
  add(kind: number, data: Uint8Array): boolean {
    if (this.#held.length >= COUNT_MAX) this.#dropOverdue();
    if (this.#held.length >= COUNT_MAX || this.#bytes + data.length > BYTES_MAX) return false;
    this.#held.push({ kind, data, untilMs: this.#clock.monotonicMs() + this.#timeoutMs });
    this.#bytes += data.length;
    return true;
  }

  /** All that somebody still waits for, in order of arrival. */
  take(): HeldProposal[] {
    this.#dropOverdue();
    const held = this.#held;
    this.clear();
    return held;
  }

  /** The last of what was taken, before anything else was added. */
  putBack(rest: readonly HeldProposal[]): void {
    this.#held = [...rest, ...this.#held];
    for (const { data } of rest) this.#bytes += data.length;
  }

  clear(): void {
    this.#held = [];
    this.#bytes = 0;
  }

  #dropOverdue(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#held = this.#held.filter(({ untilMs }) => untilMs > nowMs);
    this.#bytes = this.#held.reduce((sum, { data }) => sum + data.length, 0);
  }
}
