/**
 * Long read-only transactions in slices: a hundred wide compares and ranges must not hold up everybody else. The
 * newest revision is pinned at the start and everything is read at it, so the answer is the same as if it were read
 * at once. A compaction that passes it meanwhile starts the reads anew at the then newest revision.
 */
import {
  type Compare,
  decodeTxnRequest,
  EtcdError,
  encodeTxnRequest,
  errCompacted,
  errRequestTooManyRequests,
  ProtoWriter,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type TxnResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import type { RangeOptions, RangeResult, RevisionProblem, Store } from "../mvcc/index.ts";
import { planRange, readOnlySteps, type Steps, type TxnView } from "../state-machine/index.ts";
import type { Background } from "./background.ts";
import type { HeaderFactory } from "./response-header.ts";

/** Transactions that may read fewer records are served at once. */
const LONG_TXN_COUNT = 1000;
const RESTARTS_MAX = 5;
/** They share one thread: more at once would only all be slower, and hold memory. */
const RUNNING_MAX = 16;
const WAITING_MAX = 1024;

export interface SlicedTxnParts {
  readonly store: Store;
  readonly view: TxnView;
  readonly background: Background;
  readonly headers: HeaderFactory;
}

export class SlicedTxn {
  readonly #parts: SlicedTxnParts;
  readonly #view: TxnView;
  #running = 0;
  /** In the order in which they came; at most WAITING_MAX. Their revision is pinned when their turn comes. */
  #waiting: LongTxn[] = [];

  constructor(parts: SlicedTxnParts) {
    const { store, view } = parts;
    this.#parts = parts;
    this.#view = {
      revision: () => view.revision(),
      compactRevision: () => view.compactRevision(),
      leaseExists: (id) => view.leaseExists(id),
      range: (key, rangeEnd, options) => readPage(store, key, rangeEnd, options),
    };
  }

  /** Whether what the compares and the longer branch may read is long. Reads the index, no record. */
  isLong({ compare, success, failure }: TxnRequest): boolean {
    const compared = this.#sum(compare, 0, (item) => this.#compareCount(item));
    const count = (operation: RequestOp) => this.#rangeCount(operation.request_range);
    return (
      this.#sum(success, compared, count) >= LONG_TXN_COUNT ||
      this.#sum(failure, compared, count) >= LONG_TXN_COUNT
    );
  }

  /** Adds until it is known to be long. */
  #sum<Item>(items: readonly Item[], first: number, countOf: (item: Item) => number): number {
    let sum = first;
    for (const item of items) {
      if (sum >= LONG_TXN_COUNT) break;
      sum += countOf(item);
    }
    return sum;
  }

  #compareCount({ key, range_end }: Compare): number {
    return range_end.length === 0 ? 1 : this.#parts.store.count(key, range_end, 0);
  }

  #rangeCount(range: RangeRequest | undefined): number {
    if (range === undefined || range.range_end.length === 0) return 1;
    const { store } = this.#parts;
    // Even to count may take a walk over the whole range there.
    if (range.revision > 0 && range.revision !== store.revision()) return LONG_TXN_COUNT;
    if (range.count_only) return 1;
    const count = store.count(range.key, range.range_end, 0);
    const { limit } = planRange(range).options;
    return limit > 0 ? Math.min(limit, count) : count;
  }

  start(request: TxnRequest, call: UnaryCall<TxnResponseInit>): void {
    // The request's bytes are views of a socket buffer that is gone by the next slice.
    const writer = new ProtoWriter(1024);
    encodeTxnRequest(writer, request);
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting = this.#waiting.filter((waiting) => !waiting.aborted);
      if (this.#waiting.length >= WAITING_MAX) {
        call.fail(errRequestTooManyRequests);
        return;
      }
    }
    const copy = decodeTxnRequest(writer.finish());
    this.#waiting.push(new LongTxn(this.#parts.headers, this.#view, copy, call));
    this.#startNext();
  }

  #startNext(): void {
    while (this.#running < RUNNING_MAX && this.#waiting.length > 0) {
      const reading = this.#waiting.shift()!;
      if (reading.aborted) continue;
      this.#running++;
      reading.begin();
      this.#parts.background.add(() => {
        if (reading.step()) return true;
        this.#running--;
        this.#startNext();
        return false;
      });
    }
  }
}

class LongTxn {
  readonly #headers: HeaderFactory;
  readonly #view: TxnView;
  readonly #request: TxnRequest;
  readonly #call: UnaryCall<TxnResponseInit>;
  #revision = 0;
  #steps: Steps<TxnResponseInit | EtcdError | RevisionProblem> | null = null;
  #restarts = 0;

  constructor(
    headers: HeaderFactory,
    view: TxnView,
    request: TxnRequest,
    call: UnaryCall<TxnResponseInit>,
  ) {
    this.#headers = headers;
    this.#view = view;
    this.#request = request;
    this.#call = call;
  }

  get aborted(): boolean {
    return this.#call.aborted;
  }

  /** Pins the newest revision. */
  begin(): void {
    this.#revision = this.#view.revision();
    this.#steps = readOnlySteps(this.#view, this.#request, this.#revision);
  }

  /** Reads one page; true while more is left. */
  step(): boolean {
    if (this.#call.aborted) return false;
    assert(this.#steps !== null, "a transaction begins before its steps");
    const { done, value } = this.#steps.next();
    if (!done) return true;
    if (value === "compacted" && this.#restarts++ < RESTARTS_MAX) {
      this.begin();
      return true;
    }
    if (typeof value === "string" || value instanceof EtcdError) {
      this.#call.fail(value instanceof EtcdError ? value : errCompacted);
      return false;
    }
    value.header = this.#headers.header(this.#revision);
    this.#call.succeed(value);
    return false;
  }
}

/**
 * As `store.range`, but the count of a page of records is that of the page: counting at a revision that is not the
 * newest may walk the whole range, and that for each page.
 */
function readPage(
  store: Store,
  key: Uint8Array,
  rangeEnd: Uint8Array,
  options: RangeOptions,
): RangeResult | RevisionProblem {
  const { revision, limit, countOnly, keysOnly } = options;
  if (countOnly || rangeEnd.length === 0) return store.range(key, rangeEnd, options);
  const kvs: Uint8Array[] = [];
  const problem = store.visit(key, rangeEnd, revision, keysOnly, (record) => {
    kvs.push(record);
    return kvs.length !== limit;
  });
  return problem ?? { kvs, count: kvs.length };
}
