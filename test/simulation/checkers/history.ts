// A recorded history and the model it is checked against. The simulator and the end-to-end runs record;
// the checkers of this folder read. Times are of one clock; only their order counts.

/** What the client learned of its operation. */
export type Outcome<Output> =
  /** Took effect between call and return; `returnTime` is Infinity when the effect is known, not its time. */
  | { readonly kind: "ok"; readonly output: Output; readonly returnTime: number }
  /** Certainly without effect: refused before it was proposed, or proven absent from the durable log. */
  | { readonly kind: "failed" }
  /** Timed out, or its connection broke: may take effect at any time after the call, or never. */
  | { readonly kind: "unknown" };

export interface HistoryEntry<Input, Output> {
  /** One stream of operations, one outstanding at a time. A client goes on as a new one after an unknown outcome. */
  readonly client: number;
  readonly input: Input;
  readonly callTime: number;
  readonly outcome: Outcome<Output>;
}

/** The sequential specification. States are immutable values: a step makes a new one. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /**
   * Whether the operation may take effect in this state with this answer, and the state after it.
   * `null` stands for an unknown answer: every answer the state leads to is allowed.
   */
  step(state: State, input: Input, output: Output | null): readonly [ok: boolean, state: State];
  /** Equal states have equal hashes; 32 bits. */
  hash(state: State): number;
  equal(a: State, b: State): boolean;
  /** True when the operation changes no state wherever it is legal: reads, and writes that say they changed nothing. */
  preservesState(input: Input, output: Output | null): boolean;
  /** Operations of different partitions do not touch each other (P-compositionality). */
  readonly partition?: (input: Input) => string;
  /** A count that no step lowers, and the last count at which a known answer is still possible: prunes the search. */
  readonly progress?: {
    of(state: State): number;
    last(input: Input, output: Output): number;
  };
}
