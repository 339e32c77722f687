// RangeStream over a real store: what its messages add up to, how it waits, and what ends it.
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeKeyValue,
  decodeRangeRequest,
  encodeRangeRequest,
  errCompacted,
  errFutureRev,
  errRangeStreamFilter,
  errRangeStreamSort,
  ProtoWriter,
  type RangeRequest,
  type RangeRequestInit,
  type RangeResponseInit,
  type RangeStreamResponseInit,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { executeRange, type TxnView } from "../state-machine/index.ts";
import { startRangeStream } from "./range-stream.ts";
import { HeaderFactory } from "./response-header.ts";
import { openTestDatabase, openTestStore, putKey } from "./testing/stand-ins.ts";
import { TestStream } from "./testing/test-call.ts";

function requestOf(init: RangeRequestInit): RangeRequest {
  const writer = new ProtoWriter(64);
  encodeRangeRequest(writer, init);
  return decodeRangeRequest(writer.finish());
}

function setup(keys: number, valueBytes = 1, requestBytesMax = 1 << 20) {
  const store = openTestStore(openTestDatabase());
  const name = (i: number) => `k${String(i).padStart(4, "0")}`;
  for (let i = 0; i < keys; i++) putKey(store, name(i), "v".repeat(valueBytes));
  const view: TxnView = {
    range: (key, rangeEnd, options) => store.range(key, rangeEnd, options),
    revision: () => store.revision(),
    compactRevision: () => store.compactRevision(),
    leaseExists: () => false,
  };
  const headers = new HeaderFactory(1n, 2n, () => 3);
  const start = (request: RangeRequest, window = 1000) => {
    const stream = new TestStream<RangeStreamResponseInit>(window);
    startRangeStream({ store, view, headers, requestBytesMax }, request, stream);
    return stream;
  };
  return { store, view, name, start };
}

const ALL = { key: utf8("k"), range_end: utf8("l") };

/** What a client makes of the messages. */
function merged(stream: TestStream<RangeStreamResponseInit>): RangeResponseInit {
  const parts = stream.messages.map((message) => message.range_response!);
  const { header, more, count } = parts.at(-1)!;
  return { header, more, count, kvs: parts.flatMap((part) => [...(part.kvs ?? [])]) };
}

const texts = (response: RangeResponseInit) =>
  (response.kvs ?? []).map((record) => utf8Text(decodeKeyValue(record as Uint8Array).key));

test("startRangeStream: all messages together are the unary answer", () => {
  const { store, view, name, start } = setup(60);
  for (let i = 0; i < 60; i += 7) putKey(store, name(i), "w");
  const index = fc.nat(62).map((i) => utf8(name(i)));
  fc.assert(
    fc.property(
      fc.record({
        key: index,
        range_end: fc.oneof(index, fc.constantFrom(new Uint8Array(0), new Uint8Array([0]))),
        limit: fc.integer({ min: -1, max: 70 }),
        revision: fc.integer({ min: -1, max: store.revision() }),
        count_only: fc.boolean(),
        keys_only: fc.boolean(),
      }),
      fc.integer({ min: 1, max: 3 }),
      (init, window) => {
        const request = requestOf(init);
        const stream = start(request, window);
        while (!stream.ended) expect(stream.drain()).toBe(true);
        const unary = executeRange(view, request) as RangeResponseInit;
        const answer = merged(stream);
        expect(answer.count).toBe(unary.count!);
        expect(answer.more ?? false).toBe(unary.more ?? false);
        expect(texts(answer)).toEqual(texts(unary));
        expect(answer.header?.revision).toBe(store.revision());
        const early = stream.messages.slice(0, -1).map((message) => message.range_response!);
        for (const part of early) {
          expect([part.header, part.more, part.count]).toEqual([undefined, undefined, undefined]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("startRangeStream reads at one revision, whatever is written meanwhile", () => {
  const { store, name, start } = setup(100);
  const before = store.revision();
  const stream = start(requestOf(ALL), 1);
  for (let i = 0; !stream.ended; i++) {
    putKey(store, name(99 - i), "later");
    putKey(store, `k0050-${i}`);
    stream.drain();
  }
  const answer = merged(stream);
  expect(answer.kvs?.length).toBe(100);
  expect(answer.count).toBe(100);
  expect(answer.header?.revision).toBe(before);
  for (const record of answer.kvs!) {
    expect(decodeKeyValue(record as Uint8Array).mod_revision).toBeLessThanOrEqual(before);
  }
});

test("startRangeStream sends chunks that grow with small records and shrink with large ones", () => {
  const sizes = (stream: TestStream<RangeStreamResponseInit>) =>
    stream.messages.map((message) => message.range_response!.kvs?.length ?? 0);
  const small = setup(300, 1).start(requestOf(ALL));
  expect(sizes(small)).toEqual([10, 20, 40, 80, 150]);
  const large = setup(40, 1000, 4000).start(requestOf(ALL));
  expect(sizes(large)[0]).toBe(10);
  for (const size of sizes(large).slice(1)) expect(size).toBeLessThanOrEqual(5);
});

test("startRangeStream waits for the client, and stops reading when it is gone", () => {
  const { start } = setup(100);
  const stream = start(requestOf(ALL), 1);
  expect(stream.messages.length).toBe(1);
  stream.aborted = true;
  stream.drain();
  expect(stream.messages.length).toBe(1);
  expect(stream.ended).toBe(false);
});

test("startRangeStream ends with an error when a compaction overtakes it", () => {
  const { store, start } = setup(100);
  const stream = start(requestOf(ALL), 1);
  putKey(store, "z");
  store.scheduleCompaction(store.revision());
  stream.drain();
  expect(stream.error).toBe(errCompacted);
  expect(stream.ended).toBe(false);
});

test.each([
  [{ ...ALL, revision: 1000 }, errFutureRev],
  [{ ...ALL, revision: 2 }, errCompacted],
  [{ ...ALL, sort_order: 1 }, errRangeStreamSort],
  [{ ...ALL, min_mod_revision: 1 }, errRangeStreamFilter],
  [{ ...ALL, max_create_revision: 1 }, errRangeStreamFilter],
])("startRangeStream refuses %#", (init, error) => {
  const { store, start } = setup(10);
  store.scheduleCompaction(5);
  const stream = start(requestOf(init));
  expect(stream.error).toBe(error);
  expect(stream.messages).toEqual([]);
});
