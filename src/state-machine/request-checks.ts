/**
 * What a request must satisfy before it is looked at further: static rules, the same on every member, asked in
 * etcd's order because clients see the first failure. No state is read here.
 */
import {
  type DeleteRangeRequest,
  type EtcdError,
  errDuplicateKey,
  errEmptyKey,
  errInvalidSortOption,
  errKeyNotFound,
  errLeaseProvided,
  errTooManyOps,
  errValueProvided,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../api/index.ts";
import { latin1Text } from "../base/bytes.ts";
import { type KeyInterval, KeyIntervals } from "./key-intervals.ts";

const SORT_ORDER_LAST = 2;
const SORT_TARGET_LAST = 4;

export function checkRange(request: RangeRequest): EtcdError | null {
  if (request.key.length === 0) return errEmptyKey;
  if (request.sort_order < 0 || request.sort_order > SORT_ORDER_LAST) return errInvalidSortOption;
  if (request.sort_target < 0 || request.sort_target > SORT_TARGET_LAST) {
    return errInvalidSortOption;
  }
  return null;
}

export function checkPut(request: PutRequest): EtcdError | null {
  if (request.key.length === 0) return errEmptyKey;
  if (request.ignore_value && request.value.length !== 0) return errValueProvided;
  if (request.ignore_lease && request.lease !== 0n) return errLeaseProvided;
  return null;
}

export function checkDeleteRange(request: DeleteRangeRequest): EtcdError | null {
  return request.key.length === 0 ? errEmptyKey : null;
}

/** Sizes, then every compare and operation, then overlapping writes in either branch. */
export function checkTxn(request: TxnRequest, operationsMax: number): EtcdError | null {
  return (
    checkTxnShape(request, operationsMax) ??
    problemOf(checkOverlaps(request.success)) ??
    problemOf(checkOverlaps(request.failure))
  );
}

function checkTxnShape(request: TxnRequest, operationsMax: number): EtcdError | null {
  const { compare, success, failure } = request;
  const longest = Math.max(compare.length, success.length, failure.length);
  if (longest > operationsMax) return errTooManyOps;
  for (const item of compare) {
    if (item.key.length === 0) return errEmptyKey;
  }
  for (const branch of [success, failure]) {
    for (const operation of branch) {
      // A nested transaction gets what its parent left of the budget.
      const problem = checkOperation(operation, operationsMax - longest);
      if (problem !== null) return problem;
    }
  }
  return null;
}

function checkOperation(operation: RequestOp, operationsMax: number): EtcdError | null {
  if (operation.request_range !== undefined) return checkRange(operation.request_range);
  if (operation.request_put !== undefined) return checkPut(operation.request_put);
  if (operation.request_delete_range !== undefined) {
    return checkDeleteRange(operation.request_delete_range);
  }
  if (operation.request_txn !== undefined) {
    return checkTxnShape(operation.request_txn, operationsMax);
  }
  return errKeyNotFound;
}

/** The keys put (as latin1 text) and the ranges deleted by one branch and everything nested in it. */
interface Writes {
  readonly puts: Set<string>;
  readonly deletes: KeyIntervals;
}

function problemOf(result: Writes | EtcdError): EtcdError | null {
  return "code" in result ? result : null;
}

/**
 * The range that a delete covers for the overlap rule. As in etcd an end of one zero byte is taken as it is written
 * here, not as "no end": such a delete overlaps no put.
 */
function intervalOf({ key, range_end }: DeleteRangeRequest): KeyInterval {
  const begin = latin1Text(key);
  return { begin, end: range_end.length === 0 ? `${begin}\0` : latin1Text(range_end) };
}

/**
 * A key is put at most once per branch, and never inside a range that the same level or an earlier nested
 * transaction deletes. Then and else of a nested transaction exclude each other. As in etcd the rule depends on
 * the order of nested transactions: an earlier put does not meet a later nested delete.
 */
function checkOverlaps(operations: readonly RequestOp[]): Writes | EtcdError {
  const deletes = new KeyIntervals();
  const puts = new Set<string>();
  deletes.add(
    operations.flatMap(({ request_delete_range: deletion }) =>
      deletion === undefined ? [] : [intervalOf(deletion)],
    ),
  );
  for (const operation of operations) {
    if (operation.request_txn === undefined) continue;
    const problem = mergeNested(operation.request_txn, puts, deletes);
    if (problem !== null) return problem;
  }
  for (const operation of operations) {
    if (operation.request_put === undefined) continue;
    const key = latin1Text(operation.request_put.key);
    if (puts.has(key) || deletes.cover(key)) return errDuplicateKey;
    puts.add(key);
  }
  return { puts, deletes };
}

function mergeNested(txn: TxnRequest, puts: Set<string>, deletes: KeyIntervals): EtcdError | null {
  const taken = checkOverlaps(txn.success);
  if ("code" in taken) return taken;
  const other = checkOverlaps(txn.failure);
  if ("code" in other) return other;
  for (const key of taken.puts) {
    if (puts.has(key) || deletes.cover(key)) return errDuplicateKey;
    puts.add(key);
  }
  for (const key of other.puts) {
    if (puts.has(key) && !taken.puts.has(key)) return errDuplicateKey;
    if (deletes.cover(key)) return errDuplicateKey;
    puts.add(key);
  }
  deletes.add(taken.deletes.intervals());
  deletes.add(other.deletes.intervals());
  return null;
}

/** Whether a transaction only reads: every operation of both branches is a plain range. */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  const isRange = (operation: RequestOp) => operation.request_range !== undefined;
  return request.success.every(isRange) && request.failure.every(isRange);
}

/** Whether a read-only transaction may be answered from local state: every range says so (none at all counts). */
export function isSerializableTxn(request: TxnRequest): boolean {
  const local = (operation: RequestOp) => operation.request_range?.serializable === true;
  return request.success.every(local) && request.failure.every(local);
}

const PUT_OVERHEAD_BYTES = 256;
const LEASE_COST_BYTES = 64;

/** What a request may add to the database in the worst case, as etcd's quota counts it. */
export function putCost(request: PutRequest): number {
  return PUT_OVERHEAD_BYTES + request.key.length + request.value.length;
}

export function leaseGrantCost(): number {
  return LEASE_COST_BYTES;
}

export function txnCost(request: TxnRequest): number {
  const sum = (operations: readonly RequestOp[]): number => {
    let total = 0;
    for (const operation of operations) {
      if (operation.request_put !== undefined) total += putCost(operation.request_put);
      if (operation.request_txn !== undefined) total += txnCost(operation.request_txn);
    }
    return total;
  };
  return Math.max(sum(request.success), sum(request.failure));
}
