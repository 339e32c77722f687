// The plain definition of linearizability, for holding the search against: is this one order legal, and
// is any order of a small history.

import type { HistoryEntry, Model } from "./history.ts";

/** Whether the places name an order that time and the model allow. It need not hold the whole history. */
export function isLinearization<State, Input, Output>(
  history: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
  order: readonly number[],
): boolean {
  let state = model.initial;
  const taken = new Set<number>();
  for (const place of order) {
    const { input, callTime, outcome } = history[place]!;
    if (taken.has(place) || outcome.kind === "failed") return false;
    taken.add(place);
    const late = history.some(
      (other, otherPlace) =>
        !taken.has(otherPlace) &&
        other.outcome.kind === "ok" &&
        other.outcome.returnTime < callTime &&
        model.partition?.(other.input) === model.partition?.(input),
    );
    if (late) return false;
    const [ok, next] = model.step(state, input, outcome.kind === "ok" ? outcome.output : null);
    if (!ok) return false;
    state = next;
  }
  return true;
}

/** Tries every order of every subset that holds all completed operations: small histories only. */
export function isLinearizableByForce<State, Input, Output>(
  history: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
): boolean {
  if (history.length > 6) throw new Error(`${history.length} operations are too many to force`);
  const left = new Set(history.keys());
  const search = (state: State): boolean => {
    const rest = [...left].map((place) => ({ place, ...history[place]! }));
    if (rest.every(({ outcome }) => outcome.kind !== "ok")) return true;
    for (const { place, input, callTime, outcome } of rest) {
      if (outcome.kind === "failed") continue;
      if (rest.some((each) => each.outcome.kind === "ok" && each.outcome.returnTime < callTime)) {
        continue;
      }
      const [ok, next] = model.step(state, input, outcome.kind === "ok" ? outcome.output : null);
      if (!ok) continue;
      left.delete(place);
      const found = search(next);
      left.add(place);
      if (found) return true;
    }
    return false;
  };
  return search(model.initial);
}
