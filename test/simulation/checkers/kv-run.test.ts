import { expect, test } from "bun:test";
import { emptyStore, type KvState } from "./kv-model.ts";
import type { Compare, KvRequest, KvResponse, TxnOperation } from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import { range } from "./sample-run.ts";

/** Serves requests one after another. */
class Store {
  state: KvState = emptyStore;

  ask(request: KvRequest): KvResponse {
    const run = runRequest(this.state, request);
    this.state = this.state.after(request, run);
    return run.response;
  }
}

const put = (key: string, value: string, lease = 0n) =>
  ({ kind: "put", key, value, lease }) as const;
const remove = (key: string, rangeEnd = "") => ({ kind: "delete-range", key, rangeEnd }) as const;
const compare = (
  key: string,
  target: Compare["target"],
  result: Compare["result"],
  operand: Compare["operand"],
  rangeEnd = "",
): Compare => ({ key, rangeEnd, target, result, operand });
const txn = (
  compares: Compare[],
  success: TxnOperation[] = [],
  failure: TxnOperation[] = [],
): KvRequest => ({ kind: "txn", compares, success, failure });

test("runRequest counts revisions and versions; a deletion begins a key anew", () => {
  const store = new Store();
  expect(store.ask(put("a", "1"))).toMatchObject({ revision: 2, previous: null });
  expect(store.ask(put("a", "2"))).toMatchObject({ revision: 3, previous: { value: "1" } });
  expect(store.state.get("a")).toMatchObject({ createRevision: 2, modRevision: 3, version: 2 });
  expect(store.ask(remove("b"))).toMatchObject({ revision: 3, deleted: 0 });
  expect(store.ask(remove("a"))).toMatchObject({ revision: 4, deleted: 1 });
  store.ask(put("a", "3"));
  expect(store.state.get("a")).toMatchObject({ createRevision: 5, modRevision: 5, version: 1 });
});

test("runRequest reads ranges with limits and counts", () => {
  const store = new Store();
  for (const key of ["c", "a", "b"]) store.ask(put(key, key));
  const keysOf = (response: KvResponse) =>
    response.kind === "range" ? response.keyValues?.map(({ key }) => key) : null;
  expect(keysOf(store.ask(range("a", { rangeEnd: "c" })))).toEqual(["a", "b"]);
  expect(keysOf(store.ask(range("b", { rangeEnd: "\0" })))).toEqual(["b", "c"]);
  const limited = store.ask(range("a", { rangeEnd: "\0", limit: 2 }));
  expect(limited).toMatchObject({ count: 3, more: true });
  expect(keysOf(limited)).toEqual(["a", "b"]);
  expect(store.ask(range("a", { rangeEnd: "\0", countOnly: true }))).toMatchObject({
    count: 3,
    more: false,
    keyValues: [],
  });
});

test("runRequest gives a txn one revision, and its later operations see the earlier ones", () => {
  const store = new Store();
  const response = store.ask(
    txn(
      [],
      [put("a", "1"), range("a"), put("b", "2"), remove("c", "z"), range("", { rangeEnd: "\0" })],
    ),
  );
  expect(response).toMatchObject({ revision: 2, succeeded: true });
  expect(store.state.revision).toBe(2);
  const { responses } = response as KvResponse & { kind: "txn" };
  expect(responses[1]).toMatchObject({ count: 1, keyValues: [{ value: "1", modRevision: 2 }] });
  expect(responses[4]).toMatchObject({ count: 2 });
  expect(store.ask(txn([], [range("a"), remove("x")]))).toMatchObject({ revision: 2 });
});

test("runRequest compares as etcd does, missing keys and ranges included", () => {
  const store = new Store();
  store.ask(put("a", "m"));
  store.ask(put("b", "n"));
  const succeeds = (...compares: Compare[]) =>
    (store.ask(txn(compares)) as KvResponse & { kind: "txn" }).succeeded;
  expect(succeeds(compare("a", "version", "equal", 1))).toBe(true);
  expect(succeeds(compare("a", "mod", "greater", 2))).toBe(false);
  expect(succeeds(compare("a", "create", "less", 3))).toBe(true);
  expect(succeeds(compare("a", "value", "less", "n"), compare("b", "value", "equal", "n"))).toBe(
    true,
  );
  expect(succeeds(compare("none", "version", "equal", 0))).toBe(true);
  expect(succeeds(compare("none", "lease", "equal", 0n))).toBe(true);
  expect(succeeds(compare("none", "value", "equal", ""))).toBe(false);
  expect(succeeds(compare("none", "value", "not-equal", "x"))).toBe(false);
  expect(succeeds(compare("a", "version", "equal", 1, "\0"))).toBe(true);
  expect(succeeds(compare("a", "mod", "equal", 2, "\0"))).toBe(false);
  expect(succeeds(compare("x", "version", "equal", 1, "z"))).toBe(false);
});

test("runRequest compares in nested txns on the state before, and refuses the whole for one bad part", () => {
  const store = new Store();
  const absent = compare("a", "version", "equal", 0);
  const nested = txn([absent], [put("b", "then")], [put("b", "else")]) as TxnOperation;
  store.ask(txn([], [put("a", "1"), nested]));
  expect(store.state.get("b")).toMatchObject({ value: "then", modRevision: 2 });
  const refused = store.ask(txn([], [put("a", "2"), put("c", "1", 9n)]));
  expect(refused).toEqual({ kind: "error", error: "lease-not-found" });
  expect(store.ask(txn([], [put("a", "2"), range("a", { revision: 3 })]))).toMatchObject({
    error: "future-revision",
  });
  expect(store.ask(txn([], [range("a", { revision: -1 })]))).toMatchObject({ error: "compacted" });
  expect(store.state.get("a")).toMatchObject({ value: "1" });
});

test("runRequest revokes all keys of a lease in one revision", () => {
  const store = new Store();
  expect(store.ask(put("a", "1", 7n))).toMatchObject({ error: "lease-not-found" });
  expect(store.ask({ kind: "lease-grant", lease: 7n })).toMatchObject({ revision: 1 });
  expect(store.ask({ kind: "lease-grant", lease: 7n })).toMatchObject({ error: "lease-exists" });
  for (const key of ["a", "b", "c"]) store.ask(put(key, "1", 7n));
  store.ask(put("b", "2"));
  expect(store.ask({ kind: "lease-revoke", lease: 7n })).toMatchObject({ revision: 6 });
  expect([...store.state.keys.keys()]).toEqual(["b"]);
  expect(store.ask({ kind: "lease-revoke", lease: 7n })).toMatchObject({
    error: "lease-not-found",
  });
});

test("runRequest bounds compactions and reads by the compacted and the present revision", () => {
  const store = new Store();
  for (const value of ["1", "2", "3"]) store.ask(put("a", value));
  const compact = (revision: number) => store.ask({ kind: "compact", revision });
  expect(compact(5)).toMatchObject({ error: "future-revision" });
  expect(compact(0)).toMatchObject({ kind: "compact", revision: 4 });
  expect(compact(0)).toMatchObject({ error: "compacted" });
  expect(compact(3)).toMatchObject({ kind: "compact", revision: 4 });
  expect(store.ask(range("a", { revision: 2 }))).toMatchObject({ error: "compacted" });
  expect(store.ask(range("a", { revision: 3 }))).toMatchObject({ kind: "range", keyValues: null });
  expect(store.ask(range("a", { revision: 4 }))).toMatchObject({ keyValues: [{ value: "3" }] });
  expect(store.ask(range("a", { revision: 5 }))).toMatchObject({ error: "future-revision" });
});

test("KvState keeps its hash up to date, and an operation that changes nothing keeps the state", () => {
  const store = new Store();
  for (const request of [
    put("a", "1"),
    { kind: "lease-grant", lease: 1n } as const,
    put("b", "1"),
  ]) {
    store.ask(request);
  }
  store.ask(remove("b"));
  const { keys, leases, revision, compactRevision, contentHash } = store.state;
  expect(contentHash).toBe(
    new (store.state.constructor as typeof KvState)(revision, compactRevision, keys, leases)
      .contentHash,
  );
  const before = store.state;
  for (const request of [range("a"), remove("zz"), put("a", "x", 5n)]) store.ask(request);
  expect(store.state).toBe(before);
});
