// The depth-first search for a linearization of one partition.
//
// Completed operations lie in a doubly linked list of call and return events in time order (calls first
// on ties: intervals are closed). An operation can be next when its call lies before the first return in
// the list. Operations of unknown outcome lie in a list of their own: none has to be taken, so the search
// is done when the completed ones are, and they are tried last.
//
// What keeps the tree small, none of which changes the verdict:
// - a configuration (set of linearized operations, state) is entered once;
// - a legal operation that preserves the state is taken without an alternative: whatever order holds it
//   later holds with it moved here;
// - with a model that counts progress, a state past the last place of an operation still to come is dead;
// - of maybes with equal inputs the one called first is taken first;
// - a maybe that the very next operation makes pointless, because that leads to the same state without it,
//   is not taken: an order with the fewest maybes has none of these.

import type { Model } from "./history.ts";

export interface Completed<Input, Output> {
  /** In the history. */
  readonly place: number;
  readonly input: Input;
  readonly output: Output;
  readonly callTime: number;
  readonly returnTime: number;
}

export interface Maybe<Input> {
  readonly place: number;
  readonly input: Input;
  readonly callTime: number;
}

interface Visited<State> {
  readonly words: Int32Array;
  readonly state: State;
  readonly next: Visited<State> | undefined;
}

/** One choice on the way down. Completed operations are numbered from 0, maybes after them. */
interface Choice<State> {
  readonly operation: number;
  readonly stateBefore: State;
  readonly highestBefore: number;
}

export class LinearizableSearch<State, Input, Output> {
  steps = 0;
  longest: number[] = [];
  blocked: number | null = null;

  readonly #model: Model<State, Input, Output>;
  readonly #completed: readonly Completed<Input, Output>[];
  readonly #maybes: readonly Maybe<Input>[];
  readonly #preserves: readonly boolean[];

  /** Events 1..2n in time order, 0 is the head and the end. A call is `operation`, a return `~operation`. */
  readonly #event: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #callEvent: Int32Array;
  readonly #returnEvent: Int32Array;
  /** Per maybe: the number of completed operations that returned before its call, as an event. */
  readonly #maybeAfterEvent: Int32Array;
  /** Per maybe: the one before it with an equal input, or -1. */
  readonly #twin: Int32Array;

  /** Bits of linearized operations: completed ones, then maybes from a word boundary on. */
  readonly #bits: Int32Array;
  readonly #completedWords: number;
  readonly #scratch: Int32Array;
  #setHash = 0;
  /** No completed operation below is missing from the set; none above `#highest` is in it. */
  #lowest = 0;
  #highest = -1;

  /** Completed operations by the last progress they can be taken at. */
  readonly #byLast: Int32Array;
  readonly #rank: Int32Array;
  readonly #last: Float64Array;
  #mostUrgent = 0;

  readonly #hashMask: number;
  readonly #visited = new Map<number, Visited<State>>();
  readonly #choices: Choice<State>[] = [];
  #state: State;
  #completedLeft: number;

  constructor(
    model: Model<State, Input, Output>,
    completed: readonly Completed<Input, Output>[],
    maybes: readonly Maybe<Input>[],
    hashMask = -1,
  ) {
    this.#hashMask = hashMask;
    this.#model = model;
    this.#completed = completed.toSorted((a, b) => compare(a.callTime, b.callTime));
    this.#maybes = maybes.toSorted((a, b) => compare(a.callTime, b.callTime));
    this.#preserves = this.#completed.map((each) => model.preservesState(each.input, each.output));
    this.#state = model.initial;
    const count = this.#completed.length;
    this.#completedLeft = count;
    this.#event = new Int32Array(2 * count + 1);
    this.#next = new Int32Array(2 * count + 1);
    this.#previous = new Int32Array(2 * count + 1);
    this.#callEvent = new Int32Array(count);
    this.#returnEvent = new Int32Array(count);
    this.#maybeAfterEvent = new Int32Array(this.#maybes.length);
    this.#twin = twinsOf(this.#maybes.map(({ input }) => input));
    this.#layOutEvents();
    this.#completedWords = (count + 31) >>> 5;
    this.#bits = new Int32Array(this.#completedWords + ((this.#maybes.length + 31) >>> 5));
    this.#scratch = new Int32Array(this.#bits.length + 1);
    this.#last = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    for (const [operation, { input, output }] of this.#completed.entries()) {
      if (model.progress) this.#last[operation] = model.progress.last(input, output);
    }
    this.#byLast = Int32Array.from(this.#completed.keys()).sort((a, b) =>
      compare(this.#last[a]!, this.#last[b]!),
    );
    this.#rank = new Int32Array(count);
    for (const [rank, operation] of this.#byLast.entries()) this.#rank[operation] = rank;
  }

  run(stepsMax: number): "ok" | "illegal" | "timeout" {
    let event = this.#next[0]!;
    let maybe = 0;
    while (this.#completedLeft > 0) {
      if (this.steps >= stepsMax) {
        this.#noteLongest();
        return "timeout";
      }
      const operation = this.#event[event]!;
      if (operation >= 0) {
        const { input, output } = this.#completed[operation]!;
        if (this.#take(operation, input, output)) {
          event = this.#next[0]!;
          maybe = 0;
        } else {
          event = this.#next[event]!;
        }
        continue;
      }
      // A return: what has to come before it must be among the maybes called before it.
      maybe = this.#takeMaybe(maybe, event);
      if (maybe < 0) {
        event = this.#next[0]!;
        maybe = 0;
        continue;
      }
      this.#noteLongest();
      const undone = this.#undo();
      if (undone < 0) return "illegal";
      maybe = Math.max(0, undone - this.#completed.length + 1);
      event = maybe > 0 ? this.#firstReturn() : this.#next[this.#callEvent[undone]!]!;
    }
    return "ok";
  }

  /** Tries the maybes from this one on that were called before the return: -1 when one was taken. */
  #takeMaybe(from: number, returnEvent: number): number {
    let maybe = from;
    for (; maybe < this.#maybes.length; maybe++) {
      if (this.#maybeAfterEvent[maybe]! >= returnEvent) break;
      if (this.#hasMaybe(maybe)) continue;
      if (this.#twin[maybe]! >= 0 && !this.#hasMaybe(this.#twin[maybe]!)) continue;
      if (this.#take(this.#completed.length + maybe, this.#maybes[maybe]!.input, null)) return -1;
    }
    return maybe;
  }

  #take(operation: number, input: Input, output: Output | null): boolean {
    this.steps++;
    const [ok, state] = this.#model.step(this.#state, input, output);
    if (!ok) return false;
    const isMaybe = operation >= this.#completed.length;
    // An effect nobody can see is no effect; not taking it leaves more open.
    if (isMaybe && this.#model.equal(state, this.#state)) return false;
    if (this.#makesPointless(input, output, state)) return false;
    const highestBefore = this.#highest;
    this.#mark(operation);
    if (this.#isDead(state) || (!this.#isFree(operation) && !this.#enter(state))) {
      this.#unmark(operation, highestBefore);
      return false;
    }
    if (!isMaybe) {
      this.#unlink(operation);
      this.#completedLeft--;
    }
    this.#choices.push({ operation, stateBefore: this.#state, highestBefore });
    this.#state = state;
    return true;
  }

  /** Takes the last choice back, and those before it that had no alternative; -1 when none is left. */
  #undo(): number {
    for (;;) {
      const choice = this.#choices.pop();
      if (choice === undefined) return -1;
      this.#state = choice.stateBefore;
      this.#unmark(choice.operation, choice.highestBefore);
      if (choice.operation < this.#completed.length) {
        this.#relink(choice.operation);
        this.#completedLeft++;
      }
      if (!this.#isFree(choice.operation)) return choice.operation;
    }
  }

  /** Whether the last choice was a maybe without which this step would lead to the same state. */
  #makesPointless(input: Input, output: Output | null, state: State): boolean {
    const last = this.#choices.at(-1);
    if (last === undefined || last.operation < this.#completed.length) return false;
    this.steps++;
    const [ok, without] = this.#model.step(last.stateBefore, input, output);
    return ok && this.#model.equal(without, state);
  }

  #isFree(operation: number): boolean {
    return operation < this.#completed.length && this.#preserves[operation]!;
  }

  #isDead(state: State): boolean {
    const { progress } = this.#model;
    if (progress === undefined || this.#mostUrgent >= this.#byLast.length) return false;
    return progress.of(state) > this.#last[this.#byLast[this.#mostUrgent]!]!;
  }

  /** Notes the configuration of the present set and this state; false when it was entered before. */
  #enter(state: State): boolean {
    const firstWord = this.#lowest >>> 5;
    const endWord = Math.max(firstWord, (this.#highest >>> 5) + 1);
    const scratch = this.#scratch;
    let length = 0;
    scratch[length++] = firstWord;
    for (let word = firstWord; word < endWord && word < this.#completedWords; word++) {
      scratch[length++] = this.#bits[word]!;
    }
    for (let word = this.#completedWords; word < this.#bits.length; word++) {
      scratch[length++] = this.#bits[word]!;
    }
    const stateHash = Math.imul(this.#model.hash(state), 0x9e3779b1);
    const hash = mixed(this.#setHash ^ stateHash) & this.#hashMask;
    const first = this.#visited.get(hash);
    for (let each = first; each !== undefined; each = each.next) {
      if (sameWords(each.words, scratch, length) && this.#model.equal(each.state, state)) {
        return false;
      }
    }
    this.#visited.set(hash, { words: scratch.slice(0, length), state, next: first });
    return true;
  }

  #bitOf(operation: number): number {
    const count = this.#completed.length;
    return operation < count ? operation : this.#completedWords * 32 + (operation - count);
  }

  #has(bit: number): boolean {
    return ((this.#bits[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
  }

  #hasMaybe(maybe: number): boolean {
    return this.#has(this.#completedWords * 32 + maybe);
  }

  #mark(operation: number): void {
    const bit = this.#bitOf(operation);
    this.#bits[bit >>> 5]! |= 1 << (bit & 31);
    this.#setHash ^= mixed(bit + 1);
    if (operation >= this.#completed.length) return;
    if (operation > this.#highest) this.#highest = operation;
    while (this.#lowest < this.#completed.length && this.#has(this.#lowest)) this.#lowest++;
    const byLast = this.#byLast;
    while (this.#mostUrgent < byLast.length && this.#has(byLast[this.#mostUrgent]!)) {
      this.#mostUrgent++;
    }
  }

  #unmark(operation: number, highestBefore: number): void {
    const bit = this.#bitOf(operation);
    this.#bits[bit >>> 5]! &= ~(1 << (bit & 31));
    this.#setHash ^= mixed(bit + 1);
    this.#highest = highestBefore;
    if (operation >= this.#completed.length) return;
    if (operation < this.#lowest) this.#lowest = operation;
    if (this.#rank[operation]! < this.#mostUrgent) this.#mostUrgent = this.#rank[operation]!;
  }

  #unlink(operation: number): void {
    for (const event of [this.#callEvent[operation]!, this.#returnEvent[operation]!]) {
      this.#next[this.#previous[event]!] = this.#next[event]!;
      this.#previous[this.#next[event]!] = this.#previous[event]!;
    }
  }

  #relink(operation: number): void {
    for (const event of [this.#returnEvent[operation]!, this.#callEvent[operation]!]) {
      this.#next[this.#previous[event]!] = event;
      this.#previous[this.#next[event]!] = event;
    }
  }

  #firstReturn(): number {
    let event = this.#next[0]!;
    while (this.#event[event]! >= 0) event = this.#next[event]!;
    return event;
  }

  #noteLongest(): void {
    if (this.#choices.length < this.longest.length) return;
    if (this.#choices.length === this.longest.length && this.blocked !== null) return;
    const count = this.#completed.length;
    this.longest = this.#choices.map(({ operation }) =>
      operation < count
        ? this.#completed[operation]!.place
        : this.#maybes[operation - count]!.place,
    );
    this.blocked = this.#completed[~this.#event[this.#firstReturn()]!]!.place;
  }

  #layOutEvents(): void {
    const count = this.#completed.length;
    const byReturn = Int32Array.from(this.#completed.keys()).sort((a, b) =>
      compare(this.#completed[a]!.returnTime, this.#completed[b]!.returnTime),
    );
    let calls = 0;
    let maybes = 0;
    for (let event = 1; event <= 2 * count; event++) {
      const returning = this.#completed[byReturn[event - 1 - calls]!]!;
      const isCall = calls < count && this.#completed[calls]!.callTime <= returning.returnTime;
      if (isCall) {
        this.#event[event] = calls;
        this.#callEvent[calls++] = event;
        continue;
      }
      while (maybes < this.#maybes.length) {
        if (this.#maybes[maybes]!.callTime > returning.returnTime) break;
        this.#maybeAfterEvent[maybes++] = event - 1;
      }
      const operation = byReturn[event - 1 - calls]!;
      this.#event[event] = ~operation;
      this.#returnEvent[operation] = event;
    }
    this.#maybeAfterEvent.fill(2 * count, maybes);
    for (let event = 0; event <= 2 * count; event++) {
      this.#next[event] = event === 2 * count ? 0 : event + 1;
      this.#previous[event] = event === 0 ? 2 * count : event - 1;
    }
  }
}

function twinsOf(inputs: readonly unknown[]): Int32Array {
  const latest = new Map<string, number>();
  return Int32Array.from(inputs, (input, at) => {
    const text = JSON.stringify(input, (_, value) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    const twin = latest.get(text) ?? -1;
    latest.set(text, at);
    return twin;
  });
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sameWords(a: Int32Array, b: Int32Array, bLength: number): boolean {
  if (a.length !== bLength) return false;
  for (let i = 0; i < bLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A bijection that spreads close numbers over 32 bits (murmur3's last step). */
function mixed(value: number): number {
  let spread = value | 0;
  spread = Math.imul(spread ^ (spread >>> 16), 0x85ebca6b);
  spread = Math.imul(spread ^ (spread >>> 13), 0xc2b2ae35);
  return spread ^ (spread >>> 16);
}
