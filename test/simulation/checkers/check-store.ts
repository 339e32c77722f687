// All checks of a key-value history, cheapest first. This is what a simulated or a real run calls at its end.

import { compactionModel, compactions, leaseModel, perLease } from "./apart.ts";
import { checkDurableAcks } from "./durable-acks.ts";
import type { HistoryEntry, Model } from "./history.ts";
import { type KvEntry, kvModel } from "./kv-model.ts";
import { checkLinearizable, type SearchBounds } from "./linearizable.ts";
import { keyModel, perKey } from "./per-key.ts";
import { resolveUnknown } from "./resolve-unknown.ts";
import { checkAnswers, checkRevisions, withBigints } from "./revision-checks.ts";
import type { RevisionHistory } from "./revision-history.ts";
import type { Violation } from "./violations.ts";

/**
 * `history`: the durable log at the end of the run, from an empty store on. The linear checks need it;
 * with violations there the searches are left out, which could only say the same with less detail.
 */
export function checkStore(
  entries: readonly KvEntry[],
  history: RevisionHistory,
  bounds?: SearchBounds,
): Violation[] {
  const linear = [
    ...checkRevisions(entries, history.baseRevision),
    ...checkAnswers(entries, history),
    ...checkDurableAcks(entries, history),
  ];
  if (linear.length > 0) return linear;
  const settled = resolveUnknown(entries, history);
  const linearizable = settled.filter(({ input }) => input.kind !== "range" || !input.serializable);
  return [
    ...search("keys", perKey(settled), keyModel, bounds),
    ...search("leases", perLease(entries), leaseModel, bounds),
    ...search("compactions", compactions(entries), compactionModel, bounds),
    ...search("store", linearizable, kvModel({ history, keysOnly: true }), bounds),
  ];
}

function search<State, Input, Output>(
  rule: string,
  entries: readonly HistoryEntry<Input, Output>[],
  model: Model<State, Input, Output>,
  bounds: SearchBounds | undefined,
): Violation[] {
  const verdict = checkLinearizable(entries, model, bounds);
  if (verdict.kind === "ok") return [];
  const { kind, partition, longest, blocked, steps } = verdict;
  const shown = (place: number | undefined | null) =>
    place == null ? "nothing" : JSON.stringify(entries[place], withBigints);
  const message =
    `${kind} after ${steps} steps${partition && ` in ${partition}`}: ${longest.length} operations ` +
    `fit, the last ${shown(longest.at(-1))}; then ${shown(blocked)} does not`;
  return [{ rule, message }];
}
