/**
 * HashKV follows from replicated state alone: members that did the same, each at its own pace of sweeping, with
 * restarts and snapshots of others in between, never give two hashes for one (revision, compact revision).
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { utf8 } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import { type KeyValueHash, KeyValueHashTask } from "./key-value-hash.ts";
import { Store } from "./store.ts";
import type { ModelOperation } from "./testing/store-model.ts";

type Step =
  | { kind: "transaction"; operations: ModelOperation[] }
  | { kind: "compact"; back: number }
  | { kind: "sweep"; member: number; rows: number }
  | { kind: "restart"; member: number }
  | { kind: "install"; member: number; from: number }
  | { kind: "begin"; member: number; back: number }
  | { kind: "hash"; rows: number };

const MEMBERS = 3;

class Replica {
  disk = new FaultDisk();
  database!: Database;
  store!: Store;
  hashing: KeyValueHashTask[] = [];

  constructor() {
    this.open();
  }

  open(): void {
    this.database = Database.open({
      file: this.disk.open("db", { create: true }),
      pageCacheBytes: 1 << 20,
      onFailure: (error) => {
        throw error;
      },
    });
    this.store = Store.open({ database: this.database, onChanges: () => {} });
  }

  close(): void {
    for (const task of this.hashing.splice(0)) task.close();
    this.database.commitNow();
    this.database.close();
  }

  copy(): Uint8Array {
    this.database.commitNow();
    const snapshot = this.database.openSnapshot();
    const bytes = new Uint8Array(snapshot.totalBytes);
    snapshot.read(bytes);
    snapshot.close();
    return bytes;
  }

  install(bytes: Uint8Array): void {
    this.close();
    this.disk = new FaultDisk();
    const file = this.disk.open("db", { create: true });
    file.writeAt(bytes, 0, bytes.length, 0);
    file.close();
    this.open();
  }
}

/** Three members that apply the same, and every hash that any of them ever gave. */
class Bench {
  readonly members = Array.from({ length: MEMBERS }, () => new Replica());
  readonly hashes = new Map<string, number>();
  compared = 0;

  run(step: Step): void {
    switch (step.kind) {
      case "transaction":
        for (const { store } of this.members) apply(store, step.operations);
        break;
      case "compact":
        for (const { store } of this.members) {
          store.scheduleCompaction(store.revision() - step.back);
        }
        break;
      case "sweep":
        this.members[step.member]!.store.compactionStep(step.rows);
        break;
      case "restart":
        this.members[step.member]!.close();
        this.members[step.member]!.open();
        break;
      case "install":
        if (step.from === step.member) break;
        this.members[step.member]!.install(this.members[step.from]!.copy());
        break;
      case "begin":
        this.begin(this.members[step.member]!, step.back);
        break;
      case "hash":
        for (const { hashing } of this.members) {
          for (const task of hashing) this.stepHash(hashing, task, step.rows);
        }
    }
  }

  begin(member: Replica, back: number): void {
    const task = member.store.beginHash(Math.max(1, member.store.revision() - back));
    if (task instanceof KeyValueHashTask) member.hashing.push(task);
    else if (typeof task !== "string") this.note(task);
  }

  stepHash(hashing: KeyValueHashTask[], task: KeyValueHashTask, rows: number): void {
    const done = task.step(rows);
    if (done === false) return;
    hashing.splice(hashing.indexOf(task), 1);
    if (done === true) this.note(task.result());
  }

  note({ hash, hashRevision, compactRevision }: KeyValueHash): void {
    const at = `${hashRevision} compacted ${compactRevision}`;
    const seen = this.hashes.get(at);
    if (seen === undefined) this.hashes.set(at, hash);
    else expect([at, hash]).toEqual([at, seen]);
    if (seen !== undefined) this.compared++;
  }

  /** All readable revisions on all members, then the hashes that compactions left behind. */
  compareAll(): void {
    for (const member of this.members) {
      const { store } = member;
      for (let back = 0; store.revision() - back >= Math.max(1, store.compactRevision()); back++) {
        this.begin(member, back);
      }
      while (member.hashing.length > 0) {
        this.stepHash(member.hashing, member.hashing[0]!, 50);
      }
      for (const hash of store.compactionHashes()) this.note(hash);
    }
  }
}

function apply(store: Store, operations: readonly ModelOperation[]): void {
  const transaction = store.beginTransaction();
  for (const operation of operations) {
    if (operation.kind === "put") {
      transaction.put(utf8(operation.key), utf8(operation.value), operation.lease, false);
    } else {
      transaction.deleteRange(utf8(operation.key), utf8(operation.rangeEnd), false);
    }
  }
  transaction.end();
}

const key = fc.constantFrom("a", "b", "c", "d");
const operation: fc.Arbitrary<ModelOperation> = fc.oneof(
  fc.record({
    kind: fc.constant("put" as const),
    key,
    value: fc.string({ maxLength: 3 }),
    lease: fc.constantFrom(0n, 7n),
  }),
  fc.record({
    kind: fc.constant("delete" as const),
    key,
    rangeEnd: fc.constantFrom("", "", "\0"),
  }),
);
const member = fc.nat({ max: MEMBERS - 1 });
const transaction = fc.array(operation, { minLength: 1, maxLength: 3 }).map((operations) => {
  // As requests are checked: no key is changed twice in one transaction.
  const seen = new Set<string>();
  const fresh = operations.filter((each) => {
    if (each.kind === "delete" && each.rangeEnd !== "") return seen.size === 0 && seen.add("all");
    return !seen.has("all") && !seen.has(each.key) && seen.add(each.key);
  });
  return { kind: "transaction" as const, operations: fresh };
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: transaction },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("compact" as const), back: fc.nat({ max: 3 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("sweep" as const),
      member,
      rows: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), member }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("install" as const), member, from: member }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("begin" as const), member, back: fc.nat({ max: 2 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("hash" as const),
      rows: fc.integer({ min: 1, max: 5 }),
    }),
  },
);

test("one hash for one revision and compact revision, whatever a member swept, restarted or installed", () => {
  let compared = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      const bench = new Bench();
      for (const each of steps) bench.run(each);
      bench.compareAll();
      for (const each of bench.members) each.close();
      compared += bench.compared;
    }),
    { numRuns: 100 },
  );
  expect(compared).toBeGreaterThan(300);
});

/** What a real etcd answers differently before, in and after a sweep: nothing lives at the revision. */
test("HashKV where nothing lives does not depend on the sweep", () => {
  const bench = new Bench();
  const put = (name: string): Step => ({
    kind: "transaction",
    operations: [{ kind: "put", key: name, value: name, lease: 0n }],
  });
  const removeAll: Step = {
    kind: "transaction",
    operations: [{ kind: "delete", key: "\0", rangeEnd: "\0" }],
  };
  for (const each of [put("a"), put("a"), put("b")]) bench.run(each);
  bench.compareAll();
  bench.run({ kind: "compact", back: 0 });
  bench.run(removeAll);
  bench.run({ kind: "begin", member: 1, back: 0 });
  while (bench.members[0]!.store.isCompacting()) bench.run({ kind: "sweep", member: 0, rows: 1 });
  bench.compareAll();
  // Once more with the hash that a compaction at that revision leaves on the member that swept.
  bench.run({ kind: "compact", back: 0 });
  while (bench.members[0]!.store.isCompacting()) bench.run({ kind: "sweep", member: 0, rows: 2 });
  expect(bench.members[0]!.store.compactionHashes()).toHaveLength(2);
  bench.compareAll();
  expect(bench.hashes.size).toBeGreaterThan(4);
});
