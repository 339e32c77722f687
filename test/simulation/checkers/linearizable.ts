// Is a history linearizable? Wing and Gong's search with Lowe's memo of visited configurations and
// Horn and Kroening's partitioning. The search itself is in linearizable-search.ts.

import type { HistoryEntry, Model } from "./history.ts";
import { type Completed, LinearizableSearch, type Maybe } from "./linearizable-search.ts";

export interface SearchBounds {
  /** Steps of the model over all partitions before the answer is "timeout". Also bounds the memory. */
  readonly stepsMax: number;
  /** Bits of the memo's hash that count; fewer make it slow and nothing else, which a test shows. */
  readonly hashMask?: number;
}

export type Verdict =
  | { readonly kind: "ok"; readonly steps: number }
  | {
      /** "timeout" is no proof of anything and counts as a failure. */
      readonly kind: "illegal" | "timeout";
      readonly steps: number;
      readonly partition: string;
      /** The longest legal order found, as places in the history. */
      readonly longest: readonly number[];
      /** After `longest`: the operation that had returned by then and fits nowhere. */
      readonly blocked: number | null;
    };

const boundsByDefault: SearchBounds = { stepsMax: 5_000_000 };

/** Everything that failed is left out; so is an unknown read, which explains nothing. */
export function checkLinearizable<State, Input, Output>(
  history: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
  bounds: SearchBounds = boundsByDefault,
): Verdict {
  let steps = 0;
  let timedOut: Verdict | null = null;
  for (const [partition, part] of partitionsOf(history, model)) {
    const search = new LinearizableSearch(model, part.completed, part.maybes, bounds.hashMask);
    const kind = search.run(bounds.stepsMax - steps);
    steps += search.steps;
    if (kind === "ok") continue;
    const { longest, blocked } = search;
    const verdict: Verdict = { kind, steps, partition, longest, blocked };
    if (kind === "illegal") return verdict;
    timedOut ??= verdict;
  }
  return timedOut ?? { kind: "ok", steps };
}

interface Part<Input, Output> {
  readonly completed: Completed<Input, Output>[];
  readonly maybes: Maybe<Input>[];
}

function partitionsOf<State, Input, Output>(
  history: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
): Map<string, Part<Input, Output>> {
  const parts = new Map<string, Part<Input, Output>>();
  for (const [place, { input, callTime, outcome }] of history.entries()) {
    if (outcome.kind === "failed") continue;
    if (outcome.kind === "unknown" && model.preservesState(input, null)) continue;
    const name = model.partition?.(input) ?? "";
    let part = parts.get(name);
    if (part === undefined) {
      part = { completed: [], maybes: [] };
      parts.set(name, part);
    }
    if (outcome.kind === "unknown") {
      part.maybes.push({ place, input, callTime });
      continue;
    }
    const { output, returnTime } = outcome;
    if (!(returnTime >= callTime)) throw new Error(`entry ${place} returns before its call`);
    part.completed.push({ place, input, output, callTime, returnTime });
  }
  return parts;
}
