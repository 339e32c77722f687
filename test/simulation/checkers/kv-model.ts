// The model of the whole store with exact revisions, for checkLinearizable. The header's revision couples
// all keys, so that there are no partitions; the same revision places every answered request almost
// exactly, so that the search hardly ever has a choice.

import type { HistoryEntry, Model } from "./history.ts";
import {
  canWrite,
  isInRange,
  type KeyValue,
  type KvRequest,
  type KvResponse,
  sameKeyValue,
  sameList,
  saysChanged,
} from "./kv-operations.ts";
import { byKey, type KvRun, type KvView, type Past, runRequest } from "./kv-run.ts";
import { textHash } from "./register-model.ts";

export type KvEntry = HistoryEntry<KvRequest, KvResponse>;

/** A value: `after` makes a new one. */
export class KvState implements KvView {
  readonly revision: number;
  readonly compactRevision: number;
  readonly keys: ReadonlyMap<string, KeyValue>;
  readonly leases: ReadonlySet<bigint>;
  /** Of keys and leases, whatever their order; kept up to date by each step. */
  readonly contentHash: number;

  constructor(
    revision: number,
    compactRevision: number,
    keys: ReadonlyMap<string, KeyValue>,
    leases: ReadonlySet<bigint>,
    contentHash = hashOf(keys, leases),
  ) {
    this.revision = revision;
    this.compactRevision = compactRevision;
    this.keys = keys;
    this.leases = leases;
    this.contentHash = contentHash;
  }

  get(key: string): KeyValue | null {
    return this.keys.get(key) ?? null;
  }

  range(key: string, rangeEnd: string): readonly KeyValue[] {
    if (rangeEnd === "") {
      const found = this.keys.get(key);
      return found === undefined ? [] : [found];
    }
    return [...this.keys.values()].filter((each) => isInRange(each.key, key, rangeEnd)).sort(byKey);
  }

  after(request: KvRequest, run: KvRun): KvState {
    if (run.response.kind === "error") return this;
    let { compactRevision, keys, leases, contentHash } = this;
    if (request.kind === "compact") compactRevision = request.revision;
    if (request.kind === "lease-grant") leases = new Set(leases).add(request.lease);
    if (request.kind === "lease-revoke") leases = without(leases, request.lease);
    if (leases !== this.leases) {
      contentHash ^= leaseHash((request as { lease: bigint }).lease);
    }
    if (run.changed.size > 0) {
      const changedKeys = new Map(keys);
      for (const [key, keyValue] of run.changed) {
        const before = keys.get(key);
        if (before !== undefined) contentHash ^= keyValueHash(before);
        if (keyValue === null) changedKeys.delete(key);
        else {
          changedKeys.set(key, keyValue);
          contentHash ^= keyValueHash(keyValue);
        }
      }
      keys = changedKeys;
    } else if (compactRevision === this.compactRevision && leases === this.leases) return this;
    const revision = this.revision + (run.events.length > 0 ? 1 : 0);
    return new KvState(revision, compactRevision, keys, leases, contentHash);
  }
}

/** A new store: the first write makes revision 2. */
export const emptyStore = new KvState(1, -1, new Map(), new Set());

/** `initial`: where a window of a longer history begins. `past` reads older revisions, or they are not compared. */
export function kvModel(
  initial: KvState = emptyStore,
  past?: Past,
): Model<KvState, KvRequest, KvResponse> {
  return {
    initial,
    step(state, input, output) {
      if (output !== null && !isNear(state.revision, output)) return [false, state];
      const run = runRequest(state, input, past);
      if (output !== null && !matches(run, output)) return [false, state];
      return [true, state.after(input, run)];
    },
    hash: (state) => state.contentHash ^ Math.imul(state.revision, 31) ^ state.compactRevision,
    equal: sameState,
    preservesState: (input, output) =>
      !canWrite(input) || (output !== null && saysUnchanged(input, output)),
    progress: {
      of: (state) => state.revision,
      last(_input, output) {
        if (output.kind === "error") return Number.POSITIVE_INFINITY;
        return saysChanged(output) ? output.revision - 1 : output.revision;
      },
    },
  };
}

/** The cheap look before the request is run. */
function isNear(revision: number, output: KvResponse): boolean {
  if (output.kind === "error") return true;
  return output.revision === revision || output.revision === revision + 1;
}

/** Whether the answer was the right one. */
export function matches(run: KvRun, seen: KvResponse): boolean {
  const { response } = run;
  if (seen.kind === "error") return response.kind === "error" && response.error === seen.error;
  if (response.kind === "error" || response.revision !== seen.revision) return false;
  if (seen.kind === "applied") return run.events.length > 0;
  return sameAnswer(response, seen);
}

/** Answers but for the revision, which the answers inside a txn do not carry. */
function sameAnswer(expected: KvResponse, seen: KvResponse): boolean {
  if (expected.kind === "range" && seen.kind === "range") {
    if (expected.keyValues === null || seen.keyValues === null) return true;
    if (expected.count !== seen.count || expected.more !== seen.more) return false;
    return sameList(expected.keyValues, seen.keyValues, sameKeyValue);
  }
  if (expected.kind === "put" && seen.kind === "put") {
    return seen.previous === undefined || sameKeyValue(expected.previous ?? null, seen.previous);
  }
  if (expected.kind === "delete-range" && seen.kind === "delete-range") {
    if (expected.deleted !== seen.deleted) return false;
    if (seen.previous === undefined) return true;
    return sameList(expected.previous ?? [], seen.previous, sameKeyValue);
  }
  if (expected.kind === "txn" && seen.kind === "txn") {
    if (expected.succeeded !== seen.succeeded) return false;
    return sameList(expected.responses, seen.responses, sameAnswer);
  }
  return expected.kind === seen.kind;
}

/** The answer tells that keys, leases and compaction are as before. A revoke that deleted nothing took a lease. */
function saysUnchanged(input: KvRequest, output: KvResponse): boolean {
  if (output.kind === "error") return true;
  if (output.kind === "applied") return false;
  if (input.kind !== "delete-range" && input.kind !== "txn") return false;
  return !saysChanged(output);
}

function sameState(a: KvState, b: KvState): boolean {
  if (a === b) return true;
  if (a.revision !== b.revision || a.compactRevision !== b.compactRevision) return false;
  if (a.contentHash !== b.contentHash) return false;
  if (a.keys.size !== b.keys.size || a.leases.size !== b.leases.size) return false;
  for (const lease of a.leases) if (!b.leases.has(lease)) return false;
  if (a.keys === b.keys) return true;
  for (const [key, keyValue] of a.keys) {
    if (!sameKeyValue(keyValue, b.keys.get(key) ?? null)) return false;
  }
  return true;
}

function without(leases: ReadonlySet<bigint>, lease: bigint): ReadonlySet<bigint> {
  const left = new Set(leases);
  left.delete(lease);
  return left;
}

function hashOf(keys: ReadonlyMap<string, KeyValue>, leases: ReadonlySet<bigint>): number {
  let hash = 0;
  for (const keyValue of keys.values()) hash ^= keyValueHash(keyValue);
  for (const lease of leases) hash ^= leaseHash(lease);
  return hash;
}

function keyValueHash({ key, value, modRevision, version }: KeyValue): number {
  let hash = Math.imul(textHash(key), 0x9e3779b1) ^ textHash(value);
  hash = Math.imul(hash ^ modRevision, 0x85ebca6b);
  return Math.imul(hash ^ (hash >>> 15) ^ version, 0xc2b2ae35);
}

function leaseHash(lease: bigint): number {
  return textHash(`lease ${lease}`);
}
