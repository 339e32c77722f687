// Txn: compares of every target and result, branches, nesting, the rules on double keys and sizes.

import { type Cases, differentialArea } from "./harness.ts";
import { okOf, type Side } from "./side.ts";

const results = ["EQUAL", "GREATER", "LESS", "NOT_EQUAL"];

function put(key: string, value = "v", more: object = {}): object {
  return { request_put: { key, value, ...more } };
}
function remove(key: string, more: object = {}): object {
  return { request_delete_range: { key, ...more } };
}
function range(key: string, more: object = {}): object {
  return { request_range: { key, ...more } };
}
function nested(txn: object): object {
  return { request_txn: txn };
}
function everything(side: Side): { key: string; range_end: string } {
  return { key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` };
}

/** One txn with only this compare; succeeded tells its truth. */
async function compare(side: Side, ...compares: object[]): Promise<void> {
  await side.txn({
    compare: compares,
    success: [range(side.key("a"), { count_only: true })],
    failure: [],
  });
}

const numericTargets: [target: string, field: string][] = [
  ["VERSION", "version"],
  ["CREATE", "create_revision"],
  ["MOD", "mod_revision"],
  ["LEASE", "lease"],
];

const compareCases: Cases = Object.fromEntries([
  ...numericTargets.map(([target, field]): [string, (side: Side) => Promise<void>] => [
    `compare ${target} with every result, present and missing keys`,
    async (side) => {
      const lease = String(okOf(await side.call("Lease", "LeaseGrant", { TTL: 600 })).ID);
      await side.put(side.key("a"), "1");
      await side.put(side.key("a"), "2", { lease });
      const stored: Record<string, string> = {
        version: "2",
        create_revision: String(side.base + 1),
        mod_revision: String(side.base + 2),
        lease,
      };
      for (const result of results) {
        for (const value of [stored[field], "0", "1", "-1", "9223372036854775807"]) {
          await compare(side, { result, target, key: side.key("a"), [field]: value });
          await compare(side, { result, target, key: side.key("missing"), [field]: value });
        }
        await compare(side, { result, target, key: side.key("a") });
        await compare(side, { result, target, key: side.key("missing") });
      }
    },
  ]),
  [
    "compare VALUE with every result, present and missing keys",
    async (side: Side) => {
      await side.put(side.key("a"), "middle");
      await side.put(side.key("empty"), "");
      for (const result of results) {
        for (const value of ["middle", "aaa", "zzz", "", "middle\0"]) {
          for (const name of ["a", "empty", "missing"]) {
            await compare(side, { result, target: "VALUE", key: side.key(name), value });
          }
        }
        await compare(side, { result, target: "VALUE", key: side.key("a") });
        await compare(side, { result, target: "VALUE", key: side.key("missing") });
      }
    },
  ],
]);

const moreCompareCases: Cases = {
  "compare over a range": async (side) => {
    for (const name of ["a", "b", "c"]) await side.put(side.key(name), "same");
    await side.put(side.key("c"), "same");
    const whole = { key: side.key("a"), range_end: side.key("d") };
    const none = { key: side.key("x"), range_end: side.key("z") };
    const reversed = { key: side.key("d"), range_end: side.key("a") };
    for (const keys of [whole, none, reversed, { key: side.key("a"), range_end: "\0" }]) {
      for (const result of results) {
        await compare(side, { ...keys, result, target: "VALUE", value: "same" });
        await compare(side, { ...keys, result, target: "VERSION", version: 1 });
        await compare(side, { ...keys, result, target: "VERSION", version: 0 });
      }
      await compare(side, { ...keys, result: "GREATER", target: "CREATE", create_revision: 0 });
    }
  },
  "compares are a conjunction": async (side) => {
    await side.put(side.key("a"), "1");
    const yes = { key: side.key("a"), target: "VALUE", value: "1" };
    const no = { key: side.key("a"), target: "VALUE", value: "2" };
    for (const list of [[], [yes], [no], [yes, yes], [yes, no], [no, yes]]) {
      await compare(side, ...list);
    }
  },
  "target and field that do not fit, unknown enums": async (side) => {
    await side.put(side.key("a"), "1");
    await compare(side, { key: side.key("a"), target: "VERSION", value: "1" });
    await compare(side, { key: side.key("a"), target: "VALUE", version: 1 });
    await compare(side, { key: side.key("a"), target: "MOD", version: 1 });
    await compare(side, { key: side.key("a"), target: "VERSION", result: 9, version: 77 });
    await compare(side, { key: side.key("a"), target: 9, result: "EQUAL", version: 1 });
    await compare(side, { key: side.key("a"), target: 9, result: "LESS", version: 1 });
  },
  "compare without a key": async (side) => {
    await compare(side, { target: "VERSION", version: 1 });
    await compare(side, { key: "", range_end: "\0", target: "VERSION", version: 1 });
  },
};

const operationCases: Cases = {
  "empty txn": async (side) => {
    await side.txn({});
    await side.txn({ compare: [{ key: side.key("a"), target: "VERSION", version: 1 }] });
    await side.txn({ success: [], failure: [] });
  },
  "both branches": async (side) => {
    const txn = {
      compare: [{ key: side.key("a"), target: "CREATE", create_revision: 0 }],
      success: [put(side.key("a"), "made"), range(side.key("a"))],
      failure: [range(side.key("a")), remove(side.key("a"), { prev_kv: true })],
    };
    for (let round = 0; round < 3; round++) await side.txn(txn);
  },
  "all writes share a revision, reads see earlier writes": async (side) => {
    await side.put(side.key("b"), "old");
    await side.txn({
      success: [
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0` }),
        put(side.key("a"), "1"),
        range(side.key("a")),
        put(side.key("b"), "2", { prev_kv: true }),
        put(side.key("c"), "3", { prev_kv: true }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0`, limit: 2 }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0`, count_only: true }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0`, revision: side.base + 1 }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0`, keys_only: true }),
      ],
    });
    await side.range(everything(side));
  },
  "deletes in a txn": async (side) => {
    for (const name of ["a", "b", "c"]) await side.put(side.key(name), name);
    await side.txn({
      success: [
        remove(side.key("a"), { prev_kv: true }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0` }),
        remove(side.key("a"), { prev_kv: true }),
        remove(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0`, prev_kv: true }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0` }),
      ],
    });
    await side.txn({ success: [remove(side.key("nothing"))] });
    await side.put(side.key("z"), "next");
  },
  "operations that are refused, one by one": async (side) => {
    await side.put(side.key("here"), "1");
    const bad = [
      {},
      put("", "v"),
      remove(""),
      range(""),
      put(side.key("a"), "v", { ignore_value: true }),
      put(side.key("a"), "", { ignore_value: true }),
      put(side.key("a"), "v", { ignore_lease: true }),
      put(side.key("a"), "v", { ignore_lease: true, lease: 5 }),
      put(side.key("a"), "v", { lease: 12345 }),
      range(side.key("a"), { revision: side.base + 50 }),
      range(side.key("a"), { revision: -1 }),
      nested({ success: [put("", "v")] }),
      nested({ success: [{}] }),
      nested({ compare: [{ target: "VERSION", version: 0 }] }),
    ];
    for (const operation of bad) {
      await side.txn({ success: [operation] });
      await side.txn({ failure: [operation] });
      await side.txn({ success: [put(side.key("before"), "x"), operation] });
    }
    await side.range(everything(side));
  },
  "one bad operation undoes the whole txn": async (side) => {
    await side.put(side.key("a"), "1");
    await side.txn({ success: [put(side.key("a"), "2"), put(side.key("b"), "2", { lease: 999 })] });
    await side.txn({
      success: [remove(side.key("a")), put(side.key("c"), "", { ignore_value: true })],
    });
    await side.range(everything(side));
  },
  "ignore_value and ignore_lease inside": async (side) => {
    const lease = String(okOf(await side.call("Lease", "LeaseGrant", { TTL: 600 })).ID);
    await side.put(side.key("a"), "kept", { lease });
    await side.txn({
      success: [put(side.key("a"), "", { ignore_value: true, ignore_lease: true })],
    });
    await side.range({ key: side.key("a") });
    await side.txn({
      success: [put(side.key("b"), "1"), nested({ success: [range(side.key("b"))] })],
    });
  },
};

const readOnlyCases: Cases = {
  "read only txns": async (side) => {
    for (const name of ["a", "b", "c"]) await side.put(side.key(name), name);
    const whole = range(side.key("a"), { range_end: side.key("d") });
    await side.txn({ success: [whole, range(side.key("nothing"))], failure: [whole] });
    await side.txn({ success: [range(side.key("a"), { serializable: true })] });
    await side.txn({ success: [range(side.key("a"), { revision: side.base + 1 })] });
    await side.txn({ success: [range(side.key("a"), { revision: side.base })] });
    await side.txn({ success: [range(side.key("a"), { revision: side.base + 9 })] });
    await side.txn({ success: [range(side.key("a"), { revision: -1 })] });
    await side.txn({ success: [nested({ success: [whole] })] });
    await side.txn({ failure: [put(side.key("x"))], success: [whole] });
    await side.range({ key: side.key("a") });
  },
  "ranges of a txn around a compaction": async (side) => {
    for (const value of ["1", "2", "3"]) await side.put(side.key("a"), value);
    await side.call("KV", "Compact", { revision: side.base + 2, physical: true });
    for (const revision of [side.base + 1, side.base + 2, side.base + 3, side.base + 4, 1]) {
      await side.txn({ success: [range(side.key("a"), { revision })] });
      await side.txn({ success: [put(side.key("b"), "w"), range(side.key("a"), { revision })] });
    }
    await side.range({ key: side.key("b") });
  },
  "sorted and filtered ranges in a txn": async (side) => {
    for (const name of ["c", "a", "b"]) await side.put(side.key(name), name);
    const whole = { range_end: side.key("d") };
    await side.txn({
      success: [
        range(side.key("a"), { ...whole, sort_order: "DESCEND", sort_target: "KEY" }),
        range(side.key("a"), { ...whole, sort_order: "ASCEND", sort_target: "MOD", limit: 1 }),
        range(side.key("a"), { ...whole, min_mod_revision: side.base + 2 }),
        put(side.key("x")),
      ],
    });
  },
};

const openDeleteCases: Cases = {
  "a put that needs its key, after a delete of it that has no upper end": async (side) => {
    await side.put(side.key("a"), "1");
    for (const option of [{ ignore_value: true }, { ignore_lease: true }]) {
      const success = [
        put(side.key("b"), "1"),
        remove(side.key("a"), { range_end: "\0" }),
        put(side.key("a"), "", option),
      ];
      const answer = { error: { code: 3, details: "etcdserver: key not found" } };
      await side.diverging("put-after-open-delete", "KV", "Txn", { success }, answer);
    }
    await side.range(everything(side));
  },
};

const nestingCases: Cases = {
  "nested txns and their headers": async (side) => {
    await side.put(side.key("a"), "1");
    await side.txn({
      success: [
        nested({
          compare: [{ key: side.key("a"), target: "VALUE", value: "1" }],
          success: [
            put(side.key("b"), "inner"),
            nested({ success: [range(side.key("b")), remove(side.key("a"), { prev_kv: true })] }),
          ],
          failure: [put(side.key("b"), "never")],
        }),
        range(side.prefix, { range_end: `${side.prefix.slice(0, -1)}0` }),
        nested({}),
      ],
    });
    await side.range(everything(side));
  },
  "nested compares see the state before the txn": async (side) => {
    const made = { key: side.key("a"), target: "VERSION", version: 0 };
    await side.txn({
      success: [
        put(side.key("a"), "1"),
        nested({ compare: [made], success: [put(side.key("b"), "compare saw nothing")] }),
        nested({ compare: [made], failure: [put(side.key("c"), "compare saw a")] }),
      ],
    });
    await side.range(everything(side));
  },
  "nested txn without changes": async (side) => {
    await side.txn({ success: [nested({ success: [remove(side.key("nothing"))] })] });
    await side.txn({ success: [nested({ success: [nested({ success: [nested({})] })] })] });
    await side.put(side.key("a"), "next");
  },
};

const duplicateCases: Cases = {
  "double keys in one list": async (side) => {
    const a = side.key("a");
    const around = { range_end: side.key("c") };
    const lists = [
      [put(a), put(a)],
      [put(a), remove(a)],
      [remove(a), put(a)],
      [remove(a), remove(a)],
      [put(a), remove(side.key("b"))],
      [put(side.key("b")), remove(a, around)],
      [remove(a, around), put(side.key("b"))],
      [remove(a, around), put(side.key("c"))],
      [remove(a, { range_end: "\0" }), put(side.key("z"))],
      [remove("\0", { range_end: "\0" }), put(a)],
      [remove(side.key("c"), { range_end: a }), put(side.key("b"))],
      [remove(a, around), remove(side.key("b"))],
      [put(a), range(a)],
      [put(a, "1"), put(side.key("b")), put(a, "2")],
    ];
    for (const list of lists) {
      await side.txn({ success: list });
      await side.txn({ failure: list });
    }
    await side.txn({ success: [put(a)], failure: [put(a)] });
    await side.range(everything(side));
  },
  "double keys across nested txns, with the hole that depends on order": async (side) => {
    const a = side.key("a");
    const lists = [
      [nested({ success: [put(a)] }), put(a)],
      [put(a), nested({ success: [put(a)] })],
      [nested({ success: [put(a)] }), nested({ success: [put(a)] })],
      [nested({ success: [put(a)] }), nested({ failure: [put(a)] })],
      [nested({ success: [put(a)], failure: [put(a)] })],
      [nested({ success: [put(a)] }), nested({ success: [remove(a)] })],
      [nested({ success: [remove(a)] }), nested({ success: [put(a)] })],
      [nested({ success: [put(a)] }), remove(a)],
      [remove(a), nested({ success: [put(a)] })],
      [nested({ success: [remove(a)] }), put(a)],
      [put(a), nested({ success: [remove(a)] })],
      [nested({ success: [put(a)], failure: [remove(a)] })],
      [nested({ success: [remove(a)], failure: [put(a)] })],
      [nested({ success: [nested({ success: [put(a)] })] }), put(a)],
      [nested({ success: [nested({ success: [remove(a)] })] }), put(a)],
      [nested({ success: [put(side.key("b"))] }), remove(a, { range_end: side.key("c") })],
    ];
    for (const list of lists) await side.txn({ success: list });
    await side.range(everything(side));
  },
};

function puts(side: Side, count: number, from = 0): object[] {
  return Array.from({ length: count }, (_, index) => put(side.key(`k${from + index}`), "v"));
}

const sizeCases: Cases = {
  "128 operations pass, 129 do not": async (side) => {
    const ranges = (count: number) => Array.from({ length: count }, () => range(side.key("a")));
    const compares = (count: number) =>
      Array.from({ length: count }, () => ({ key: side.key("a"), target: "VERSION", version: 0 }));
    await side.txn({ success: puts(side, 128) });
    await side.txn({ success: puts(side, 129) });
    await side.txn({ failure: puts(side, 129) });
    await side.txn({ success: ranges(128), failure: ranges(128), compare: compares(128) });
    await side.txn({ success: ranges(129) });
    await side.txn({ compare: compares(129) });
    await side.txn({ success: ranges(1), compare: compares(128) });
    await side.range({ ...everything(side), count_only: true });
  },
  "a nested txn gets what its parent leaves": async (side) => {
    await side.txn({ success: [nested({ success: puts(side, 127) })] });
    await side.txn({ success: [nested({ success: puts(side, 128) })] });
    await side.txn({ success: [...puts(side, 27, 500), nested({ success: puts(side, 100) })] });
    await side.txn({ success: [...puts(side, 27, 500), nested({ success: puts(side, 101) })] });
    await side.txn({ failure: puts(side, 100), success: [nested({ success: puts(side, 29) })] });
    await side.txn({ failure: puts(side, 100), success: [nested({ success: puts(side, 28) })] });
    await side.range({ ...everything(side), count_only: true });
  },
  "which refusal comes first": async (side) => {
    await side.txn({ compare: [{}], success: puts(side, 129) });
    await side.txn({ compare: [{}], success: [put("")] });
    await side.txn({ success: [put(side.key("a")), put(side.key("a")), put("")] });
    await side.txn({ success: [put(side.key("a")), put(side.key("a"))], failure: [put("")] });
    await side.txn({ success: [put(side.key("a"), "v", { lease: 5 }), put(side.key("a"))] });
  },
};

differentialArea("txn-compare", { ...compareCases, ...moreCompareCases });
differentialArea("txn", {
  ...operationCases,
  ...readOnlyCases,
  ...openDeleteCases,
  ...nestingCases,
  ...duplicateCases,
  ...sizeCases,
});
