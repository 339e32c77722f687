/**
 * Range on any view of the store: limits, filters, sorting, paging. The same code serves plain reads and reads
 * inside transactions, so both have the same quirks (spec of etcd's Range).
 */
import {
  type EtcdError,
  errCompacted,
  errFutureRev,
  type RangeRequest,
  type RangeResponseInit,
  RangeRequestSortOrder as SortOrder,
  RangeRequestSortTarget as SortTarget,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import {
  type RangeOptions,
  type RangeResult,
  type RevisionProblem,
  recordKey,
} from "../mvcc/index.ts";
import { hasRevisionFilter, RangeArranger } from "./range-arranger.ts";
import { PAGE_COUNT, runSteps, type Steps } from "./steps.ts";

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
  if (plan.arranges) {
    const arranger = new RangeArranger(request, plan.limit);
    for (const record of result.kvs) arranger.add(record);
    return { ...runSteps(arranger.finish()), count: result.count };
  }
  const more = plan.limit > 0 && result.count > plan.limit;
  return { kvs: result.kvs, more, count: result.count };
}

/** The answer without its header, or why the revision cannot be read. */
export function executeRange(
  view: RangeView,
  request: RangeRequest,
): RangeResponseInit | EtcdError {
  const plan = planRange(request);
  if (plan.arranges && !plan.options.countOnly) {
    // At an older revision each page may cost a count of the whole range: all is read at once.
    const pageCount = request.revision > 0 ? 0 : PAGE_COUNT;
    const answer = runSteps(rangeSteps(view, request, request.revision, pageCount));
    return typeof answer === "string" ? errorOfRevision(answer) : answer;
  }
  const result = view.range(request.key, request.range_end, plan.options);
  if (typeof result === "string") return errorOfRevision(result);
  return finishRange(plan, request, result);
}

/**
 * A range in steps of `pageCount` records (0: all at once), at `revision` (0: newest) whatever the request says.
 */
export function* rangeSteps(
  view: RangeView,
  request: RangeRequest,
  revision: number,
  pageCount: number,
): Steps<RangeResponseInit | RevisionProblem> {
  const plan = planRange(request);
  const rangeEnd = request.range_end;
  if (plan.options.countOnly) {
    const counted = view.range(request.key, rangeEnd, { ...plan.options, revision });
    return typeof counted === "string" ? counted : { count: counted.count };
  }
  const arranger = new RangeArranger(request, plan.limit);
  // Of many records few are wanted, and which ones the index knows: only those are read.
  const fetches = !plan.options.keysOnly && arrangesByIndex(request, plan);
  const keysOnly = plan.options.keysOnly || fetches;
  const readMax = plan.options.limit > 0 ? plan.options.limit : Number.POSITIVE_INFINITY;
  let key = request.key;
  let readCount = 0;
  let isCut = false;
  for (;;) {
    const wanted = Math.min(pageCount > 0 ? pageCount : readMax, readMax - readCount);
    const limit = Number.isFinite(wanted) ? wanted : 0;
    const page = view.range(key, rangeEnd, { revision, limit, countOnly: false, keysOnly });
    if (typeof page === "string") return page;
    for (const record of page.kvs) arranger.add(record);
    readCount += page.kvs.length;
    yield* arranger.settle();
    isCut = readCount === readMax || arranger.isFull();
    if (isCut || page.kvs.length < wanted) break;
    key = keyAfter(page.kvs.at(-1)!);
    yield;
  }
  let count = readCount;
  if (isCut) {
    const counting = { revision, limit: 0, countOnly: true, keysOnly: false };
    const counted = view.range(request.key, rangeEnd, counting);
    if (typeof counted === "string") return counted;
    count = counted.count;
  }
  const arranged = yield* arranger.finish();
  const more = plan.arranges ? arranged.more : plan.limit > 0 && count > plan.limit;
  const kvs = fetches ? fetch(view, arranged.kvs, revision) : arranged.kvs;
  return typeof kvs === "string" ? kvs : { kvs, more, count };
}

function arrangesByIndex(request: RangeRequest, plan: RangePlan): boolean {
  const isShort = plan.limit > 0 && plan.limit < PAGE_COUNT;
  const byValue = request.sort_target === SortTarget.VALUE;
  return plan.arranges && isShort && plan.options.limit === 0 && !byValue;
}

/** Reads the whole records of those without values. */
function fetch(
  view: RangeView,
  records: readonly Uint8Array[],
  revision: number,
): Uint8Array[] | RevisionProblem {
  const whole: Uint8Array[] = [];
  const options = { revision, limit: 0, countOnly: false, keysOnly: false };
  for (const record of records) {
    const found = view.range(recordKey(record), EMPTY_BYTES, options);
    if (typeof found === "string") return found;
    assert(found.kvs.length === 1, "a key of the range is there");
    whole.push(found.kvs[0]!);
  }
  return whole;
}

/** The smallest key after that of an encoded KeyValue: the key and a zero byte. */
export function keyAfter(record: Uint8Array): Uint8Array {
  const key = recordKey(record);
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

function isNaturalOrder(request: RangeRequest): boolean {
  return request.sort_target === SortTarget.KEY && request.sort_order === SortOrder.ASCEND;
}
