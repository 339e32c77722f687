/**
 * Linearizable reads without a log entry (thesis 6.4). The leader gathers the reads of a turn into
 * a round; the round has the commit index of that moment, and is answered once a majority has
 * answered a heartbeat sent at or after it.
 *
 * Round numbers are fresh for every round and never chosen by a caller; together with the term in
 * each heartbeat an answer can only ever confirm rounds that were open when its heartbeat left
 * (incident 16: a retried id let an old answer satisfy a new read). Since a later heartbeat proves
 * leadership later, confirming a round confirms all before it, so one number per member is all that
 * must be remembered.
 */
import { assert } from "../base/assert.ts";
import type { ReadContext, ReadState } from "./ready.ts";

/** A read that another member forwarded. */
interface RemoteRead {
  readonly from: bigint;
  readonly id: number;
}

export interface ReadBatch {
  readonly contexts: ReadContext[];
  readonly remotes: RemoteRead[];
}

interface ReadRound extends ReadBatch {
  readonly round: number;
  readonly index: number;
}

/** Rounds waiting for a majority at once; further reads gather until the oldest is answered. */
const ROUNDS_MAX = 64;

/** The leader's reads of one term. */
export class LeaderReads {
  #contexts: ReadContext[] = [];
  #remotes: RemoteRead[] = [];
  #rounds: ReadRound[] = [];
  #count = 0;
  #newestRound = 0;

  /** Reads not answered yet, in rounds or before. */
  get count(): number {
    return this.#count;
  }

  get newestRound(): number {
    return this.#newestRound;
  }

  add(context: ReadContext): void {
    this.#contexts.push(context);
    this.#count++;
  }

  addRemote(from: bigint, id: number): void {
    this.#remotes.push({ from, id });
    this.#count++;
  }

  hasWaiting(): boolean {
    return this.#contexts.length > 0 || this.#remotes.length > 0;
  }

  /** Reads that no round has yet, for an answer without a round. */
  takeWaiting(): ReadBatch {
    const batch = { contexts: this.#contexts, remotes: this.#remotes };
    this.#contexts = [];
    this.#remotes = [];
    this.#count -= batch.contexts.length + batch.remotes.length;
    return batch;
  }

  /** Opens a round for what waits; false when too many are open. */
  open(commit: number): boolean {
    if (this.#rounds.length >= ROUNDS_MAX) return false;
    const waiting = { contexts: this.#contexts, remotes: this.#remotes };
    this.#contexts = [];
    this.#remotes = [];
    this.#rounds.push({ round: ++this.#newestRound, index: commit, ...waiting });
    return true;
  }

  /** Rounds up to `round` are confirmed; they leave in order. */
  confirmed(round: number): ReadRound[] {
    assert(round <= this.#newestRound, `round ${round} confirmed, ${this.#newestRound} is newest`);
    let done = 0;
    while (done < this.#rounds.length && this.#rounds[done]!.round <= round) done++;
    if (done === 0) return [];
    const confirmed = this.#rounds.slice(0, done);
    this.#rounds = this.#rounds.slice(done);
    for (const each of confirmed) this.#count -= each.contexts.length + each.remotes.length;
    return confirmed;
  }

  /**
   * The leader is none any more: its own reads, to be told. Forwarded ones run out where they came
   * from.
   */
  abandon(): ReadContext[] {
    const contexts = this.#contexts;
    for (const round of this.#rounds) for (const context of round.contexts) contexts.push(context);
    this.#contexts = [];
    this.#remotes = [];
    this.#rounds = [];
    this.#count = 0;
    return contexts;
  }
}

interface ForwardedBatch {
  readonly id: number;
  readonly contexts: ReadContext[];
  readonly sentAtTick: number;
}

/**
 * A follower's reads on their way to the leader: one message and one fresh id for all reads of a
 * turn. Bound to the leader they were sent to; gone with it, or when it does not answer for an
 * election timeout.
 */
export class ForwardedReads {
  #gathering: ReadContext[] = [];
  #sent: ForwardedBatch[] = [];
  #count = 0;
  #nextId: number;

  /** `firstId` is random, so that an answer to an earlier life of this member finds nothing. */
  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  get count(): number {
    return this.#count;
  }

  add(context: ReadContext): void {
    this.#gathering.push(context);
    this.#count++;
  }

  /** The id to ask the leader with, or 0 when no read waits. */
  send(nowTick: number): number {
    if (this.#gathering.length === 0) return 0;
    const id = this.#nextId++;
    this.#sent.push({ id, contexts: this.#gathering, sentAtTick: nowTick });
    this.#gathering = [];
    return id;
  }

  answered(id: number, index: number): ReadState | null {
    const at = this.#sent.findIndex((batch) => batch.id === id);
    if (at < 0) return null;
    const [batch] = this.#sent.splice(at, 1);
    this.#count -= batch!.contexts.length;
    return { index, contexts: batch!.contexts };
  }

  /** Takes out what was sent at or before `tick`. */
  expire(tick: number, into: ReadContext[]): void {
    while (this.#sent.length > 0 && this.#sent[0]!.sentAtTick <= tick) {
      const batch = this.#sent.shift()!;
      this.#count -= batch.contexts.length;
      for (const context of batch.contexts) into.push(context);
    }
  }

  abandon(into: ReadContext[]): void {
    if (this.#count === 0) return;
    this.expire(Number.POSITIVE_INFINITY, into);
    for (const context of this.#gathering) into.push(context);
    this.#gathering = [];
    this.#count = 0;
  }
}
