// Uses the durable log to settle writes whose answer was lost: a put of a value that is written once in
// the whole run either stands in the log, at a known revision, or never happened. What cannot be settled
// (deletions alone, values written twice) stays unknown. This keeps the search small.

import type { KvEntry } from "./kv-model.ts";
import type { KvRequest, TxnOperation } from "./kv-operations.ts";
import type { RevisionHistory } from "./revision-history.ts";

export function resolveUnknown(entries: readonly KvEntry[], history: RevisionHistory): KvEntry[] {
  const timesWritten = new Map<string, number>();
  for (const { input } of entries) {
    for (const put of putsOf(input)) timesWritten.set(put, (timesWritten.get(put) ?? 0) + 1);
  }
  const revisions = revisionsOfPuts(history);
  return entries.map((entry) => {
    if (entry.outcome.kind !== "unknown") return entry;
    const branches = branchesOf(entry.input);
    if (branches.length === 0) return entry;
    let canTell = true;
    for (const branch of branches) {
      const unique = branch.find((put) => put !== null && timesWritten.get(put) === 1);
      const revision = unique == null ? undefined : revisions.get(unique);
      if (revision !== undefined) return applied(entry, revision);
      if (branch.length > 0 && unique === undefined) canTell = false;
    }
    return canTell ? { ...entry, outcome: { kind: "failed" } } : entry;
  });
}

function applied(entry: KvEntry, revision: number): KvEntry {
  const returnTime = Number.POSITIVE_INFINITY;
  return { ...entry, outcome: { kind: "ok", output: { kind: "applied", revision }, returnTime } };
}

/** Per way the request can go: the writes it makes, null for a deletion. */
function branchesOf(request: KvRequest): (string | null)[][] {
  switch (request.kind) {
    case "put":
    case "delete-range":
      return [writesOf([request])];
    case "txn":
      return [writesOf(request.success), writesOf(request.failure)];
    default:
      return [];
  }
}

function writesOf(operations: readonly TxnOperation[]): (string | null)[] {
  const writes: (string | null)[] = [];
  for (const operation of operations) {
    if (operation.kind === "put") writes.push(nameOfPut(operation.key, operation.value));
    // Which way a nested txn goes is open: nothing in it proves that it did not happen.
    else if (operation.kind !== "range") writes.push(null);
  }
  return writes;
}

function putsOf(request: KvRequest): string[] {
  if (request.kind === "put") return [nameOfPut(request.key, request.value)];
  if (request.kind !== "txn") return [];
  return [...request.success, ...request.failure].flatMap(putsOf);
}

function nameOfPut(key: string, value: string): string {
  return JSON.stringify([key, value]);
}

function revisionsOfPuts(history: RevisionHistory): Map<string, number> {
  const revisions = new Map<string, number>();
  for (let at = history.baseRevision + 1; at <= history.lastRevision; at++) {
    for (const { kind, keyValue } of history.eventsAt(at)) {
      if (kind === "put") revisions.set(nameOfPut(keyValue.key, keyValue.value), at);
    }
  }
  return revisions;
}
