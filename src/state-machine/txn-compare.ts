/**
 * The compares of transactions. A compare over a range holds when it holds for each key of it, so it ends at the
 * first key that it fails for. What the key index knows (version, create and modification revision) is asked of the
 * index alone; values and leases need the records, which are read page by page.
 */
import {
  type Compare,
  CompareCompareResult as CompareResult,
  CompareCompareTarget as CompareTarget,
} from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { compareBytes, EMPTY_BYTES } from "../base/bytes.ts";
import { RecordReader, type RevisionProblem } from "../mvcc/index.ts";
import { keyAfter, type RangeView } from "./range.ts";
import { PAGE_COUNT, runSteps, type Steps } from "./steps.ts";

/** A compare that fails mostly fails early. */
const FIRST_PAGE_COUNT = 16;
/** etcd compares an absent key as if it had zeros, except for its value: that compare fails. */
const MISSING = new Uint8Array(0);

/** Whether a compare holds on the newest state of the view. */
export function holds(view: RangeView, compare: Compare): boolean {
  const answer =
    compare.range_end.length === 0
      ? holdsForKey(view, compare, 0)
      : runSteps(compareSteps(view, compare, 0));
  assert(typeof answer === "boolean", "the newest revision can be read");
  return answer;
}

/** The same in steps, at a revision (0: newest). */
export function* compareSteps(
  view: RangeView,
  compare: Compare,
  revision: number,
): Steps<boolean | RevisionProblem> {
  if (compare.range_end.length === 0) return holdsForKey(view, compare, revision);
  const test = new RecordTest(compare);
  const keysOnly = isInIndex(compare);
  let key = compare.key;
  let limit = FIRST_PAGE_COUNT;
  let isEmpty = true;
  for (;;) {
    const options = { revision, limit, countOnly: false, keysOnly };
    const page = view.range(key, compare.range_end, options);
    if (typeof page === "string") return page;
    for (const record of page.kvs) {
      if (!test.passes(record)) return false;
    }
    if (page.kvs.length > 0) isEmpty = false;
    if (page.kvs.length < limit) break;
    key = keyAfter(page.kvs.at(-1)!);
    limit = PAGE_COUNT;
    yield;
  }
  return isEmpty ? test.passesWithoutKeys() : true;
}

function holdsForKey(
  view: RangeView,
  compare: Compare,
  revision: number,
): boolean | RevisionProblem {
  const keysOnly = isInIndex(compare);
  const options = { revision, limit: 0, countOnly: false, keysOnly };
  const found = view.range(compare.key, EMPTY_BYTES, options);
  if (typeof found === "string") return found;
  const test = new RecordTest(compare);
  const record = found.kvs[0];
  return record === undefined ? test.passesWithoutKeys() : test.passes(record);
}

function isInIndex({ target }: Compare): boolean {
  return target !== CompareTarget.VALUE && target !== CompareTarget.LEASE;
}

class RecordTest {
  readonly #compare: Compare;
  readonly #reader = new RecordReader();

  constructor(compare: Compare) {
    this.#compare = compare;
  }

  passesWithoutKeys(): boolean {
    return this.#compare.target !== CompareTarget.VALUE && this.passes(MISSING);
  }

  passes(record: Uint8Array): boolean {
    const readable = this.#reader.read(record);
    assert(readable, "a stored record can be read");
    const difference = this.#differenceTo(record);
    switch (this.#compare.result) {
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

  #differenceTo(record: Uint8Array): number {
    const compare = this.#compare;
    const reader = this.#reader;
    switch (compare.target) {
      case CompareTarget.VERSION:
        return reader.version - (compare.version ?? 0);
      case CompareTarget.CREATE:
        return reader.create - (compare.create_revision ?? 0);
      case CompareTarget.MOD:
        return reader.mod - (compare.mod_revision ?? 0);
      case CompareTarget.VALUE: {
        const value = record.subarray(reader.valueStart, reader.valueEnd);
        return compareBytes(value, compare.value ?? EMPTY_BYTES);
      }
      case CompareTarget.LEASE: {
        const wanted = compare.lease ?? 0n;
        return reader.lease === wanted ? 0 : reader.lease > wanted ? 1 : -1;
      }
      default:
        return 0;
    }
  }
}
