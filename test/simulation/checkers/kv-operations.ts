// Requests and answers as the checkers see them. The recorder translates from the wire: keys and values
// are byte strings (one code unit per byte, so that text order is byte order).

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** 0n for none. */
  readonly lease: bigint;
}

/** As on the wire: a deletion holds the key and the revision only. */
export interface KvEvent {
  readonly kind: "put" | "delete";
  readonly keyValue: KeyValue;
}

/** Natural order only; no filters by revision. `revision` 0: the newest. */
export interface RangeRequest {
  readonly kind: "range";
  readonly key: string;
  readonly rangeEnd: string;
  readonly revision: number;
  /** 0: no limit. */
  readonly limit: number;
  readonly countOnly: boolean;
  /** Served from the member's own state: not part of the linearizable history. */
  readonly serializable: boolean;
}

export interface PutRequest {
  readonly kind: "put";
  readonly key: string;
  readonly value: string;
  readonly lease: bigint;
}

export interface DeleteRequest {
  readonly kind: "delete-range";
  readonly key: string;
  readonly rangeEnd: string;
}

export interface Compare {
  readonly key: string;
  readonly rangeEnd: string;
  readonly target: "version" | "create" | "mod" | "lease" | "value";
  readonly result: "equal" | "not-equal" | "greater" | "less";
  readonly operand: number | bigint | string;
}

export interface TxnRequest {
  readonly kind: "txn";
  readonly compares: readonly Compare[];
  readonly success: readonly TxnOperation[];
  readonly failure: readonly TxnOperation[];
}

export type TxnOperation = RangeRequest | PutRequest | DeleteRequest | TxnRequest;

export type KvRequest =
  | TxnOperation
  | { readonly kind: "compact"; readonly revision: number }
  | { readonly kind: "lease-grant"; readonly lease: bigint }
  /** Also the expiry of a lease, which no client asks for: an unknown outcome, called when it was granted. */
  | { readonly kind: "lease-revoke"; readonly lease: bigint };

/** Answers that are a function of the state. Any other error is a failed or an unknown outcome. */
export type KvError = "compacted" | "future-revision" | "lease-not-found" | "lease-exists";

/** `revision` is the header's; inside a txn it is not looked at. */
export type KvResponse =
  | { readonly kind: "error"; readonly error: KvError }
  /** The answer was lost, but the durable log holds the write at this revision. */
  | { readonly kind: "applied"; readonly revision: number }
  | {
      readonly kind: "range";
      readonly revision: number;
      /** null: not known, not compared. */
      readonly keyValues: readonly KeyValue[] | null;
      readonly count: number;
      readonly more: boolean;
    }
  /** `previous`: undefined when it was not asked for. */
  | { readonly kind: "put"; readonly revision: number; readonly previous?: KeyValue | null }
  | {
      readonly kind: "delete-range";
      readonly revision: number;
      readonly deleted: number;
      readonly previous?: readonly KeyValue[];
    }
  | {
      readonly kind: "txn";
      readonly revision: number;
      readonly succeeded: boolean;
      readonly responses: readonly KvResponse[];
    }
  | { readonly kind: "compact" | "lease-grant" | "lease-revoke"; readonly revision: number };

/** `rangeEnd`: empty for one key, a zero byte for everything from the key on. */
export function isInRange(candidate: string, key: string, rangeEnd: string): boolean {
  if (rangeEnd === "") return candidate === key;
  return candidate >= key && (rangeEnd === "\0" || candidate < rangeEnd);
}

export function sameKeyValue(a: KeyValue | null, b: KeyValue | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.key === b.key &&
    a.value === b.value &&
    a.createRevision === b.createRevision &&
    a.modRevision === b.modRevision &&
    a.version === b.version &&
    a.lease === b.lease
  );
}

export function sameList<Item>(
  a: readonly Item[],
  b: readonly Item[],
  same: (a: Item, b: Item) => boolean,
): boolean {
  return a.length === b.length && a.every((each, at) => same(each, b[at]!));
}

export function sameEvent(a: KvEvent, b: KvEvent): boolean {
  return a.kind === b.kind && sameKeyValue(a.keyValue, b.keyValue);
}

/** Whether the request can change keys, leases or the compacted revision in any state. */
export function canWrite(request: KvRequest): boolean {
  if (request.kind === "range") return false;
  if (request.kind !== "txn") return true;
  return request.success.some(canWrite) || request.failure.some(canWrite);
}

/** Whether the answer says that a new revision was made; false when it does not tell. */
export function saysChanged(response: KvResponse): boolean {
  switch (response.kind) {
    case "put":
    case "applied":
      return true;
    case "delete-range":
      return response.deleted > 0;
    case "txn":
      return response.responses.some(saysChanged);
    default:
      return false;
  }
}
