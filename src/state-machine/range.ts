/**
 * Range on any view of the store: limits, filters, sorting, paging. The same code serves plain reads and reads
 * inside transactions, so both have the same quirks (spec of etcd's Range).
 */
import {
  decodeKeyValue,
  type EtcdError,
  encodeKeyValue,
  errCompacted,
  errFutureRev,
  type KeyValue,
  ProtoWriter,
  type RangeRequest,
  type RangeResponseInit,
  RangeRequestSortOrder as SortOrder,
  RangeRequestSortTarget as SortTarget,
} from "../api/index.ts";
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import type { RangeOptions, RangeResult, RevisionProblem } from "../mvcc/index.ts";

/** What can be read: the newest committed state, or the inside of a transaction. */
export interface RangeView {
  range(
    key: Uint8Array,
    rangeEnd: Uint8Array,
    options: RangeOptions,
  ): RangeResult | RevisionProblem;
}

export function errorOfRevision(problem: RevisionProblem): EtcdError {
  return problem === "compacted" ? errCompacted : errFutureRev;
}

/** How a request is read: what to ask of the view, and what is left to do with the records. */
export interface RangePlan {
  readonly options: RangeOptions;
  /** 0 for no limit. */
  readonly limit: number;
  /** The records must be decoded: filtered, sorted, or stripped of values after sorting by them. */
  readonly arranges: boolean;
}

export function planRange(request: RangeRequest): RangePlan {
  const sorted = request.sort_order !== SortOrder.NONE && !isNaturalOrder(request);
  const sortsPage = request.sort_order === SortOrder.NONE && request.sort_target !== SortTarget.KEY;
  const wholeRange = sorted || hasRevisionFilter(request);
  const byValue = request.sort_target === SortTarget.VALUE;
  const limit = Math.max(request.limit, 0);
  return {
    limit,
    arranges: wholeRange || sortsPage || (request.keys_only && byValue),
    options: {
      revision: request.revision,
      // A page that is sorted afterwards needs the one record more that etcd reads.
      limit: wholeRange || limit === 0 ? 0 : sortsPage ? limit + 1 : limit,
      countOnly: request.count_only,
      keysOnly: request.keys_only && !byValue,
    },
  };
}

/** Makes the answer, without its header, of what was read. */
export function finishRange(
  plan: RangePlan,
  request: RangeRequest,
  result: RangeResult,
): RangeResponseInit {
  if (request.count_only) return { count: result.count };
  if (plan.arranges) return arrange(result, request, plan.limit);
  const more = plan.limit > 0 && result.count > plan.limit;
  return { kvs: result.kvs, more, count: result.count };
}

/** The answer without its header, or why the revision cannot be read. */
export function executeRange(
  view: RangeView,
  request: RangeRequest,
): RangeResponseInit | EtcdError {
  const plan = planRange(request);
  const result = view.range(request.key, request.range_end, plan.options);
  if (typeof result === "string") return errorOfRevision(result);
  return finishRange(plan, request, result);
}

/** The ways that need the records decoded: filters, sorting, and dropping values after sorting by them. */
function arrange(result: RangeResult, request: RangeRequest, limit: number): RangeResponseInit {
  let records = result.kvs.map((bytes) => ({ bytes, kv: decodeKeyValue(bytes) }));
  if (hasRevisionFilter(request)) {
    records = records.filter(({ kv }) => passes(kv, request));
  }
  const order = orderOf(request);
  if (order !== null) records.sort((a, b) => order(a.kv, b.kv));
  const more = limit > 0 && records.length > limit;
  if (more) records.length = limit;
  const dropValues = request.keys_only && request.sort_target === SortTarget.VALUE;
  const kvs = records.map(({ bytes, kv }) => (dropValues ? withoutValue(kv) : bytes));
  return { kvs, more, count: result.count };
}

function hasRevisionFilter(request: RangeRequest): boolean {
  return (
    request.min_mod_revision !== 0 ||
    request.max_mod_revision !== 0 ||
    request.min_create_revision !== 0 ||
    request.max_create_revision !== 0
  );
}

function isNaturalOrder(request: RangeRequest): boolean {
  return request.sort_target === SortTarget.KEY && request.sort_order === SortOrder.ASCEND;
}

function passes(kv: KeyValue, request: RangeRequest): boolean {
  const { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision } = request;
  return (
    (min_mod_revision === 0 || kv.mod_revision >= min_mod_revision) &&
    (max_mod_revision === 0 || kv.mod_revision <= max_mod_revision) &&
    (min_create_revision === 0 || kv.create_revision >= min_create_revision) &&
    (max_create_revision === 0 || kv.create_revision <= max_create_revision)
  );
}

type Order = (a: KeyValue, b: KeyValue) => number;

function orderOf(request: RangeRequest): Order | null {
  const byTarget: Record<number, Order> = {
    [SortTarget.KEY]: (a, b) => compareBytes(a.key, b.key),
    [SortTarget.VERSION]: (a, b) => a.version - b.version,
    [SortTarget.CREATE]: (a, b) => a.create_revision - b.create_revision,
    [SortTarget.MOD]: (a, b) => a.mod_revision - b.mod_revision,
    [SortTarget.VALUE]: (a, b) => compareBytes(a.value, b.value),
  };
  const ascending = byTarget[request.sort_target]!;
  if (request.sort_order === SortOrder.DESCEND) return (a, b) => ascending(b, a);
  // Without an order another target than the key means ascending (etcd's rule).
  const natural = request.sort_target === SortTarget.KEY;
  return natural ? null : ascending;
}

function withoutValue(kv: KeyValue): Uint8Array {
  const writer = new ProtoWriter(64 + kv.key.length);
  encodeKeyValue(writer, { ...kv, value: EMPTY_BYTES });
  return writer.finish();
}
