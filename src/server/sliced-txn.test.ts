// Long read-only transactions: what writes and compactions between their slices change, and what they must not.
import { expect, test } from "bun:test";
import {
  decodeTxnRequest,
  type EtcdError,
  encodeTxnRequest,
  errFutureRev,
  ProtoWriter,
  type TxnRequest,
  type TxnRequestInit,
  type TxnResponseInit,
  type UnaryCall,
} from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { runReadOnly, type TxnView } from "../state-machine/index.ts";
import type { Background, BackgroundTask } from "./background.ts";
import { HeaderFactory } from "./response-header.ts";
import { SlicedTxn } from "./sliced-txn.ts";
import { openTestDatabase, openTestStore, putKey } from "./testing/stand-ins.ts";

const KEYS = 1500;
const ALL = { key: utf8("k"), range_end: utf8("l") };
const BY_VALUE = { ...ALL, sort_target: 4, sort_order: 2, limit: 3 };

function requestOf(init: TxnRequestInit): TxnRequest {
  const writer = new ProtoWriter(256);
  encodeTxnRequest(writer, init);
  return decodeTxnRequest(writer.finish());
}

function setup() {
  const store = openTestStore(openTestDatabase());
  for (let i = 0; i < KEYS; i++) putKey(store, `k${i}`, `v${(i * 7) % KEYS}`);
  const view: TxnView = {
    range: (key, rangeEnd, options) => store.range(key, rangeEnd, options),
    revision: () => store.revision(),
    compactRevision: () => store.compactRevision(),
    leaseExists: () => false,
  };
  const tasks: BackgroundTask[] = [];
  const background = { add: (task: BackgroundTask) => tasks.push(task) } as unknown as Background;
  const headers = new HeaderFactory(1n, 2n, () => 3);
  const sliced = new SlicedTxn({ store, view, background, headers });
  const answers: (TxnResponseInit | EtcdError)[] = [];
  const call = {
    aborted: false,
    succeed: (answer: TxnResponseInit) => answers.push(answer),
    fail: (error: EtcdError) => answers.push(error),
  } as unknown as UnaryCall<TxnResponseInit>;
  return { store, view, sliced, call, answers, tasks };
}

const LONG = requestOf({
  compare: [
    { ...ALL, target: 0, result: 0, version: 1 },
    { ...ALL, target: 3, result: 1, value: utf8("a") },
  ],
  success: [{ request_range: BY_VALUE }, { request_range: ALL }],
});

test("SlicedTxn: writes between slices are neither in compares, ranges nor headers", () => {
  const { store, view, sliced, call, answers, tasks } = setup();
  expect(sliced.isLong(LONG)).toBe(true);
  const revision = store.revision();
  const expected = runReadOnly(view, LONG) as TxnResponseInit;
  expect(expected.succeeded).toBe(true);
  sliced.start(LONG, call);
  let slices = 0;
  for (; tasks[0]!(); slices++) putKey(store, `k${(slices * 31) % KEYS}`, "zz");
  expect(slices).toBeGreaterThan(8);
  const { header, ...answer } = answers[0] as TxnResponseInit;
  expect(header!.revision).toBe(revision);
  expect(answer).toEqual(expected);
});

test("SlicedTxn: a compaction that passes it starts it anew, and it ends", () => {
  const { store, sliced, call, answers, tasks } = setup();
  sliced.start(LONG, call);
  tasks[0]!();
  putKey(store, "k1", "new");
  store.scheduleCompaction(store.revision());
  while (tasks[0]!());
  const answer = answers[0] as TxnResponseInit;
  expect(answer.header!.revision).toBe(store.revision());
  expect(answer.succeeded).toBe(false); // k1 has version 2 now

  sliced.start(LONG, call);
  for (let i = 0; i < 100 && answers.length < 2; i++) {
    putKey(store, "k0", `${i}`);
    store.scheduleCompaction(store.revision());
    tasks[1]!();
  }
  expect(answers.length).toBe(2);
});

test("SlicedTxn: short transactions are not long, and a future revision stays one", () => {
  const { store, sliced, call, answers, tasks } = setup();
  const compare = [{ key: utf8("k1") }];
  const counting = [{ request_range: { ...ALL, count_only: true } }];
  const limited = [{ request_range: { ...ALL, limit: 10 } }];
  expect(sliced.isLong(requestOf({ compare, success: counting, failure: limited }))).toBe(false);
  const future = { request_range: { ...ALL, revision: store.revision() + 1 } };
  sliced.start(requestOf({ ...LONG, success: [future] } as TxnRequestInit), call);
  do putKey(store, "j", "v");
  while (tasks[0]!());
  expect(answers).toEqual([errFutureRev]);
});
