/**
 * What a range does with records beyond passing them on: filters by revision, sorting, dropping values after sorting
 * by them. Each record is read once and only what may be answered is kept. Made for one range, fed page by page.
 */
import {
  decodeKeyValue,
  encodeKeyValue,
  ProtoWriter,
  type RangeRequest,
  RangeRequestSortOrder as SortOrder,
  RangeRequestSortTarget as SortTarget,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import { RecordReader } from "../mvcc/index.ts";
import { SortedRuns } from "./sorted-runs.ts";
import type { Steps } from "./steps.ts";

/** A record and what it is sorted by. */
interface Sortable {
  readonly record: Uint8Array;
  readonly number: number;
  readonly bytes: Uint8Array;
}

type Order = (a: Sortable, b: Sortable) => number;

export class RangeArranger {
  readonly #request: RangeRequest;
  /** 0 for no limit. */
  readonly #limit: number;
  readonly #filters: boolean;
  readonly #reader = new RecordReader();
  readonly #runs: SortedRuns<Sortable> | null;
  /** Without sorting: what passed, up to one more than the limit. */
  readonly #passed: Uint8Array[] = [];

  constructor(request: RangeRequest, limit: number) {
    this.#request = request;
    this.#limit = limit;
    this.#filters = hasRevisionFilter(request);
    const order = orderOf(request);
    // One more than the limit tells whether there is more.
    const wantedCount = limit > 0 ? limit + 1 : Number.POSITIVE_INFINITY;
    this.#runs = order === null ? null : new SortedRuns(order, wantedCount);
  }

  add(record: Uint8Array): void {
    if (this.#runs === null && !this.#filters) {
      if (!this.isFull()) this.#passed.push(record);
      return;
    }
    const readable = this.#reader.read(record);
    assert(readable, "a stored record can be read");
    if (this.#filters && !this.#passes()) return;
    if (this.#runs !== null) this.#runs.add(this.#sortable(record));
    else if (!this.isFull()) this.#passed.push(record);
  }

  /** Nothing that is added from now on changes the answer. */
  isFull(): boolean {
    return this.#limit > 0 && this.#passed.length > this.#limit;
  }

  /** Sorts what was added so far; to be called after each page. */
  *settle(): Steps<void> {
    if (this.#runs !== null) yield* this.#runs.settle();
  }

  /** The records of the answer, and whether the limit left some out. */
  *finish(): Steps<{ kvs: Uint8Array[]; more: boolean }> {
    let kvs = this.#passed;
    if (this.#runs !== null) kvs = (yield* this.#runs.finish()).map(({ record }) => record);
    const more = this.#limit > 0 && kvs.length > this.#limit;
    if (more) kvs.length = this.#limit;
    const { keys_only, sort_target } = this.#request;
    if (keys_only && sort_target === SortTarget.VALUE) kvs = kvs.map(withoutValue);
    return { kvs, more };
  }

  #passes(): boolean {
    const { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision } =
      this.#request;
    const { mod, create } = this.#reader;
    return (
      (min_mod_revision === 0 || mod >= min_mod_revision) &&
      (max_mod_revision === 0 || mod <= max_mod_revision) &&
      (min_create_revision === 0 || create >= min_create_revision) &&
      (max_create_revision === 0 || create <= max_create_revision)
    );
  }

  #sortable(record: Uint8Array): Sortable {
    const reader = this.#reader;
    switch (this.#request.sort_target) {
      case SortTarget.VERSION:
        return { record, number: reader.version, bytes: EMPTY_BYTES };
      case SortTarget.CREATE:
        return { record, number: reader.create, bytes: EMPTY_BYTES };
      case SortTarget.MOD:
        return { record, number: reader.mod, bytes: EMPTY_BYTES };
      case SortTarget.VALUE: {
        const bytes = record.subarray(reader.valueStart, reader.valueEnd);
        return { record, number: 0, bytes };
      }
      default:
        return { record, number: 0, bytes: record.subarray(reader.keyStart, reader.keyEnd) };
    }
  }
}

export function hasRevisionFilter(request: RangeRequest): boolean {
  return (
    request.min_mod_revision !== 0 ||
    request.max_mod_revision !== 0 ||
    request.min_create_revision !== 0 ||
    request.max_create_revision !== 0
  );
}

function orderOf({ sort_target: target, sort_order: order }: RangeRequest): Order | null {
  const byBytes = target === SortTarget.KEY || target === SortTarget.VALUE;
  const ascending: Order = byBytes
    ? (a, b) => compareBytes(a.bytes, b.bytes)
    : (a, b) => a.number - b.number;
  if (order === SortOrder.DESCEND) return (a, b) => ascending(b, a);
  // Without an order another target than the key means ascending (etcd's rule).
  return target === SortTarget.KEY ? null : ascending;
}

function withoutValue(record: Uint8Array): Uint8Array {
  const kv = decodeKeyValue(record);
  const writer = new ProtoWriter(64 + kv.key.length);
  encodeKeyValue(writer, { ...kv, value: EMPTY_BYTES });
  return writer.finish();
}
