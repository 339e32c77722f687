/**
 * Long unary ranges in slices: a list of 100,000 keys must not hold up everybody else. The revision is pinned at
 * the start and pages are read at it, so the answer is the same as if it were read at once. A compaction that
 * passes the pinned revision meanwhile starts the read anew at the then newest revision (if none was named).
 * Each read holds views of all its records until it answers, so only a few run at once. The others wait their turn,
 * without having begun: their revision is pinned when they do, which is after the one that their read index asked for.
 */
import {
  errCompacted,
  errRequestTooManyRequests,
  type RangeRequest,
  type RangeResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import { copyBytes } from "../base/bytes.ts";
import type { Store } from "../mvcc/index.ts";
import {
  errorOfRevision,
  finishRange,
  keyAfter,
  planRange,
  type RangePlan,
  type TxnView,
} from "../state-machine/index.ts";
import type { Background } from "./background.ts";
import type { HeaderFactory } from "./response-header.ts";

/** Reads of fewer records are served at once. */
const LONG_RANGE_COUNT = 1000;
const PAGE_COUNT = 200;
const RESTARTS_MAX = 5;
/** They share one thread: more at once would only all be slower. */
const RUNNING_MAX = 32;
const WAITING_MAX = 1024;

export interface SlicedRangeParts {
  readonly store: Store;
  readonly view: TxnView;
  readonly background: Background;
  readonly headers: HeaderFactory;
}

export class SlicedRange {
  readonly #parts: SlicedRangeParts;
  #running = 0;
  /** In the order in which they came; at most WAITING_MAX. */
  #waiting: LongRead[] = [];

  constructor(parts: SlicedRangeParts) {
    this.#parts = parts;
  }

  isLong(request: RangeRequest): boolean {
    if (request.range_end.length === 0 || request.count_only) return false;
    const { limit } = planRange(request).options;
    if (limit > 0 && limit < LONG_RANGE_COUNT) return false;
    const counted = this.#parts.view.range(request.key, request.range_end, {
      revision: request.revision,
      limit: 0,
      countOnly: true,
      keysOnly: false,
    });
    return typeof counted !== "string" && counted.count >= LONG_RANGE_COUNT;
  }

  start(request: RangeRequest, call: UnaryCall<RangeResponseInit>): void {
    if (this.#running === RUNNING_MAX && this.#waiting.length >= WAITING_MAX) {
      this.#waiting = this.#waiting.filter((waiting) => !waiting.aborted);
      if (this.#waiting.length >= WAITING_MAX) {
        call.fail(errRequestTooManyRequests);
        return;
      }
    }
    this.#waiting.push(new LongRead(this.#parts, request, call));
    this.#startNext();
  }

  #startNext(): void {
    while (this.#running < RUNNING_MAX && this.#waiting.length > 0) {
      const reading = this.#waiting.shift()!;
      if (reading.aborted) continue;
      this.#running++;
      reading.begin();
      this.#parts.background.add(() => this.#step(reading));
    }
  }

  #step(reading: LongRead): boolean {
    if (reading.step()) return true;
    this.#running--;
    this.#startNext();
    return false;
  }
}

class LongRead {
  readonly #parts: SlicedRangeParts;
  readonly #request: RangeRequest;
  readonly #call: UnaryCall<RangeResponseInit>;
  readonly #plan: RangePlan;
  readonly #key: Uint8Array;
  readonly #rangeEnd: Uint8Array;
  #kvs: Uint8Array[] = [];
  #nextKey: Uint8Array;
  #revision = 0;
  /** The store's when the pages began to be read: a watch from the revision after it misses nothing. */
  #headerRevision = 0;
  #count = 0;
  #restarts = 0;

  constructor(parts: SlicedRangeParts, request: RangeRequest, call: UnaryCall<RangeResponseInit>) {
    this.#parts = parts;
    this.#call = call;
    this.#plan = planRange(request);
    // The request's bytes are views of a socket buffer that is gone by the next slice.
    this.#key = copyBytes(request.key);
    this.#rangeEnd = copyBytes(request.range_end);
    this.#request = { ...request, key: this.#key, range_end: this.#rangeEnd };
    this.#nextKey = this.#key;
  }

  get aborted(): boolean {
    return this.#call.aborted;
  }

  begin(): void {
    const { store, view } = this.#parts;
    this.#kvs = [];
    this.#nextKey = this.#key;
    this.#headerRevision = store.revision();
    this.#revision = this.#request.revision > 0 ? this.#request.revision : this.#headerRevision;
    const counted = view.range(this.#key, this.#rangeEnd, {
      revision: this.#revision,
      limit: 0,
      countOnly: true,
      keysOnly: false,
    });
    this.#count = typeof counted === "string" ? 0 : counted.count;
  }

  /** Reads one page; true while more is left. */
  step(): boolean {
    if (this.#call.aborted) return false;
    const wanted = this.#plan.options.limit;
    const left = wanted === 0 ? PAGE_COUNT : Math.min(PAGE_COUNT, wanted - this.#kvs.length);
    const page = this.#parts.view.range(this.#nextKey, this.#rangeEnd, {
      ...this.#plan.options,
      revision: this.#revision,
      limit: left,
    });
    if (typeof page === "string") {
      if (page === "compacted" && this.#request.revision <= 0 && this.#restarts++ < RESTARTS_MAX) {
        this.begin();
        return true;
      }
      this.#call.fail(page === "compacted" ? errCompacted : errorOfRevision(page));
      return false;
    }
    for (const kv of page.kvs) this.#kvs.push(kv);
    if (page.kvs.length < left || this.#kvs.length === wanted) {
      this.#finish();
      return false;
    }
    this.#nextKey = keyAfter(page.kvs.at(-1)!);
    return true;
  }

  #finish(): void {
    const { headers } = this.#parts;
    const result = { kvs: this.#kvs, count: this.#count };
    const response = finishRange(this.#plan, this.#request, result);
    response.header = headers.header(this.#headerRevision);
    this.#call.succeed(response);
  }
}
