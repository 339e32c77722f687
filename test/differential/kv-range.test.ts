// Range with every option. The first case fills the data all others read; no two of its keys agree in
// value, version, create or mod revision, because etcd's order among equals is not defined.

import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";

const data = "range-data/";
const dataEnd = "range-data0";
const names = ["a", "b", "ba", "c", "d", "e\0", "e\xff", "f", "g/h"];

async function fill(side: Side): Promise<void> {
  const lease = okOf(await side.call("Lease", "LeaseGrant", { TTL: 600 }));
  for (const [index, name] of names.entries()) {
    await side.put(`${data}${name}`, `first ${index}`);
  }
  for (const [index, name] of [...names].reverse().entries()) {
    // 2..10 versions, one number per key, the last value in an order of its own.
    for (let version = 0; version <= (index * 5) % names.length; version++) {
      await side.put(`${data}${name}`, `value ${(index * 7) % names.length}`, {
        ...(index === 3 ? { lease: String(lease.ID) } : {}),
      });
    }
  }
  await side.put(`${data}deleted`, "gone");
  await side.remove({ key: `${data}deleted` });
}

const all = { key: data, range_end: dataEnd };

function rangeCase(...requests: object[]): (side: Side) => Promise<void> {
  return async (side) => {
    for (const request of requests) await side.range(request);
  };
}

/** Range requests whose revisions count back from the revision at the start of the case. */
function atRevisions(make: (base: number) => readonly object[]): (side: Side) => Promise<void> {
  return async (side) => {
    for (const request of make(side.base)) await side.range(request);
  };
}

const sortCases: Cases = Object.fromEntries(
  ["NONE", "ASCEND", "DESCEND"].flatMap((sort_order) =>
    ["KEY", "VERSION", "CREATE", "MOD", "VALUE"].map((sort_target) => [
      `sort ${sort_order} by ${sort_target}, whole, limited, keys only, old revision, count only`,
      async (side: Side) => {
        const sort = { ...all, sort_order, sort_target };
        for (const limit of [0, 1, 3, names.length, 100]) await side.range({ ...sort, limit });
        await side.range({ ...sort, keys_only: true, limit: 4 });
        await side.range({ ...sort, revision: side.base - 12, limit: 5 });
        await side.range({ ...sort, count_only: true, limit: 2 });
        await side.range({ ...sort, min_mod_revision: side.base - 20, limit: 2 });
      },
    ]),
  ),
);

const cases: Cases = {
  "fill the data": fill,
  "one key": rangeCase(
    { key: `${data}a` },
    { key: `${data}nothing` },
    { key: `${data}deleted` },
    { key: `${data}e\xff` },
    { key: `${data}e\0` },
  ),
  "an empty key is refused": rangeCase({}, { key: "" }, { range_end: "\0" }, { limit: 1 }),
  "range_end conventions": rangeCase(
    all,
    { key: `${data}b`, range_end: `${data}c` },
    { key: `${data}b`, range_end: `${data}b` },
    { key: `${data}c`, range_end: `${data}b` },
    { key: `${data}d`, range_end: "\0" },
    { key: "\0", range_end: "\0" },
    { key: "\0", range_end: dataEnd },
    { key: `${data}e`, range_end: `${data}f` },
    { key: `${data}b`, range_end: `${data}b\0` },
    { key: "\xff\xff", range_end: "\0" },
    { key: `${data}a`, range_end: "\0\0" },
    { key: `${data}e\xff`, range_end: `${data}e\xff\0` },
  ),
  "an empty range_end that is on the wire": async (side) => {
    const one = { key: `${data}b` };
    const alone = await side.quiet("KV", "Range", one);
    const request = { ...one, range_end: "" };
    await side.diverging("empty-range-end", "KV", "Range", request, alone as never);
  },
  "limit and more": rangeCase(
    ...[-1, 0, 1, 2, names.length - 1, names.length, names.length + 1].map((limit) => ({
      ...all,
      limit,
    })),
    { key: `${data}a`, limit: 1 },
    { key: `${data}nothing`, limit: 1 },
    { ...all, limit: "9223372036854775807" },
  ),
  "count only": rangeCase(
    { ...all, count_only: true },
    { ...all, count_only: true, limit: 2 },
    { ...all, count_only: true, keys_only: true },
    { key: `${data}a`, count_only: true },
    { key: `${data}nothing`, count_only: true },
    { key: `${data}c`, range_end: `${data}b`, count_only: true },
    { ...all, count_only: true, min_mod_revision: 1 },
  ),
  "count only at an old revision": atRevisions((base) => [
    { ...all, count_only: true, revision: base - 1 },
    { ...all, count_only: true, revision: base - 40 },
  ]),
  "keys only": rangeCase(
    { ...all, keys_only: true },
    { ...all, keys_only: true, limit: 2 },
    { key: `${data}a`, keys_only: true },
    { key: `${data}nothing`, keys_only: true },
    { ...all, keys_only: true, serializable: true },
  ),
  "keys only of a key with a lease": rangeCase(
    { key: `${data}e\0`, keys_only: true },
    { key: `${data}e\0`, keys_only: true, sort_target: "VALUE" },
  ),
  serializable: rangeCase(
    { ...all, serializable: true },
    { ...all, serializable: true, limit: 2 },
    { key: `${data}a`, serializable: true },
    { serializable: true },
  ),
  "revision: now, past, negative, future": atRevisions((base) => [
    { ...all, revision: base },
    { ...all, revision: base - 1 },
    { ...all, revision: base - 2 },
    { ...all, revision: base - 10, limit: 3 },
    { ...all, revision: base - 30 },
    { key: `${data}a`, revision: base - 30 },
    { key: `${data}deleted`, revision: base - 1 },
    { key: `${data}deleted`, revision: base },
    { ...all, revision: 1 },
    { ...all, revision: -1 },
    { ...all, revision: "-9223372036854775808" },
    { ...all, revision: base + 1 },
    { ...all, revision: base + 1000 },
    { ...all, revision: base + 1, serializable: true },
    { ...all, revision: base + 1, count_only: true },
    { ...all, revision: "9223372036854775807" },
  ]),
  "revision filters": atRevisions((base) => [
    { ...all, min_mod_revision: base - 8 },
    { ...all, max_mod_revision: base - 8 },
    { ...all, min_mod_revision: base - 16, max_mod_revision: base - 8 },
    { ...all, min_create_revision: base - 45 },
    { ...all, max_create_revision: base - 40 },
    { ...all, min_create_revision: base - 46, max_create_revision: base - 42 },
    { ...all, min_mod_revision: base + 5 },
    { ...all, max_mod_revision: 1 },
    { ...all, min_mod_revision: -5 },
    { ...all, max_mod_revision: -5 },
    { ...all, min_mod_revision: base - 16, limit: 2 },
    { ...all, min_mod_revision: base - 16, limit: 2, sort_order: "DESCEND" },
    { ...all, min_mod_revision: base - 16, keys_only: true },
    { ...all, min_mod_revision: base - 16, count_only: true },
    { ...all, min_mod_revision: base - 8, max_mod_revision: base - 16 },
    { ...all, max_mod_revision: base - 8, revision: base - 4 },
    { key: `${data}a`, min_mod_revision: base + 1 },
  ]),
  ...sortCases,
  "unknown sort options": async (side) => {
    const refused = { error: { code: 3, details: "etcdserver: invalid sort option" } };
    for (const sort of [
      { sort_order: 3 },
      { sort_order: -1 },
      { sort_target: 5 },
      { sort_target: -1 },
    ]) {
      const request = { ...all, ...sort };
      await side.diverging("invalid-sort-option", "KV", "Range", request, refused);
    }
    await side.range({ sort_order: 7 });
  },
  "sorting one key": rangeCase({ key: `${data}a`, sort_order: "DESCEND", sort_target: "MOD" }),
  "binary keys and values": async (side) => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    await side.put(side.key(bytes), bytes);
    await side.range({ key: side.key(bytes) });
    await side.put(side.key("\0"), "\0");
    await side.put(side.key("\0\0"), "");
    await side.put(side.key("\xff\xff\xff"), "\xff");
    await side.range({ key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` });
    await side.range({ key: side.key("\xff"), range_end: `${side.prefix.slice(0, -1)}0` });
    await side.remove({ key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` });
  },
  "many keys are counted and limited": async (side) => {
    const puts = Array.from({ length: 100 }, (_, index) => ({
      request_put: { key: side.key(String(index).padStart(4, "0")), value: `v${index}` },
    }));
    await side.txn({ success: puts });
    const range = { key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` };
    for (const limit of [1, 50, 99, 100, 101]) {
      await side.range({ ...range, limit, keys_only: true });
    }
    await side.range({ ...range, count_only: true });
    await side.range({ ...range, sort_order: "DESCEND", limit: 3 });
    await side.remove({ key: side.key("0010"), range_end: side.key("0090") });
    await side.range({ ...range, count_only: true });
    await side.range({ ...range, count_only: true, revision: side.base + 1 });
    await side.range({ ...range, limit: 15 });
  },
};

differentialArea("kv-range", cases);
