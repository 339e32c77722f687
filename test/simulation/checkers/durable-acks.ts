// Nothing acknowledged is lost and nothing is there that nobody asked for: each acknowledged write stands
// in the final history at its revision with its effect, and every other revision is the effect of one
// write of unknown outcome (which may stand there once).

import type { KvEntry } from "./kv-model.ts";
import { type KvEvent, sameEvent, sameList, saysChanged } from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import { describe, revisionBefore, withBigints } from "./revision-checks.ts";
import type { RevisionHistory } from "./revision-history.ts";
import { type Violation, Violations } from "./violations.ts";

/** Rules: lost, changed, unasked. Expiries of leases are unknown revokes among the entries. */
export function checkDurableAcks(
  entries: readonly KvEntry[],
  history: RevisionHistory,
): Violation[] {
  const violations = new Violations();
  const explained = new Set<number>();
  const unknown: KvEntry[] = [];
  for (const [place, entry] of entries.entries()) {
    const { input, outcome } = entry;
    if (outcome.kind === "unknown") unknown.push(entry);
    if (outcome.kind !== "ok" || outcome.output.kind === "error") continue;
    const { output } = outcome;
    const { revision } = output;
    const before = revisionBefore(input, output, history);
    if (!saysChanged(output) && before === revision) continue;
    if (revision <= history.baseRevision) continue;
    const found = history.eventsAt(revision);
    if (found.length === 0) {
      violations.add("lost", `${describe(place, input, output)}: nothing is there`);
      continue;
    }
    explained.add(revision);
    const { events } = runRequest(history.viewAt(before), input);
    if (sameList(events, found, sameEvent)) continue;
    const there = JSON.stringify(found, withBigints);
    violations.add("changed", `${describe(place, input, output)}: ${there} is there`);
  }
  for (const revision of unexplained(history, explained, unknown)) {
    const there = JSON.stringify(history.eventsAt(revision), withBigints);
    violations.add("unasked", `revision ${revision} holds what nobody wrote: ${there}`);
  }
  return violations.list;
}

/** The revisions left when as many as possible are given to an unknown write each (augmenting paths). */
function unexplained(
  history: RevisionHistory,
  explained: ReadonlySet<number>,
  unknown: readonly KvEntry[],
): number[] {
  const takenBy = new Map<number, number>();
  const left: number[] = [];
  const candidates = new Map<number, number[]>();
  for (let revision = history.baseRevision + 1; revision <= history.lastRevision; revision++) {
    const events = history.eventsAt(revision);
    if (explained.has(revision) || events.length === 0) continue;
    candidates.set(revision, fitting(history, revision, events, unknown));
  }
  const assign = (revision: number, tried: Set<number>): boolean => {
    for (const candidate of candidates.get(revision)!) {
      if (tried.has(candidate)) continue;
      tried.add(candidate);
      const holder = takenBy.get(candidate);
      if (holder !== undefined && !assign(holder, tried)) continue;
      takenBy.set(candidate, revision);
      return true;
    }
    return false;
  };
  for (const revision of candidates.keys()) if (!assign(revision, new Set())) left.push(revision);
  return left;
}

function fitting(
  history: RevisionHistory,
  revision: number,
  events: readonly KvEvent[],
  unknown: readonly KvEntry[],
): number[] {
  const view = history.viewAt(revision - 1);
  const fits: number[] = [];
  for (const [candidate, { input }] of unknown.entries()) {
    if (sameList(runRequest(view, input).events, events, sameEvent)) fits.push(candidate);
  }
  return fits;
}
