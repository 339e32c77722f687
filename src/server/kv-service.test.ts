// Reads that wait for their read index: what they were asked outlives the bytes it came in.
import { expect, test } from "bun:test";
import {
  decodeKeyValue,
  decodeRangeRequest,
  decodeTxnRequest,
  type EtcdError,
  encodeRangeRequest,
  encodeTxnRequest,
  errTimeout,
  ProtoWriter,
  type RangeResponseInit,
  type RangeStreamResponseInit,
  type TxnResponseInit,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { Alarms, Membership } from "../cluster/index.ts";
import { Lessor } from "../lease/index.ts";
import { StateMachine } from "../state-machine/index.ts";
import { KvServer, type KvServiceParts } from "./kv-service.ts";
import { openTestDatabase, openTestStore, putKey } from "./testing/stand-ins.ts";
import { newTestCall, TestStream } from "./testing/test-call.ts";

function open() {
  const database = openTestDatabase();
  const store = openTestStore(database);
  for (const key of ["a", "b", "c"]) putKey(store, key, `value of ${key}`);
  const stateMachine = new StateMachine({
    ...{ database, store },
    lessor: new Lessor(database, { ttlSecondsMin: 2 }),
    membership: new Membership(database),
    alarms: new Alarms(database),
  });
  const waiting: ((problem: EtcdError | null) => void)[] = [];
  const server = new KvServer({
    store,
    view: stateMachine.view(),
    counters: stateMachine.counters,
    reads: { isReady: () => false, wait: (done: (typeof waiting)[number]) => waiting.push(done) },
    headers: { header: (revision: number) => ({ revision }) },
    slicedRange: { isLong: () => false },
    slicedTxn: { isLong: () => false },
    quota: { refuse: () => null },
    txnOperationsMax: 128,
    requestBytesMax: 1 << 20,
  } as unknown as KvServiceParts);
  const finish = (problem: EtcdError | null) => {
    for (const done of waiting.splice(0)) done(problem);
  };
  return { server, finish };
}

/** A request as it comes from a socket, and what becomes of the socket's buffer. */
function received<Request>(
  writer: ProtoWriter,
  decode: (bytes: Uint8Array) => Request,
): { request: Request; overwrite: () => void } {
  const bytes = writer.finish();
  return { request: decode(bytes), overwrite: () => bytes.fill(0x7a) };
}

function keysOf(kvs: readonly Uint8Array[] | undefined): string[] {
  return (kvs ?? []).map((kv) => utf8Text(decodeKeyValue(kv).key));
}

test("a waiting range reads what it was asked, whatever becomes of the buffer it came in", () => {
  const { server, finish } = open();
  const writer = new ProtoWriter();
  encodeRangeRequest(writer, { key: utf8("a"), range_end: utf8("c") });
  const { request, overwrite } = received(writer, decodeRangeRequest);
  const call = newTestCall<RangeResponseInit>();
  server.range(request, call);
  overwrite();
  expect(call.answered).toBe(false);
  finish(null);
  expect(keysOf(call.response?.kvs as Uint8Array[])).toEqual(["a", "b"]);
});

test("a waiting range stream does so, too", () => {
  const { server, finish } = open();
  const writer = new ProtoWriter();
  encodeRangeRequest(writer, { key: utf8("b"), range_end: utf8("z") });
  const { request, overwrite } = received(writer, decodeRangeRequest);
  const stream = new TestStream<RangeStreamResponseInit>(10);
  server.rangeStream(request, stream);
  overwrite();
  finish(null);
  const kvs = stream.messages.flatMap(({ range_response }) => range_response?.kvs as Uint8Array[]);
  expect(keysOf(kvs)).toEqual(["b", "c"]);
});

test("a waiting transaction does so, too", () => {
  const { server, finish } = open();
  const writer = new ProtoWriter();
  encodeTxnRequest(writer, { success: [{ request_range: { key: utf8("b") } }] });
  const { request, overwrite } = received(writer, decodeTxnRequest);
  const call = newTestCall<TxnResponseInit>();
  server.txn(request, call);
  overwrite();
  finish(null);
  const range = call.response?.responses?.[0]?.response_range;
  expect(keysOf(range?.kvs as Uint8Array[])).toEqual(["b"]);
});

test("reads that found no read index fail with its error", () => {
  const { server, finish } = open();
  const writer = new ProtoWriter();
  encodeRangeRequest(writer, { key: utf8("a") });
  const call = newTestCall<RangeResponseInit>();
  server.range(decodeRangeRequest(writer.finish()), call);
  finish(errTimeout);
  expect(call.error).toBe(errTimeout);
});
