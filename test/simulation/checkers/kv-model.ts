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
  sameEvent,
  sameKeyValue,
  sameList,
  saysChanged,
} from "./kv-operations.ts";
import { byKey, type KvRun, type KvView, type Past, runRequest } from "./kv-run.ts";
import { textHash } from "./register-model.ts";
import type { RevisionHistory } from "./revision-history.ts";

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
    const state = this.withKeys(run);
    const { revision, keys, leases, contentHash } = state;
    if (request.kind === "compact") {
      return new KvState(revision, request.revision, keys, leases, contentHash);
    }
    if (request.kind !== "lease-grant" && request.kind !== "lease-revoke") return state;
    const changed = new Set(leases);
    if (request.kind === "lease-grant") changed.add(request.lease);
    else changed.delete(request.lease);
    const hash = contentHash ^ leaseHash(request.lease);
    return new KvState(revision, this.compactRevision, keys, changed, hash);
  }

  /** Leases and compaction as they are. */
  withKeys(run: KvRun): KvState {
    if (run.events.length === 0) return this;
    let { contentHash } = this;
    const keys = new Map(this.keys);
    for (const [key, keyValue] of run.changed) {
      const before = keys.get(key);
      if (before !== undefined) contentHash ^= keyValueHash(before);
      if (keyValue === null) {
        keys.delete(key);
        continue;
      }
      keys.set(key, keyValue);
      contentHash ^= keyValueHash(keyValue);
    }
    return new KvState(this.revision + 1, this.compactRevision, keys, this.leases, contentHash);
  }
}

/** A new store: the first write makes revision 2. */
export const emptyStore = new KvState(1, -1, new Map(), new Set());

export interface KvModelOptions {
  /** Where a window of a longer history begins. */
  readonly initial?: KvState;
  /** The log: old revisions are read in it, and each write must make the events that stand in it. */
  readonly history?: RevisionHistory;
  /**
   * Leaves out which leases exist and what is compacted: apart.ts checks them. They change without a
   * revision, so that lost grants, revokes, expiries and compactions make a long search hopeless.
   */
  readonly keysOnly?: boolean;
}

export function kvModel(options: KvModelOptions = {}): Model<KvState, KvRequest, KvResponse> {
  const { initial = emptyStore, history, keysOnly = false } = options;
  const past = history && pastOf(history);
  return {
    initial,
    step(state, input, output) {
      if (keysOnly && output !== null && isApart(output)) return [true, state];
      if (output !== null && !isNear(state.revision, output)) return [false, state];
      const view = keysOnly ? keysOf(state, input) : state;
      const run = runRequest(view, input, past);
      if (output !== null && !matches(run, output)) return [false, state];
      if (history !== undefined && run.events.length > 0) {
        const logged = history.eventsAt(state.revision + 1);
        if (!sameList(run.events, logged, sameEvent)) return [false, state];
      }
      return [true, keysOnly ? state.withKeys(run) : state.after(input, run)];
    },
    hash: (state) => state.contentHash ^ Math.imul(state.revision, 31) ^ state.compactRevision,
    equal: sameState,
    preservesState(input, output) {
      if (keysOnly && (input.kind === "compact" || input.kind === "lease-grant")) return true;
      return !canWrite(input) || (output !== null && saysUnchanged(input, output));
    },
    progress: {
      of: (state) => state.revision,
      last(_input, output) {
        if (output.kind === "error") return Number.POSITIVE_INFINITY;
        return saysChanged(output) ? output.revision - 1 : output.revision;
      },
    },
  };
}

export function pastOf(history: RevisionHistory): Past {
  return (key, rangeEnd, revision) =>
    history.covers(revision) ? history.rangeAt(key, rangeEnd, revision) : null;
}

/** Refusals that keys do not explain. */
function isApart(output: KvResponse): boolean {
  return output.kind === "error" && output.error !== "future-revision";
}

function keysOf(state: KvState, input: KvRequest): KvView {
  return {
    revision: state.revision,
    compactRevision: -1,
    leases: { has: () => input.kind !== "lease-grant" },
    get: (key) => state.get(key),
    range: (key, rangeEnd) => state.range(key, rangeEnd),
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
