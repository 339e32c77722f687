import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeTxnRequest,
  encodeTxnRequest,
  ProtoWriter,
  type TxnRequestInit,
} from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { KeyIntervals } from "./key-intervals.ts";
import { checkTxn } from "./request-checks.ts";

test("a set of intervals covers what any of them covers, and stays sorted and disjoint", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "\0", "\xff"), maxLength: 3 });
  const batch = fc.array(fc.record({ begin: text, end: text }), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 5 }), fc.array(text), (batches, keys) => {
      const set = new KeyIntervals();
      for (const more of batches) set.add(more);
      const all = batches.flat();
      for (const key of [...keys, ...all.flatMap(({ begin, end }) => [begin, end])]) {
        const expected = all.some(({ begin, end }) => begin <= key && key < end);
        expect(set.cover(key)).toBe(expected);
      }
      const edges = set.intervals().flatMap(({ begin, end }) => [begin, end]);
      for (let i = 1; i < edges.length; i++) expect(edges[i - 1]! < edges[i]!).toBe(true);
    }),
  );
});

test("the largest transaction that a request can carry is checked in a moment", () => {
  let number = 0;
  const leaf = (i: number) =>
    i % 2 === 0
      ? { request_put: { key: utf8(`a${(++number).toString(36)}`) } }
      : { request_delete_range: { key: utf8(`b${(++number).toString(36)}`) } };
  const many = <Item>(count: number, make: (i: number) => Item) =>
    Array.from({ length: count }, (_, i) => make(i));
  const nested = (success: TxnRequestInit["success"]) => ({ request_txn: { success } });
  const request = { success: many(43, () => nested(many(43, () => nested(many(42, leaf))))) };
  const writer = new ProtoWriter();
  encodeTxnRequest(writer, request);
  const decoded = decodeTxnRequest(writer.finish());
  const startMs = performance.now();
  expect(checkTxn(decoded, 128)).toBeNull();
  expect(number).toBe(43 * 43 * 42);
  // Each with each took over ten seconds, in which nobody else was served.
  expect(performance.now() - startMs).toBeLessThan(3000);
});
