// Checks of revisions in time linear in the history (but for sorting): too weak to prove linearizability,
// fast enough for every run of any length, and with a message that names the culprit.

import { type KvEntry, matches, pastOf } from "./kv-model.ts";
import { canWrite, type KvRequest, type KvResponse, saysChanged } from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import type { RevisionHistory } from "./revision-history.ts";
import { type Violation, Violations } from "./violations.ts";

interface Seen {
  readonly place: number;
  readonly client: number;
  readonly revision: number;
  readonly callTime: number;
  readonly returnTime: number;
  readonly changed: boolean;
  readonly serializable: boolean;
}

/**
 * unique: no two writes were answered with one revision. client, time: an answer is not behind an earlier
 * one, and a write is after it; earlier for the same client, then for anybody whose answer came before
 * the call. gap: a revision that no answer holds needs a write of unknown outcome.
 */
export function checkRevisions(entries: readonly KvEntry[], baseRevision = 1): Violation[] {
  const violations = new Violations();
  const seen = seenOf(entries);
  checkUnique(seen, violations);
  checkClients(seen, violations);
  checkTime(seen, violations);
  let unknown = 0;
  for (const { input, outcome } of entries) {
    if (outcome.kind === "unknown" && canWrite(input)) unknown++;
  }
  // A revoke does not tell whether it made a revision.
  unknown += entries.filter(
    ({ input, outcome }) => input.kind === "lease-revoke" && outcome.kind === "ok",
  ).length;
  const known = new Set(seen.filter(({ changed }) => changed).map(({ revision }) => revision));
  const highest = seen.reduce((most, { revision }) => Math.max(most, revision), baseRevision);
  const missing = highest - baseRevision - known.size;
  if (missing > unknown) {
    const message = `${missing} revisions up to ${highest} were answered to nobody, ${unknown} writes are unknown`;
    violations.add("gap", message);
  }
  return violations.list;
}

/**
 * gap: the log's revisions are consecutive. answer: each answer is the one the store gives when it runs
 * the request on the log's state just before (a write) or at (a read) the answer's revision; a read of an
 * older revision R gets the state at R. Serializable reads too. Errors are not looked at.
 */
export function checkAnswers(entries: readonly KvEntry[], history: RevisionHistory): Violation[] {
  const violations = new Violations();
  for (const gap of history.gaps) violations.add("gap", `the log holds nothing at revision ${gap}`);
  const past = pastOf(history);
  for (const [place, { input, outcome }] of entries.entries()) {
    if (outcome.kind !== "ok" || outcome.output.kind === "error") continue;
    if (input.kind === "lease-grant" || input.kind === "compact") continue;
    const { output } = outcome;
    const before = revisionBefore(input, output, history);
    if (!history.covers(before) || !history.covers(output.revision)) {
      if (output.revision < history.baseRevision) continue;
      const end = `the log ends at ${history.lastRevision}`;
      violations.add("answer", `${describe(place, input, output)}: ${end}`);
      continue;
    }
    const run = runRequest(history.viewAt(before), input, past);
    if (matches(run, output)) continue;
    const right = JSON.stringify(run.response, withBigints);
    violations.add("answer", `${describe(place, input, output)}: ${right} is right`);
  }
  return violations.list;
}

/** The revision of the state that the request ran on. */
export function revisionBefore(
  input: KvRequest,
  output: Exclude<KvResponse, { kind: "error" }>,
  history: RevisionHistory,
): number {
  if (saysChanged(output)) return output.revision - 1;
  if (input.kind !== "lease-revoke") return output.revision;
  // Its answer does not tell: it made the revision when that took the lease's keys away.
  const before = output.revision - 1;
  const events = history.eventsAt(output.revision);
  const took = events.every(
    ({ kind, keyValue }) =>
      kind === "delete" && history.keyAt(keyValue.key, before)?.lease === input.lease,
  );
  return took && events.length > 0 ? before : output.revision;
}

export function describe(place: number, input: KvRequest, output: KvResponse | null): string {
  return `entry ${place} ${JSON.stringify(input, withBigints)} answered ${JSON.stringify(output, withBigints)}`;
}

export function withBigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function seenOf(entries: readonly KvEntry[]): Seen[] {
  const seen: Seen[] = [];
  for (const [place, { client, input, callTime, outcome }] of entries.entries()) {
    if (outcome.kind !== "ok" || outcome.output.kind === "error") continue;
    const { output, returnTime } = outcome;
    const { revision } = output;
    const changed = saysChanged(output);
    const serializable = input.kind === "range" && input.serializable;
    seen.push({ place, client, revision, callTime, returnTime, changed, serializable });
  }
  return seen;
}

function checkUnique(seen: readonly Seen[], violations: Violations): void {
  const writers = new Map<number, number>();
  for (const { place, revision, changed } of seen) {
    if (!changed) continue;
    const other = writers.get(revision);
    if (other === undefined) writers.set(revision, place);
    else violations.add("unique", `entries ${other} and ${place} both wrote revision ${revision}`);
  }
}

function checkClients(seen: readonly Seen[], violations: Violations): void {
  const latest = new Map<number, Seen>();
  const ordered = seen
    .filter(({ serializable }) => !serializable)
    .sort((a, b) => a.callTime - b.callTime);
  for (const each of ordered) {
    const before = latest.get(each.client);
    if (before !== undefined && isBehind(each, before.revision)) {
      violations.add("client", behind(each, before));
    }
    latest.set(each.client, each);
  }
}

function checkTime(seen: readonly Seen[], violations: Violations): void {
  const byReturn = seen.toSorted((a, b) => (a.returnTime < b.returnTime ? -1 : 1));
  const byCall = seen.toSorted((a, b) => a.callTime - b.callTime);
  let returned = 0;
  let newest: Seen | null = null;
  for (const each of byCall) {
    while (returned < byReturn.length && byReturn[returned]!.returnTime < each.callTime) {
      const candidate = byReturn[returned++]!;
      if (newest === null || candidate.revision > newest.revision) newest = candidate;
    }
    // A serializable read may be behind, but what it saw existed: it counts for the others.
    if (newest === null || each.serializable) continue;
    if (isBehind(each, newest.revision)) violations.add("time", behind(each, newest));
  }
}

function isBehind(each: Seen, revision: number): boolean {
  return each.changed ? each.revision <= revision : each.revision < revision;
}

function behind(each: Seen, before: Seen): string {
  const what = each.changed ? "wrote" : "was answered with";
  return `entry ${each.place} ${what} revision ${each.revision} after entry ${before.place} had ${before.revision}`;
}
