// What one request does to a store: the sequential meaning of etcd's KV, compaction and lease requests.
// It runs on any view of the keys: on a state of the model, or on a past revision of the durable history.

import {
  type Compare,
  isInRange,
  type KeyValue,
  type KvError,
  type KvEvent,
  type KvRequest,
  type KvResponse,
  type RangeRequest,
  type TxnOperation,
  type TxnRequest,
} from "./kv-operations.ts";

/** A store at one revision. */
export interface KvView {
  readonly revision: number;
  readonly compactRevision: number;
  readonly leases: { has(lease: bigint): boolean };
  get(key: string): KeyValue | null;
  /** In key order. */
  range(key: string, rangeEnd: string): readonly KeyValue[];
}

/** Reads an older revision; null when it is not known. */
export type Past = (key: string, rangeEnd: string, revision: number) => readonly KeyValue[] | null;

export interface KvRun {
  readonly response: KvResponse;
  /** In the order of the operations; all have one revision. */
  readonly events: readonly KvEvent[];
  /** The keys afterwards where they differ, null for deleted. */
  readonly changed: ReadonlyMap<string, KeyValue | null>;
}

const nothing: ReadonlyMap<string, KeyValue | null> = new Map();

export function runRequest(view: KvView, request: KvRequest, past: Past = () => null): KvRun {
  const error = errorOf(view, request);
  if (error !== null) return { response: { kind: "error", error }, events: [], changed: nothing };
  const draft = new Draft(view, past);
  const { kind } = request;
  switch (kind) {
    case "compact":
    case "lease-grant":
      return { response: { kind, revision: view.revision }, events: [], changed: nothing };
    case "lease-revoke": {
      const attached = view.range("", "\0").filter(({ lease }) => lease === request.lease);
      for (const { key } of attached) draft.delete(key, "");
      return draft.finish({ kind, revision: draft.revision });
    }
    default:
      return draft.finish(draft.run(request));
  }
}

/** Why the whole request is refused; then it changes nothing. */
function errorOf(view: KvView, request: KvRequest): KvError | null {
  switch (request.kind) {
    case "range":
      return request.revision > 0 ? revisionError(view, request.revision) : null;
    case "put":
      return leaseError(view, request.lease);
    case "delete-range":
      return null;
    case "txn":
      return branchError(view, request);
    case "compact":
      if (request.revision <= view.compactRevision) return "compacted";
      return request.revision > view.revision ? "future-revision" : null;
    case "lease-grant":
      return view.leases.has(request.lease) ? "lease-exists" : null;
    case "lease-revoke":
      return view.leases.has(request.lease) ? null : "lease-not-found";
  }
}

/** The chosen branch is checked as a whole on the state before; a negative revision counts as compacted. */
function branchError(view: KvView, request: TxnRequest): KvError | null {
  for (const operation of branchOf(view, request)) {
    const error =
      operation.kind === "range" && operation.revision < 0 ? "compacted" : errorOf(view, operation);
    if (error !== null) return error;
  }
  return null;
}

function revisionError(view: KvView, revision: number): KvError | null {
  if (revision > view.revision) return "future-revision";
  return revision < view.compactRevision ? "compacted" : null;
}

function leaseError(view: KvView, lease: bigint): KvError | null {
  return lease !== 0n && !view.leases.has(lease) ? "lease-not-found" : null;
}

function branchOf(view: KvView, request: TxnRequest): readonly TxnOperation[] {
  return request.compares.every((each) => holds(view, each)) ? request.success : request.failure;
}

/** A range compare must hold for every key; no key at all compares as one missing key. */
function holds(view: KvView, compare: Compare): boolean {
  const found: (KeyValue | null)[] =
    compare.rangeEnd === ""
      ? [view.get(compare.key)]
      : [...view.range(compare.key, compare.rangeEnd)];
  if (found.length === 0) found.push(null);
  return found.every((each) => holdsFor(each, compare));
}

function holdsFor(found: KeyValue | null, { target, result, operand }: Compare): boolean {
  // A missing key has no value, so that no comparison of it holds.
  if (target === "value" && found === null) return false;
  const held = targetOf(found, target);
  switch (result) {
    case "equal":
      return held === operand;
    case "not-equal":
      return held !== operand;
    case "greater":
      return held > operand;
    case "less":
      return held < operand;
  }
}

function targetOf(found: KeyValue | null, target: Compare["target"]): number | bigint | string {
  switch (target) {
    case "version":
      return found?.version ?? 0;
    case "create":
      return found?.createRevision ?? 0;
    case "mod":
      return found?.modRevision ?? 0;
    case "lease":
      return found?.lease ?? 0n;
    case "value":
      return found?.value ?? "";
  }
}

/** The keys while a request runs: later operations of a txn see the earlier ones. */
class Draft {
  readonly events: KvEvent[] = [];
  readonly changed = new Map<string, KeyValue | null>();
  readonly #view: KvView;
  readonly #past: Past;

  constructor(view: KvView, past: Past) {
    this.#view = view;
    this.#past = past;
  }

  get revision(): number {
    return this.#view.revision + (this.events.length > 0 ? 1 : 0);
  }

  /** The header tells the revision after the whole request. */
  finish(response: KvResponse): KvRun {
    const { events, changed, revision } = this;
    return { response: { ...response, revision } as KvResponse, events, changed };
  }

  run(request: TxnOperation): KvResponse {
    switch (request.kind) {
      case "range":
        return this.#range(request);
      case "put": {
        const previous = this.#put(request.key, request.value, request.lease);
        return { kind: "put", revision: this.revision, previous };
      }
      case "delete-range": {
        const previous = this.delete(request.key, request.rangeEnd);
        const deleted = previous.length;
        return { kind: "delete-range", revision: this.revision, deleted, previous };
      }
      case "txn": {
        // Compares, nested ones too, look at the state before the whole txn.
        const branch = branchOf(this.#view, request);
        const succeeded = branch === request.success;
        const responses = branch.map((operation) => this.run(operation));
        return { kind: "txn", revision: this.revision, succeeded, responses };
      }
    }
  }

  delete(key: string, rangeEnd: string): readonly KeyValue[] {
    const previous = this.#matching(key, rangeEnd);
    for (const each of previous) {
      this.changed.set(each.key, null);
      this.events.push(deletion(each.key, this.#view.revision + 1));
    }
    return previous;
  }

  #put(key: string, value: string, lease: bigint): KeyValue | null {
    const previous = this.#get(key);
    const modRevision = this.#view.revision + 1;
    const createRevision = previous?.createRevision ?? modRevision;
    const version = (previous?.version ?? 0) + 1;
    const keyValue = { key, value, createRevision, modRevision, version, lease };
    this.changed.set(key, keyValue);
    this.events.push({ kind: "put", keyValue });
    return previous;
  }

  #range({ key, rangeEnd, revision, limit, countOnly }: RangeRequest): KvResponse {
    const found = this.#at(key, rangeEnd, revision);
    const answer = { kind: "range", revision: this.revision } as const;
    if (found === null) return { ...answer, keyValues: null, count: 0, more: false };
    if (countOnly) return { ...answer, keyValues: [], count: found.length, more: false };
    const keyValues = limit > 0 ? found.slice(0, limit) : found;
    return { ...answer, keyValues, count: found.length, more: keyValues.length < found.length };
  }

  #at(key: string, rangeEnd: string, revision: number): readonly KeyValue[] | null {
    if (revision <= 0) return this.#matching(key, rangeEnd);
    if (revision === this.#view.revision) return this.#view.range(key, rangeEnd);
    return this.#past(key, rangeEnd, revision);
  }

  #get(key: string): KeyValue | null {
    const changed = this.changed.get(key);
    return changed === undefined ? this.#view.get(key) : changed;
  }

  #matching(key: string, rangeEnd: string): readonly KeyValue[] {
    if (rangeEnd === "") {
      const found = this.#get(key);
      return found === null ? [] : [found];
    }
    const before = this.#view.range(key, rangeEnd);
    if (this.changed.size === 0) return before;
    const now = before.filter((each) => !this.changed.has(each.key));
    for (const [changedKey, keyValue] of this.changed) {
      if (keyValue !== null && isInRange(changedKey, key, rangeEnd)) now.push(keyValue);
    }
    return now.sort(byKey);
  }
}

export function byKey(a: KeyValue, b: KeyValue): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

export function deletion(key: string, modRevision: number): KvEvent {
  const keyValue = { key, value: "", createRevision: 0, modRevision, version: 0, lease: 0n };
  return { kind: "delete", keyValue };
}
