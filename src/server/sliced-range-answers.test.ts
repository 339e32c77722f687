// A long range in slices answers as it would have at once, whatever is written or compacted between the slices.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  decodeKeyValue,
  decodeRangeRequest,
  encodeRangeRequest,
  errCompacted,
  ProtoWriter,
  type RangeRequest,
  type RangeRequestInit,
  type RangeResponseInit,
} from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { executeRange, type TxnView } from "../state-machine/index.ts";
import { Background } from "./background.ts";
import { HeaderFactory } from "./response-header.ts";
import { SlicedRange } from "./sliced-range.ts";
import { openTestDatabase, openTestStore, putKey } from "./testing/stand-ins.ts";
import { newTestCall } from "./testing/test-call.ts";

const KEYS = 1300;
const name = (i: number) => `k${String(i).padStart(5, "0")}`;

/** One slice a turn: every look at the time takes three milliseconds. */
class SlowClock extends SimClock {
  #looks = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + 3 * this.#looks++;
  }
}

const store = openTestStore(openTestDatabase());
for (let i = 0; i < KEYS; i++) putKey(store, name((i * 7) % KEYS), `v${i % 10}`);
const view: TxnView = {
  range: (key, rangeEnd, options) => store.range(key, rangeEnd, options),
  revision: () => store.revision(),
  compactRevision: () => store.compactRevision(),
  leaseExists: () => false,
};
const clock = new SlowClock();
const headers = new HeaderFactory(1n, 2n, () => 3);
const background = new Background(clock);
const sliced = new SlicedRange({ store, view, background, headers });

function requestOf(init: RangeRequestInit): RangeRequest {
  const writer = new ProtoWriter(64);
  encodeRangeRequest(writer, init);
  return decodeRangeRequest(writer.finish());
}

function plain(response: RangeResponseInit) {
  const kvs = (response.kvs ?? []).map((record) => decodeKeyValue(record as Uint8Array));
  return { kvs, more: response.more ?? false, count: response.count ?? 0 };
}

/** Runs slice after slice, with `between` after each; how many there were. */
function run(request: RangeRequest, between: (turn: number) => void) {
  const call = newTestCall<RangeResponseInit>();
  sliced.start(request, call);
  let turns = 0;
  while (!call.answered) {
    expect(clock.runNext(clock.monotonicMs() + 1)).toBe(true);
    if (!call.answered) between(turns++);
  }
  return { call, turns };
}

test("SlicedRange: the answer is that of one look, though keys are written and deleted meanwhile", () => {
  const oneKey = fc.nat(KEYS - 1);
  fc.assert(
    fc.property(
      fc.record({
        limit: fc.constantFrom(0, 0, 1000, 1100, 5000),
        sort_order: fc.nat(2),
        sort_target: fc.nat(4),
        keys_only: fc.boolean(),
        min_mod_revision: fc.constantFrom(0, 0, 500),
        max_create_revision: fc.constantFrom(0, 0, 900),
      }),
      fc.boolean(),
      fc.array(fc.tuple(oneKey, fc.boolean()), { minLength: 1, maxLength: 20 }),
      (init, named, writes) => {
        const revision = named ? store.revision() : 0;
        const request = requestOf({ ...init, revision, key: utf8("k"), range_end: utf8("l") });
        expect(sliced.isLong(request)).toBe(true);
        const expected = plain(executeRange(view, request) as RangeResponseInit);
        const { call, turns } = run(request, (turn) => {
          const [index, isDelete] = writes[turn % writes.length]!;
          if (!isDelete) {
            putKey(store, name(index), `w${turn}`);
            return;
          }
          const transaction = store.beginTransaction();
          transaction.deleteRange(utf8(name(index)), new Uint8Array(0), false);
          transaction.end();
          putKey(store, name(index), "again");
        });
        expect(turns).toBeGreaterThan(3);
        expect(plain(call.response!)).toEqual(expected);
      },
    ),
    { numRuns: 60 },
  );
});

test("SlicedRange: a compaction that overtakes it starts it anew, or ends it where a revision was named", () => {
  for (const named of [false, true]) {
    const request = requestOf({
      key: utf8("k"),
      range_end: utf8("l"),
      revision: named ? store.revision() : 0,
    });
    let expected: RangeResponseInit = {};
    const { call } = run(request, (turn) => {
      if (turn !== 2) return;
      putKey(store, name(3), "newest");
      store.scheduleCompaction(store.revision());
      expected = executeRange(view, request) as RangeResponseInit;
    });
    if (named) expect(call.error).toBe(errCompacted);
    else expect(plain(call.response!)).toEqual(plain(expected));
  }
});

test("SlicedRange is for ranges of a thousand keys and more", () => {
  const long = (init: RangeRequestInit) =>
    sliced.isLong(requestOf({ key: utf8("k"), range_end: utf8("l"), ...init }));
  expect(long({})).toBe(true);
  expect(long({ limit: 1000 })).toBe(true);
  expect(long({ limit: 999 })).toBe(false);
  expect(long({ limit: 999, sort_order: 2 })).toBe(true);
  expect(long({ count_only: true })).toBe(false);
  expect(long({ range_end: new Uint8Array(0) })).toBe(false);
  expect(long({ range_end: utf8(name(999)) })).toBe(false);
  expect(long({ range_end: utf8(name(1000)) })).toBe(true);
});

test("SlicedRange reads nothing more for a client that is gone", () => {
  const call = newTestCall<RangeResponseInit>();
  sliced.start(requestOf({ key: utf8("k"), range_end: utf8("l") }), call);
  clock.runNext(clock.monotonicMs() + 1);
  call.aborted = true;
  while (clock.runNext(clock.monotonicMs() + 1));
  expect(call.answered).toBe(false);
});
