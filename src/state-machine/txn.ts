/**
 * Transactions. All compares of the path that will run, nested ones included, see the state before the
 * transaction; then the whole path is checked; only then does anything change. So a failure changes nothing.
 */
import {
  EtcdError,
  errCompacted,
  errFutureRev,
  errKeyNotFound,
  errLeaseNotFound,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type ResponseOpInit,
  type TxnRequest,
  type TxnResponseInit,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import type { RangeResult, RevisionProblem } from "../mvcc/index.ts";
import { EarlierWrites } from "./earlier-writes.ts";
import type { KvWriter } from "./kv-writer.ts";
import { executeRange, type RangeView, rangeSteps } from "./range.ts";
import { PAGE_COUNT, type Steps } from "./steps.ts";
import { compareSteps, holds } from "./txn-compare.ts";

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

/** Whether a key is there is known without its record. */
const PRESENCE = { revision: 0, limit: 0, countOnly: true, keysOnly: false };
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
    const present = view.range(put.key, EMPTY_BYTES, PRESENCE) as RangeResult;
    if (present.count === 0 || earlier.deleted(put.key)) return errKeyNotFound;
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

/**
 * The same in steps. `revision` is the newest when the steps begin and every read names it; the view may move on
 * between steps. "compacted" when a compaction overtook the reads.
 */
export function* readOnlySteps(
  view: TxnView,
  request: TxnRequest,
  revision: number,
): Steps<TxnResponseInit | EtcdError | RevisionProblem> {
  let succeeded = true;
  for (const compare of request.compare) {
    const answer = yield* compareSteps(view, compare, revision);
    if (typeof answer === "string") return answer;
    succeeded = answer;
    if (!succeeded) break;
    yield;
  }
  const operations = branchOf(request, succeeded);
  for (const { request_range: range } of operations) {
    // The view may have moved on: what is future is so as of the revision read at.
    if (range !== undefined && range.revision > revision) return errFutureRev;
    const problem = checkRangeNow(view, range);
    if (problem !== null) return problem;
  }
  const responses: ResponseOpInit[] = [];
  for (const { request_range: range } of operations) {
    assert(range !== undefined, "a read-only transaction has only ranges");
    const at = range.revision > 0 ? range.revision : revision;
    const response = yield* rangeSteps(view, range, at, PAGE_COUNT);
    if (typeof response === "string") return response;
    responses.push({ response_range: { ...response, header: { revision } } });
    yield;
  }
  return { succeeded, responses };
}
