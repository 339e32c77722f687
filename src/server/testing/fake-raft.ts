/** A raft that is what the test says, and tells whoever listens. */
import type { Leadership, RaftView } from "../raft-view.ts";

export class FakeRaft implements RaftView {
  readonly memberId: bigint;
  readonly #listeners: ((news: Leadership) => void)[] = [];
  #term = 0;
  #leader = 0n;
  last = 0;
  committed = 0;

  constructor(memberId = 1n) {
    this.memberId = memberId;
  }

  term(): number {
    return this.#term;
  }

  leader(): bigint {
    return this.#leader;
  }

  isLeader(): boolean {
    return this.#leader === this.memberId;
  }

  commit(): number {
    return this.committed;
  }

  lastIndex(): number {
    return this.last;
  }

  onLeadership(listener: (news: Leadership) => void): void {
    this.#listeners.push(listener);
  }

  /** Raft knows; nobody has been told yet. */
  learn(term: number, leader: bigint): void {
    this.#term = term;
    this.#leader = leader;
  }

  tell(isLeading = this.isLeader()): void {
    const news = { term: this.#term, leader: this.#leader, isLeading };
    for (const listener of this.#listeners) listener(news);
  }

  become(term: number, leader: bigint, isLeading = leader === this.memberId): void {
    this.learn(term, leader);
    this.tell(isLeading);
  }
}
