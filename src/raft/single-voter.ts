/**
 * The replicated log of a cluster of one: it leads itself, and what is durable is committed (thesis
 * 3.5 with a majority of one). Entries wait here between proposal and application only; the
 * write-ahead log keeps them.
 *
 * Invariants: applied <= commit <= persisted <= last; entries[i].index === firstIndex + i.
 */
import { assert } from "../base/assert.ts";
import type { Entry, HardState, RaftStatus, Ready, ReplicatedLog } from "./types.ts";
import { ENTRY_COMMAND } from "./types.ts";

export interface SingleVoterState {
  readonly memberId: bigint;
  readonly hardState: HardState;
  /**
   * What the write-ahead log holds beyond the applied index; all durable, hence all committed once
   * it leads.
   */
  readonly entries: readonly Entry[];
  /** Index of the last entry already applied to the state machine. */
  readonly appliedIndex: number;
}

const NO_DATA = new Uint8Array(0);

export class SingleVoter implements ReplicatedLog {
  readonly #memberId: bigint;
  #term: number;
  #commit: number;
  #lastIndex: number;
  #leading = false;
  /** Index of the first entry of the own term; reads wait for its commit (thesis 6.4). */
  #termStartIndex = 0;
  /** Entries not yet taken for application, ascending. */
  #waiting: Entry[];
  #waitingHead = 0;
  /** Entries not yet handed out for persisting. */
  #unsaved: Entry[] = [];
  #unsavedHardState = false;

  constructor(state: SingleVoterState) {
    this.#memberId = state.memberId;
    this.#term = Math.max(state.hardState.term, state.entries.at(-1)?.term ?? 0);
    this.#waiting = state.entries.filter((entry) => entry.index > state.appliedIndex);
    this.#lastIndex = Math.max(state.appliedIndex, state.entries.at(-1)?.index ?? 0);
    this.#commit = state.appliedIndex;
    const first = this.#waiting[0];
    assert(
      first === undefined || first.index === state.appliedIndex + 1,
      `the log has a hole: applied ${state.appliedIndex}, next entry ${first?.index}`,
    );
  }

  /** Starts a term of its own. The first entry of the term makes everything before it committed. */
  campaign(): void {
    assert(!this.#leading, "a leader does not campaign");
    this.#term++;
    this.#leading = true;
    this.#unsavedHardState = true;
    this.#termStartIndex = this.propose(ENTRY_COMMAND, NO_DATA);
  }

  propose(kind: number, data: Uint8Array): number {
    if (!this.#leading) return 0;
    const entry: Entry = { term: this.#term, index: ++this.#lastIndex, kind, data };
    this.#unsaved.push(entry);
    this.#waiting.push(entry);
    return entry.index;
  }

  takeReady(): Ready | null {
    if (this.#unsaved.length === 0 && !this.#unsavedHardState) return null;
    const entries = this.#unsaved;
    this.#unsaved = [];
    const hardState = this.#unsavedHardState
      ? { term: this.#term, vote: this.#memberId, commit: this.#commit }
      : null;
    this.#unsavedHardState = false;
    return { entries, hardState };
  }

  persisted(index: number): void {
    assert(index <= this.#lastIndex, `persisted ${index} beyond the last index ${this.#lastIndex}`);
    // Only entries of the own term commit by counting (thesis 3.6.2); they carry the older ones
    // along.
    if (index >= this.#termStartIndex && index > this.#commit) this.#commit = index;
  }

  takeCommitted(countMax: number): Entry[] {
    const waiting = this.#waiting;
    let end = this.#waitingHead;
    const limit = Math.min(waiting.length, end + countMax);
    while (end < limit && waiting[end]!.index <= this.#commit) end++;
    const taken = waiting.slice(this.#waitingHead, end);
    this.#waitingHead = end;
    if (end === waiting.length) {
      this.#waiting = [];
      this.#waitingHead = 0;
    } else if (end > 4096 && end * 2 > waiting.length) {
      this.#waiting = waiting.slice(end);
      this.#waitingHead = 0;
    }
    return taken;
  }

  isReadable(): boolean {
    return this.#leading && this.#commit >= this.#termStartIndex;
  }

  status(): RaftStatus {
    return {
      term: this.#term,
      leader: this.#leading ? this.#memberId : 0n,
      commit: this.#commit,
      lastIndex: this.#lastIndex,
    };
  }
}
