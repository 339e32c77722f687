// Transactions against a model that shares no code with them, and the rules on overlapping writes as a table.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import {
  decodeKeyValue,
  decodeTxnRequest,
  EtcdError,
  encodeCompactionRequest,
  encodeLeaseGrantRequest,
  encodeTxnRequest,
  type KeyValue,
  ProtoWriter,
  type RequestOpInit,
  type ResponseOpInit,
  type TxnRequest,
  type TxnRequestInit,
  type TxnResponseInit,
} from "../api/index.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { CommandKind } from "./command.ts";
import { checkTxn, isReadOnlyTxn, isSerializableTxn, txnCost } from "./request-checks.ts";
import type { Reply } from "./state-machine.ts";
import { commandOf, MachineBench } from "./testing/machine-bench.ts";
import { aTxn } from "./testing/random-commands.ts";
import {
  type ModelReply,
  type ModelResponse,
  type ModelRow,
  TxnModel,
} from "./testing/txn-model.ts";
import { runReadOnly } from "./txn.ts";

function decoded(request: TxnRequestInit): TxnRequest {
  const writer = new ProtoWriter(256);
  encodeTxnRequest(writer, request);
  return decodeTxnRequest(writer.finish());
}

function rowOf(bytes: unknown): ModelRow {
  const kv: KeyValue = decodeKeyValue(bytes as Uint8Array);
  return {
    key: utf8Text(kv.key),
    value: utf8Text(kv.value),
    create: kv.create_revision,
    mod: kv.mod_revision,
    version: kv.version,
    lease: kv.lease,
  };
}

function likeModel(reply: Reply): ModelReply {
  if (reply instanceof EtcdError) return { error: reply.message };
  const { header, succeeded, responses } = reply as TxnResponseInit;
  return {
    revision: header?.revision ?? 0,
    succeeded: succeeded ?? false,
    responses: (responses ?? []).map(responseLikeModel),
  };
}

function responseLikeModel(response: ResponseOpInit): ModelResponse {
  const { response_put: put, response_range: range, response_txn: txn } = response;
  if (txn !== undefined) {
    return {
      succeeded: txn.succeeded ?? false,
      responses: (txn.responses ?? []).map(responseLikeModel),
    };
  }
  if (put !== undefined) {
    const before = put.prev_kv === undefined ? null : rowOf(put.prev_kv);
    return { revision: put.header?.revision ?? 0, before };
  }
  if (range !== undefined) {
    const rows = (range.kvs ?? []).map(rowOf);
    return { revision: range.header?.revision ?? 0, rows, count: range.count ?? 0 };
  }
  const deletion = response.response_delete_range!;
  return {
    revision: deletion.header?.revision ?? 0,
    deleted: deletion.deleted ?? 0,
    before: (deletion.prev_kvs ?? []).map(rowOf),
  };
}

class Pair {
  readonly bench = new MachineBench(new FaultDisk());
  readonly model = new TxnModel();
  #index = 0;

  constructor() {
    for (const ID of [1n, 2n]) {
      this.#apply(commandOf(CommandKind.leaseGrant, 1, encodeLeaseGrantRequest, { ID, TTL: 60 }));
      this.model.leases.add(ID);
    }
  }

  #apply(data: Uint8Array): Reply {
    let answer: Reply = {};
    this.bench.machine.apply(
      { term: 1, index: ++this.#index, kind: 0, data },
      0,
      (_i, _k, reply) => {
        answer = reply;
      },
      () => {},
    );
    return answer;
  }

  compact(revision: number): void {
    this.#apply(commandOf(CommandKind.compaction, 1, encodeCompactionRequest, { revision }));
    this.model.compacted = Math.max(this.model.compacted, revision);
  }

  run(init: TxnRequestInit): void {
    const request = decoded(init);
    if (checkTxn(request, 128) !== null) return;
    if (isReadOnlyTxn(request)) {
      const reply = runReadOnly(this.bench.machine.view(), request);
      const expected = this.model.run(request);
      // The service adds the header.
      if (!(reply instanceof EtcdError)) reply.header = { revision: this.model.revision };
      expect(likeModel(reply)).toEqual(expected);
    }
    const reply = this.#apply(commandOf(CommandKind.txn, 1, encodeTxnRequest, init));
    expect(likeModel(reply)).toEqual(this.model.run(request));
  }

  check(): void {
    const expected = [...this.model.states.at(-1)!.values()].sort((a, b) =>
      a.key < b.key ? -1 : 1,
    );
    const records = this.bench.records(0).map((hex) => rowOf(Buffer.from(hex, "hex")));
    expect(records).toEqual(expected);
    for (const lease of [1n, 2n]) {
      const keys = this.bench.lessor.sortedKeys(lease).map(utf8Text);
      expect(keys).toEqual(expected.filter((row) => row.lease === lease).map((row) => row.key));
    }
  }
}

test("transactions answer and change as the model does, nested ones included", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(aTxn, fc.nat(20)), { minLength: 3, maxLength: 25 }),
      (transactions) => {
        const pair = new Pair();
        for (const [request, dice] of transactions) {
          pair.run(request);
          if (dice === 0 && pair.model.revision > 1) pair.compact(pair.model.revision - 1);
        }
        pair.check();
      },
    ),
    { numRuns: Number(process.env.CAIRN_RUNS ?? 300) },
  );
});

const put = (key: string): RequestOpInit => ({ request_put: { key: utf8(key) } });
const remove = (key: string, end = ""): RequestOpInit => ({
  request_delete_range: { key: utf8(key), range_end: utf8(end) },
});
const range = (key: string): RequestOpInit => ({ request_range: { key: utf8(key) } });
const nested = (success: RequestOpInit[], failure: RequestOpInit[] = []): RequestOpInit => ({
  request_txn: { success, failure },
});

const FINE = null;
const DUPLICATE = "etcdserver: duplicate key given in txn request";

test.each([
  ["two puts of one key", [put("a"), put("a")], DUPLICATE],
  ["two puts of two keys", [put("a"), put("b")], FINE],
  ["put then delete", [put("a"), remove("a")], DUPLICATE],
  ["delete then put", [remove("a"), put("a")], DUPLICATE],
  ["put inside a deleted range", [remove("a", "c"), put("b")], DUPLICATE],
  ["put at the end of a deleted range", [remove("a", "c"), put("c")], FINE],
  ["two deletes of one key", [remove("a"), remove("a")], FINE],
  ["put and range of one key", [put("a"), range("a")], FINE],
  ["put and nested put", [put("a"), nested([put("a")])], DUPLICATE],
  ["put and nested put in the other branch", [put("a"), nested([], [put("a")])], DUPLICATE],
  ["nested put in both branches", [nested([put("a")], [put("a")])], FINE],
  ["two nested puts", [nested([put("a")]), nested([put("a")])], DUPLICATE],
  ["two nested puts in unlike branches", [nested([put("a")]), nested([], [put("a")])], DUPLICATE],
  ["delete and nested put", [remove("a"), nested([put("a")])], DUPLICATE],
  ["put and nested delete", [put("a"), nested([remove("a")])], DUPLICATE],
  ["nested delete before nested put", [nested([remove("a")]), nested([put("a")])], DUPLICATE],
  ["nested put before nested delete", [nested([put("a")]), nested([remove("a")])], FINE],
  ["put in one branch, delete in the other", [nested([put("a")], [remove("a")])], FINE],
  ["deeply nested put", [put("a"), nested([nested([put("a")])])], DUPLICATE],
] as const)("checkTxn: %s", (_name, operations, expected) => {
  const ask = (request: TxnRequestInit) => checkTxn(decoded(request), 128)?.message ?? null;
  expect(ask({ success: [...operations] })).toBe(expected);
  expect(ask({ failure: [...operations] })).toBe(expected);
});

test("checkTxn counts operations by the longest list, and what is left goes to nested ones", () => {
  const puts = (count: number) => Array.from({ length: count }, (_, i) => put(`k${i}`));
  const ask = (request: TxnRequestInit) => checkTxn(decoded(request), 3)?.message ?? null;
  expect(ask({ success: puts(3), failure: puts(3) })).toBeNull();
  expect(ask({ success: puts(4) })).toBe("etcdserver: too many operations in txn request");
  expect(ask({ success: [nested(puts(2))] })).toBeNull();
  expect(ask({ success: [nested(puts(3))] })).toBe(
    "etcdserver: too many operations in txn request",
  );
});

test("a transaction is read-only or serializable when all of both branches is", () => {
  const local = { request_range: { key: utf8("a"), serializable: true } };
  expect(isReadOnlyTxn(decoded({ success: [range("a")], failure: [local] }))).toBe(true);
  expect(isReadOnlyTxn(decoded({ success: [range("a")], failure: [put("a")] }))).toBe(false);
  expect(isSerializableTxn(decoded({ success: [local] }))).toBe(true);
  expect(isSerializableTxn(decoded({ success: [local], failure: [range("a")] }))).toBe(false);
});

test("txnCost is that of the dearer branch, nested transactions included", () => {
  const request = decoded({ success: [put("a"), nested([put("bb")], [put("c")])], failure: [] });
  expect(txnCost(request)).toBe(256 + 1 + 256 + 2);
  expect(txnCost(decoded({ success: [remove("a"), range("a")] }))).toBe(0);
});
