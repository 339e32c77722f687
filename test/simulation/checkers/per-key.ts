// The first level of the two-level plan: each key as a register of its own, without revisions. It holds
// when the store's revisions are not trusted, and it partitions, so that long histories are cheap. What a
// request over many keys did to one key is projected; where its answer does not tell, everything it
// could have done is allowed. So a linearizable history always passes; some broken ones pass too.

import type { HistoryEntry, Model, Outcome } from "./history.ts";
import type { KvEntry } from "./kv-model.ts";
import {
  type Compare,
  isInRange,
  type KeyValue,
  type KvRequest,
  type KvResponse,
  type TxnOperation,
} from "./kv-operations.ts";
import { textHash } from "./register-model.ts";

/** Null: the key is absent. */
export type Touch =
  | { readonly kind: "expect"; readonly value: string | null }
  | { readonly kind: "set"; readonly value: string | null };

/** All touches of one request on one key, at one moment. */
export interface KeyOperation {
  readonly key: string;
  readonly touches: readonly Touch[];
}

export type KeyEntry = HistoryEntry<KeyOperation, true>;

export const keyModel: Model<string | null, KeyOperation, true> = {
  initial: null,
  step(state, { touches }) {
    let value = state;
    for (const touch of touches) {
      if (touch.kind === "set") value = touch.value;
      else if (touch.value !== value) return [false, state];
    }
    return [true, value];
  },
  hash: textHash,
  equal: (a, b) => a === b,
  preservesState: ({ touches }) => touches.every(({ kind }) => kind === "expect"),
  partition: ({ key }) => key,
};

/** Serializable reads and reads of old revisions are left out: replayed history judges them. */
export function perKey(entries: readonly KvEntry[]): KeyEntry[] {
  const keys = new Set<string>();
  const keysOfLease = new Map<bigint, Set<string>>();
  for (const { input, outcome } of entries) {
    noteKeys(input, keys, keysOfLease);
    if (outcome.kind === "ok") noteAnswered(outcome.output, keys);
  }
  const projected: KeyEntry[] = [];
  const add = (from: KvEntry, touches: Touches, outcome: Outcome<true>) => {
    for (const [key, list] of touches.lists) {
      if (list.length === 0) continue;
      const { client, callTime } = from;
      projected.push({ client, callTime, input: { key, touches: list }, outcome });
    }
  };
  for (const entry of entries) {
    const { input, outcome } = entry;
    if (outcome.kind === "failed") continue;
    if (input.kind === "lease-revoke") {
      // Which keys it took nobody says: any that ever had the lease, or none.
      const touches = new Touches(keysOfLease.get(input.lease) ?? new Set());
      touches.delete("", "\0");
      add(entry, touches, { kind: "unknown" });
      continue;
    }
    if (input.kind === "compact" || input.kind === "lease-grant") continue;
    const lost = outcome.kind === "unknown" || outcome.output.kind === "applied";
    if (lost) {
      for (const touches of guesses(input, keys)) add(entry, touches, { kind: "unknown" });
    } else if (outcome.kind === "ok" && outcome.output.kind !== "error") {
      const touches = new Touches(keys);
      touches.answered(input, outcome.output);
      add(entry, touches, { kind: "ok", output: true, returnTime: outcome.returnTime });
    }
  }
  return projected;
}

function noteKeys(
  request: KvRequest,
  keys: Set<string>,
  keysOfLease: Map<bigint, Set<string>>,
): void {
  if (request.kind === "txn") {
    for (const each of [...request.success, ...request.failure]) noteKeys(each, keys, keysOfLease);
  }
  if (request.kind === "range" && request.rangeEnd === "") keys.add(request.key);
  if (request.kind !== "put") return;
  keys.add(request.key);
  if (request.lease === 0n) return;
  const attached = keysOfLease.get(request.lease);
  if (attached === undefined) keysOfLease.set(request.lease, new Set([request.key]));
  else attached.add(request.key);
}

/** A key that nobody wrote may be answered all the same, and must not pass. */
function noteAnswered(response: KvResponse, keys: Set<string>): void {
  if (response.kind === "range") for (const { key } of response.keyValues ?? []) keys.add(key);
  if (response.kind === "txn") for (const each of response.responses) noteAnswered(each, keys);
}

/** What a request without an answer may have done: nothing, or all of one of these. */
function guesses(request: TxnOperation, keys: ReadonlySet<string>): Touches[] {
  const touches = new Touches(keys);
  switch (request.kind) {
    case "range":
      return [];
    case "put":
      touches.set(request.key, request.value);
      return [touches];
    case "delete-range":
      touches.delete(request.key, request.rangeEnd);
      return [touches];
    case "txn": {
      if (request.success.some(isNested) || request.failure.some(isNested)) {
        return [...request.success, ...request.failure].flatMap((each) => guesses(each, keys));
      }
      const success = new Touches(keys);
      for (const compare of request.compares) success.compared(compare);
      success.written(request.success);
      touches.written(request.failure);
      return [success, touches];
    }
  }
}

function isNested({ kind }: TxnOperation): boolean {
  return kind === "txn";
}

/** The touches of one request, per key. */
class Touches {
  readonly lists = new Map<string, Touch[]>();

  constructor(keys: ReadonlySet<string>) {
    for (const key of keys) this.lists.set(key, []);
  }

  set(key: string, value: string | null): void {
    this.lists.get(key)!.push({ kind: "set", value });
  }

  expect(key: string, value: string | null): void {
    this.lists.get(key)?.push({ kind: "expect", value });
  }

  delete(key: string, rangeEnd: string): void {
    for (const each of this.#within(key, rangeEnd)) this.set(each, null);
  }

  written(operations: readonly TxnOperation[]): void {
    for (const operation of operations) {
      if (operation.kind === "put") this.set(operation.key, operation.value);
      if (operation.kind === "delete-range") this.delete(operation.key, operation.rangeEnd);
    }
  }

  /** A compare that held and tells the value: equal to one, or absent. */
  compared({ key, rangeEnd, target, result, operand }: Compare): void {
    if (rangeEnd !== "" || result !== "equal") return;
    if (target === "value") this.expect(key, operand as string);
    else if (target !== "lease" && Number(operand) === 0) this.expect(key, null);
  }

  answered(request: TxnOperation, response: KvResponse): void {
    if (request.kind === "range" && response.kind === "range") this.#ranged(request, response);
    if (request.kind === "put" && response.kind === "put") {
      if (response.previous !== undefined) {
        this.expect(request.key, response.previous?.value ?? null);
      }
      this.set(request.key, request.value);
    }
    if (request.kind === "delete-range" && response.kind === "delete-range") {
      const { previous } = response.deleted === 0 ? { previous: [] } : response;
      if (previous !== undefined) this.#found(request.key, request.rangeEnd, previous);
      this.delete(request.key, request.rangeEnd);
    }
    if (request.kind === "txn" && response.kind === "txn") {
      // Nested compares look at the state before the txn, which earlier writes hide here.
      if (response.succeeded) for (const compare of request.compares) this.#first(compare);
      const branch = response.succeeded ? request.success : request.failure;
      for (const [at, operation] of branch.entries()) {
        this.answered(operation, response.responses[at]!);
      }
    }
  }

  #first(compare: Compare): void {
    if ((this.lists.get(compare.key)?.length ?? 0) === 0) this.compared(compare);
  }

  #ranged(
    request: TxnOperation & { kind: "range" },
    response: KvResponse & { kind: "range" },
  ): void {
    if (request.serializable || request.revision > 0 || response.keyValues === null) return;
    const { keyValues, count } = response;
    if (request.countOnly && count > 0) return;
    if (!response.more) this.#found(request.key, request.rangeEnd, keyValues);
    else for (const { key, value } of keyValues) this.expect(key, value);
  }

  /** All that was there: the other keys of the range were not. */
  #found(key: string, rangeEnd: string, keyValues: readonly KeyValue[]): void {
    const values = new Map(keyValues.map((each) => [each.key, each.value]));
    for (const each of this.#within(key, rangeEnd)) this.expect(each, values.get(each) ?? null);
  }

  *#within(key: string, rangeEnd: string): Iterable<string> {
    for (const each of this.lists.keys()) if (isInRange(each, key, rangeEnd)) yield each;
  }
}
