/**
 * Transactions. All compares of the path that will run, nested ones included, see the state before the
 * transaction; then the whole path is checked; only then does anything change. So a failure changes nothing.
 */
import {
  type Compare,
  CompareCompareResult as CompareResult,
  CompareCompareTarget as CompareTarget,
  decodeKeyValue,
  EtcdError,
  errCompacted,
  errFutureRev,
  errKeyNotFound,
  errLeaseNotFound,
  type KeyValue,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type ResponseOpInit,
  type TxnRequest,
  type TxnResponseInit,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import type { RangeResult } from "../mvcc/index.ts";
import { EarlierWrites } from "./earlier-writes.ts";
import type { KvWriter } from "./kv-writer.ts";
import { executeRange, type RangeView } from "./range.ts";

/** The state before a transaction, as its compares and checks see it. */
export interface TxnView extends RangeView {
  revision(): number;
  compactRevision(): number;
  leaseExists(id: bigint): boolean;
}

/** Which branch runs, and the same for the nested transactions in it, in order. */
export interface TxnPath {
  readonly succeeded: boolean;
  readonly nested: readonly TxnPath[];
}

const NEWEST = { revision: 0, limit: 0, countOnly: false, keysOnly: false };
const MISSING: KeyValue = {
  key: EMPTY_BYTES,
  create_revision: 0,
  mod_revision: 0,
  version: 0,
  value: EMPTY_BYTES,
  lease: 0n,
};

export function choosePath(view: RangeView, request: TxnRequest): TxnPath {
  const succeeded = request.compare.every((compare) => holds(view, compare));
  const nested: TxnPath[] = [];
  for (const operation of branchOf(request, succeeded)) {
    if (operation.request_txn !== undefined) nested.push(choosePath(view, operation.request_txn));
  }
  return { succeeded, nested };
}

function branchOf(request: TxnRequest, succeeded: boolean): RequestOp[] {
  return succeeded ? request.success : request.failure;
}

function holds(view: RangeView, compare: Compare): boolean {
  const result = view.range(compare.key, compare.range_end, NEWEST) as RangeResult;
  if (result.kvs.length === 0) {
    return compare.target !== CompareTarget.VALUE && holdsFor(compare, MISSING);
  }
  return result.kvs.every((bytes) => holdsFor(compare, decodeKeyValue(bytes)));
}

function holdsFor(compare: Compare, kv: KeyValue): boolean {
  const difference = differenceTo(compare, kv);
  switch (compare.result) {
    case CompareResult.EQUAL:
      return difference === 0;
    case CompareResult.NOT_EQUAL:
      return difference !== 0;
    case CompareResult.GREATER:
      return difference > 0;
    case CompareResult.LESS:
      return difference < 0;
    default:
      return true; // as etcd answers an unknown relation
  }
}

function differenceTo(compare: Compare, kv: KeyValue): number {
  switch (compare.target) {
    case CompareTarget.VERSION:
      return kv.version - (compare.version ?? 0);
    case CompareTarget.CREATE:
      return kv.create_revision - (compare.create_revision ?? 0);
    case CompareTarget.MOD:
      return kv.mod_revision - (compare.mod_revision ?? 0);
    case CompareTarget.VALUE:
      return compareBytes(kv.value, compare.value ?? EMPTY_BYTES);
    case CompareTarget.LEASE: {
      const wanted = compare.lease ?? 0n;
      return kv.lease === wanted ? 0 : kv.lease > wanted ? 1 : -1;
    }
    default:
      return 0;
  }
}

/** Checks all puts of the path, then all ranges (etcd's order). */
export function checkPath(view: TxnView, request: TxnRequest, path: TxnPath): EtcdError | null {
  const earlier = new EarlierWrites();
  return (
    walk(request, path, (operation) => {
      const problem = checkPutNow(view, operation.request_put, earlier);
      earlier.note(operation);
      return problem;
    }) ?? walk(request, path, (operation) => checkRangeNow(view, operation.request_range))
  );
}

function walk(
  request: TxnRequest,
  path: TxnPath,
  check: (operation: RequestOp) => EtcdError | null,
): EtcdError | null {
  let nested = 0;
  for (const operation of branchOf(request, path.succeeded)) {
    const problem =
      operation.request_txn !== undefined
        ? walk(operation.request_txn, path.nested[nested++]!, check)
        : check(operation);
    if (problem !== null) return problem;
  }
  return null;
}

function checkPutNow(
  view: TxnView,
  put: PutRequest | undefined,
  earlier: EarlierWrites,
): EtcdError | null {
  if (put === undefined) return null;
  if (put.ignore_value || put.ignore_lease) {
    const present = view.range(put.key, EMPTY_BYTES, NEWEST) as RangeResult;
    if (present.kvs.length === 0 || earlier.deleted(put.key)) return errKeyNotFound;
  }
  if (put.lease !== 0n && !view.leaseExists(put.lease)) return errLeaseNotFound;
  return null;
}

function checkRangeNow(view: TxnView, range: RangeRequest | undefined): EtcdError | null {
  if (range === undefined || range.revision === 0) return null;
  if (range.revision > view.revision()) return errFutureRev;
  if (range.revision < view.compactRevision()) return errCompacted;
  return null;
}

/** Runs a checked path. `writer` is the open transaction of the store. */
export function runPath(writer: KvWriter, request: TxnRequest, path: TxnPath): TxnResponseInit {
  let nested = 0;
  const responses: ResponseOpInit[] = [];
  for (const operation of branchOf(request, path.succeeded)) {
    if (operation.request_txn !== undefined) {
      const inner = runPath(writer, operation.request_txn, path.nested[nested++]!);
      responses.push({ response_txn: { ...inner, header: {} } });
    } else {
      responses.push(runOperation(writer, operation));
    }
  }
  return { succeeded: path.succeeded, responses };
}

function runOperation(writer: KvWriter, operation: RequestOp): ResponseOpInit {
  if (operation.request_range !== undefined) {
    return { response_range: readInside(writer, operation.request_range, writer.revision()) };
  }
  if (operation.request_put !== undefined) {
    const response = writer.put(operation.request_put);
    assert(!(response instanceof EtcdError), `a checked put failed: ${response}`);
    return { response_put: { ...response, header: { revision: writer.revision() } } };
  }
  const deletion = operation.request_delete_range;
  assert(deletion !== undefined, "an operation without a request passed the checks");
  const response = writer.deleteRange(deletion);
  return { response_delete_range: { ...response, header: { revision: writer.revision() } } };
}

function readInside(view: RangeView, request: RangeRequest, revision: number) {
  const response = executeRange(view, request);
  assert(!(response instanceof EtcdError), `a checked range failed: ${response}`);
  return { ...response, header: { revision } };
}

/** A transaction that only reads, on the newest committed state; null header. */
export function runReadOnly(view: TxnView, request: TxnRequest): TxnResponseInit | EtcdError {
  const path = choosePath(view, request);
  const problem = checkPath(view, request, path);
  if (problem !== null) return problem;
  const revision = view.revision();
  const responses = branchOf(request, path.succeeded).map((operation) => {
    assert(operation.request_range !== undefined, "a read-only transaction has only ranges");
    return { response_range: readInside(view, operation.request_range, revision) };
  });
  return { succeeded: path.succeeded, responses };
}
