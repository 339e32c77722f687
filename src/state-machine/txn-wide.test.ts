// Compares and sorts over more than a page of keys against the plain way: read everything, decode it, then decide.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import {
  type CompareInit,
  decodeKeyValue,
  decodeRangeRequest,
  decodeTxnRequest,
  EtcdError,
  encodeRangeRequest,
  encodeTxnRequest,
  type KeyValue,
  ProtoWriter,
  type RangeRequestInit,
} from "../api/index.ts";
import { compareBytes, utf8, utf8Text } from "../base/bytes.ts";
import { executeRange, rangeSteps } from "./range.ts";
import { runSteps } from "./steps.ts";
import { MachineBench } from "./testing/machine-bench.ts";
import { holds } from "./txn-compare.ts";

const KEYS = 1700;
const { store, view } = filled();
const LAST = store.revision();
/** Before the second round of puts. */
const MIDDLE = KEYS + 1;

function filled() {
  const bench = new MachineBench(new FaultDisk());
  const put = (index: number, value: string) => {
    const transaction = bench.store.beginTransaction();
    transaction.put(utf8(nameOf(index)), utf8(value), index % 400 === 399 ? 7n : 0n, false);
    transaction.end();
  };
  for (let i = 0; i < KEYS; i++) put((i * 701) % KEYS, `v${(i * 37) % 211}`);
  for (let i = 0; i < KEYS; i += 3) put(i, `w${i % 17}`);
  const transaction = bench.store.beginTransaction();
  transaction.deleteRange(utf8(nameOf(800)), utf8(nameOf(820)), false);
  transaction.end();
  return { store: bench.store, view: bench.machine.view() };
}

function nameOf(index: number): string {
  return `k${String(index).padStart(4, "0")}`;
}

const aBound = fc.nat(KEYS + 5).map((i) => utf8(nameOf(i)));
const aKey = fc.oneof(fc.constant(utf8("k")), aBound);
const anEnd = fc.oneof(fc.constantFrom(utf8("l"), new Uint8Array([0]), new Uint8Array(0)), aBound);

function everything(key: Uint8Array, end: Uint8Array, revision = 0): KeyValue[] {
  const options = { revision, limit: 0, countOnly: false, keysOnly: false };
  const result = store.range(key, end, options);
  if (typeof result === "string") throw new Error(result);
  return result.kvs.map((record) => decodeKeyValue(record));
}

/** By the letter of the API: a range compare holds when it holds for every key. */
function plainlyHolds(compare: CompareInit): boolean {
  const holdsFor = (kv: KeyValue | null) => {
    const value = compareBytes(kv?.value ?? new Uint8Array(0), compare.value ?? new Uint8Array(0));
    const difference = [
      (kv?.version ?? 0) - (compare.version ?? 0),
      (kv?.create_revision ?? 0) - (compare.create_revision ?? 0),
      (kv?.mod_revision ?? 0) - (compare.mod_revision ?? 0),
      value,
      Number((kv?.lease ?? 0n) - (compare.lease ?? 0n)),
    ][compare.target!]!;
    const { result } = compare;
    return [difference === 0, difference > 0, difference < 0, difference !== 0][result!]!;
  };
  const kvs = everything(compare.key!, compare.range_end!);
  if (kvs.length === 0) return compare.target !== 3 && holdsFor(null);
  return kvs.every(holdsFor);
}

const OPERANDS = ["version", "create_revision", "mod_revision", "value", "lease"] as const;

test("holds: as if every record were read and decoded", () => {
  const aCompare = fc.record({
    result: fc.nat(3),
    target: fc.nat(4),
    key: aKey,
    range_end: anEnd,
    version: fc.nat(3),
    create_revision: fc.oneof(fc.constantFrom(0, 1, LAST + 1), fc.nat(LAST)),
    mod_revision: fc.oneof(fc.constantFrom(0, 1, LAST + 1), fc.nat(LAST)),
    value: fc.constantFrom("", "v0", "v9", "w0", "zz").map(utf8),
    lease: fc.constantFrom(0n, 7n, 9n),
  });
  const seen = new Set<boolean>();
  fc.assert(
    fc.property(aCompare, ({ result, target, key, range_end, ...operands }) => {
      // Only one operand is sent: they exclude each other.
      const name = OPERANDS[target]!;
      const compare = { result, target, key, range_end, [name]: operands[name] };
      const writer = new ProtoWriter(256);
      encodeTxnRequest(writer, { compare: [compare] });
      const expected = plainlyHolds(compare);
      seen.add(expected);
      expect(holds(view, decodeTxnRequest(writer.finish()).compare[0]!)).toBe(expected);
    }),
    { numRuns: 300 },
  );
  expect(seen.size).toBe(2);
});

function plainRange(init: Required<RangeRequestInit>) {
  const all = everything(init.key, init.range_end, init.revision);
  const count = all.length;
  if (init.count_only) return { count, more: false, texts: [] };
  const sortsPage = init.sort_order === 0 && init.sort_target !== 0;
  const filters = init.min_mod_revision !== 0 || init.max_create_revision !== 0;
  let kvs = all.filter(
    ({ mod_revision, create_revision }) =>
      (init.min_mod_revision === 0 || mod_revision >= init.min_mod_revision) &&
      (init.max_create_revision === 0 || create_revision <= init.max_create_revision),
  );
  const more = init.limit > 0 && kvs.length > init.limit;
  // etcd reads one more than the page before it sorts it, unless filters made it read everything.
  if (sortsPage && init.limit > 0 && !filters) kvs.length = Math.min(kvs.length, init.limit + 1);
  const field = (kv: KeyValue): number =>
    [0, kv.version, kv.create_revision, kv.mod_revision][init.sort_target]!;
  const order = (a: KeyValue, b: KeyValue) => {
    if (init.sort_target === 0) return compareBytes(a.key, b.key);
    if (init.sort_target === 4) return compareBytes(a.value, b.value);
    return field(a) - field(b);
  };
  if (init.sort_order === 2) kvs.sort((a, b) => order(b, a));
  else kvs.sort(order);
  if (init.limit > 0) kvs = kvs.slice(0, init.limit);
  return { count, more, texts: kvs.map((kv) => textOf(init.keys_only ? bare(kv) : kv)) };
}

function bare(kv: KeyValue): KeyValue {
  return { ...kv, value: new Uint8Array(0) };
}

/** Leases are left out: those of keys_only depend on how it was answered, as ever. */
function textOf({ key, value, version, create_revision, mod_revision }: KeyValue): string {
  return `${utf8Text(key)} ${utf8Text(value)} ${version} ${create_revision} ${mod_revision}`;
}

test("executeRange, rangeSteps: as if everything were read, decoded and sorted", () => {
  const aRange = fc.record({
    key: aKey,
    range_end: anEnd,
    revision: fc.constantFrom(0, 0, MIDDLE, LAST),
    limit: fc.oneof(fc.constantFrom(0, 1, 3), fc.nat(KEYS)),
    sort_order: fc.nat(2),
    sort_target: fc.nat(4),
    keys_only: fc.boolean(),
    count_only: fc.nat(9).map((dice) => dice === 0),
    min_mod_revision: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(LAST)),
    max_create_revision: fc.oneof(fc.constant(0), fc.constant(0), fc.nat(LAST)),
  });
  fc.assert(
    fc.property(aRange, (init) => {
      const writer = new ProtoWriter(256);
      encodeRangeRequest(writer, init);
      const request = decodeRangeRequest(writer.finish());
      const expected = plainRange(init as Required<RangeRequestInit>);
      const atOnce = executeRange(view, request);
      const inSteps = runSteps(rangeSteps(view, request, init.revision || LAST, 100));
      for (const answer of [atOnce, inSteps]) {
        if (answer instanceof EtcdError || typeof answer === "string") throw answer;
        const texts = (answer.kvs ?? []).map((kv) => textOf(decodeKeyValue(kv as Uint8Array)));
        const { count, more } = answer;
        expect({ count, more: more ?? false, texts }).toEqual(expected);
      }
    }),
    { numRuns: 300 },
  );
});
