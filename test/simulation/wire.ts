/** Requests of simulated clients as the services take them, and answers as the checkers see them. */
import {
  CompareCompareResult,
  CompareCompareTarget,
  type CompareInit,
  type DeleteRangeResponseInit,
  decodeKeyValue,
  type EtcdError,
  errCompacted,
  errFutureRev,
  errLeaseExist,
  errLeaseNotFound,
  errNoLeader,
  errNoSpace,
  errNotSupportedForLearner,
  errRequestTooManyRequests,
  type KeyValueInit,
  type PutResponseInit,
  type RangeResponseInit,
  type ResponseHeaderInit,
  type ResponseOpInit,
  type Services,
  type TxnResponseInit,
  type UnaryCall,
  type RequestOp as WireOperation,
  type TxnRequest as WireTxn,
} from "../../src/api/index.ts";
import { EMPTY_BYTES, latin1Bytes, latin1Text } from "../../src/base/bytes.ts";
import type { Outcome } from "./checkers/history.ts";
import type {
  Compare,
  KeyValue,
  KvError,
  KvRequest,
  KvResponse,
  TxnOperation,
  TxnRequest,
} from "./checkers/kv-operations.ts";

const RESULTS = {
  equal: CompareCompareResult.EQUAL,
  "not-equal": CompareCompareResult.NOT_EQUAL,
  greater: CompareCompareResult.GREATER,
  less: CompareCompareResult.LESS,
} as const;

const TARGETS = {
  version: CompareCompareTarget.VERSION,
  create: CompareCompareTarget.CREATE,
  mod: CompareCompareTarget.MOD,
  lease: CompareCompareTarget.LEASE,
  value: CompareCompareTarget.VALUE,
} as const;

/** Hands a request to a member. `ttlSeconds` is for leases. */
export function callMember(
  services: Services,
  request: KvRequest,
  ttlSeconds: number,
  call: UnaryCall<never>,
): void {
  const { kv, lease } = services;
  switch (request.kind) {
    case "range":
      kv.range(rangeOf(request), call);
      return;
    case "put":
      kv.put(putOf(request), call);
      return;
    case "delete-range":
      kv.deleteRange(deleteOf(request), call);
      return;
    case "txn":
      kv.txn(txnOf(request), call);
      return;
    case "compact":
      kv.compact({ revision: request.revision, physical: request.revision % 3 === 0 }, call);
      return;
    case "lease-grant":
      lease.leaseGrant({ ID: request.lease, TTL: ttlSeconds }, call);
      return;
    case "lease-revoke":
      lease.leaseRevoke({ ID: request.lease }, call);
      return;
  }
}

function rangeOf(request: TxnOperation & { kind: "range" }) {
  return {
    key: request.key === "" ? new Uint8Array(1) : latin1Bytes(request.key),
    range_end: latin1Bytes(request.rangeEnd),
    limit: request.limit,
    revision: request.revision,
    sort_order: 0,
    sort_target: 0,
    serializable: request.serializable,
    keys_only: false,
    count_only: request.countOnly,
    min_mod_revision: 0,
    max_mod_revision: 0,
    min_create_revision: 0,
    max_create_revision: 0,
  };
}

function putOf({ key, value, lease }: TxnOperation & { kind: "put" }) {
  return {
    key: latin1Bytes(key),
    value: latin1Bytes(value),
    lease,
    prev_kv: true,
    ignore_value: false,
    ignore_lease: false,
  };
}

function deleteOf({ key, rangeEnd }: TxnOperation & { kind: "delete-range" }) {
  return { key: latin1Bytes(key), range_end: latin1Bytes(rangeEnd), prev_kv: true };
}

function txnOf(request: TxnRequest): WireTxn {
  return {
    compare: request.compares.map(compareOf),
    success: request.success.map(operationOf),
    failure: request.failure.map(operationOf),
  };
}

function operationOf(operation: TxnOperation): WireOperation {
  return {
    request_range: operation.kind === "range" ? rangeOf(operation) : undefined,
    request_put: operation.kind === "put" ? putOf(operation) : undefined,
    request_delete_range: operation.kind === "delete-range" ? deleteOf(operation) : undefined,
    request_txn: operation.kind === "txn" ? txnOf(operation) : undefined,
  };
}

function compareOf({ key, rangeEnd, target, result, operand }: Compare) {
  const compare = {
    key: latin1Bytes(key),
    range_end: latin1Bytes(rangeEnd),
    result: RESULTS[result],
    target: TARGETS[target],
    version: undefined as number | undefined,
    create_revision: undefined as number | undefined,
    mod_revision: undefined as number | undefined,
    value: undefined as Uint8Array | undefined,
    lease: undefined as bigint | undefined,
  };
  if (target === "value") compare.value = latin1Bytes(String(operand));
  else if (target === "lease") compare.lease = BigInt(operand);
  else if (target === "version") compare.version = Number(operand);
  else if (target === "create") compare.create_revision = Number(operand);
  else compare.mod_revision = Number(operand);
  return compare satisfies CompareInit;
}

/** The answer of a member to a request. */
export function responseOf(request: KvRequest, answer: object): KvResponse {
  const { header } = answer as { header?: ResponseHeaderInit };
  const revision = Number(header?.revision ?? 0);
  const { kind } = request;
  switch (kind) {
    case "range":
      return rangeResponse(answer, revision);
    case "put":
      return putResponse(answer, revision);
    case "delete-range":
      return deleteResponse(answer, revision);
    case "txn":
      return txnResponse(answer, revision);
    default:
      return { kind, revision };
  }
}

function rangeResponse(answer: RangeResponseInit, revision: number): KvResponse {
  const { kvs = [], count = 0, more = false } = answer;
  return { kind: "range", revision, keyValues: kvs.map(keyValueOf), count: Number(count), more };
}

function putResponse(answer: PutResponseInit, revision: number): KvResponse {
  const { prev_kv } = answer;
  const previous = prev_kv === undefined || prev_kv === null ? null : keyValueOf(prev_kv);
  return { kind: "put", revision, previous };
}

function deleteResponse(answer: DeleteRangeResponseInit, revision: number): KvResponse {
  const { deleted = 0, prev_kvs = [] } = answer;
  const previous = prev_kvs.map(keyValueOf);
  return { kind: "delete-range", revision, deleted: Number(deleted), previous };
}

function txnResponse(answer: TxnResponseInit, revision: number): KvResponse {
  const responses = (answer.responses ?? []).map(operationResponse);
  return { kind: "txn", revision, succeeded: answer.succeeded === true, responses };
}

function operationResponse(answer: ResponseOpInit): KvResponse {
  if (answer.response_range) return rangeResponse(answer.response_range, 0);
  if (answer.response_put) return putResponse(answer.response_put, 0);
  if (answer.response_delete_range) return deleteResponse(answer.response_delete_range, 0);
  return txnResponse(answer.response_txn ?? {}, 0);
}

export function keyValueOf(found: KeyValueInit | Uint8Array): KeyValue {
  const record = found instanceof Uint8Array ? decodeKeyValue(found) : found;
  return {
    key: latin1Text(record.key ?? EMPTY_BYTES),
    value: latin1Text(record.value ?? EMPTY_BYTES),
    createRevision: Number(record.create_revision ?? 0),
    modRevision: Number(record.mod_revision ?? 0),
    version: Number(record.version ?? 0),
    lease: BigInt(record.lease ?? 0n),
  };
}

const STATE_ERRORS = new Map<EtcdError, KvError>([
  [errCompacted, "compacted"],
  [errFutureRev, "future-revision"],
  [errLeaseNotFound, "lease-not-found"],
  [errLeaseExist, "lease-exists"],
]);

/** Refused before anything was proposed, or by every member alike when it was applied. */
const REFUSALS = new Set<EtcdError>([
  errNoLeader,
  errNoSpace,
  errRequestTooManyRequests,
  errNotSupportedForLearner,
]);

/** What an error tells about the request. */
export function outcomeOfError(error: EtcdError, returnTime: number): Outcome<KvResponse> {
  const known = STATE_ERRORS.get(error);
  if (known !== undefined) {
    return { kind: "ok", output: { kind: "error", error: known }, returnTime };
  }
  return REFUSALS.has(error) ? { kind: "failed" } : { kind: "unknown" };
}
