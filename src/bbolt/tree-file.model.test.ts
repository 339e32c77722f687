import { test } from "bun:test";
import fc from "fast-check";
import { bytesToHex } from "../base/bytes.ts";
import type { BucketWriter } from "./bucket.ts";
import { type ReadTransaction, TreeCheck, TreeFile, type WriteTransaction } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";
import { BucketModel, expectSameTree } from "./testing/tree-model.ts";

type Action =
  | { kind: "put"; path: number[]; key: number; count: number; step: number; valueBytes: number }
  | { kind: "delete"; path: number[]; key: number; count: number; step: number }
  | { kind: "createBucket"; path: number[]; name: number }
  | { kind: "deleteBucket"; path: number[]; name: number }
  | { kind: "setSequence"; path: number[]; sequence: number }
  | { kind: "commit" }
  | { kind: "planAndRollback" }
  | { kind: "rollback" }
  | { kind: "openReader" }
  | { kind: "closeReader"; which: number }
  | { kind: "compare" }
  | { kind: "reopen" };

const path = fc.array(fc.nat(2), { maxLength: 3 });
const run = { key: fc.nat(600), count: fc.nat(200), step: fc.integer({ min: 1, max: 7 }) };
const small = fc.integer({ min: 0, max: 60 });
const valueBytes = fc.oneof(small, small, small, fc.integer({ min: 0, max: 5000 }));
const actions: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("put" as const), path, ...run, valueBytes }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("delete" as const), path, ...run }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("createBucket" as const), path, name: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("deleteBucket" as const), path, name: fc.nat(2) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("setSequence" as const),
      path,
      sequence: fc.nat(),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: "commit" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "planAndRollback" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "rollback" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "openReader" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("closeReader" as const), which: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "compare" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
);

function keyOf(n: number): Uint8Array {
  return new TextEncoder().encode(`k${n}`.padEnd((n * 7) % 40, "-"));
}

function nameOf(n: number): Uint8Array {
  return new TextEncoder().encode(`bucket ${n}`);
}

class Twin {
  readonly file = new MemoryFile();
  readonly #freelistBytesMax: number;
  tree: TreeFile;
  write: WriteTransaction;
  committed = new BucketModel();
  current = new BucketModel();
  readers: { read: ReadTransaction; model: BucketModel }[] = [];

  constructor(freelistBytesMax: number) {
    this.#freelistBytesMax = freelistBytesMax;
    this.tree = this.#open();
    this.write = this.tree.beginWrite();
  }

  #open(): TreeFile {
    const freelistBytesMax = this.#freelistBytesMax;
    return TreeFile.open(this.file, { pageCacheBytes: 16_384, pageBytes: 1024, freelistBytesMax });
  }

  do(action: Action): void {
    switch (action.kind) {
      case "put":
      case "delete":
      case "createBucket":
      case "deleteBucket":
      case "setSequence":
        this.#change(action);
        return;
      case "commit":
        this.write.commitNow();
        this.committed = this.current.clone();
        this.write = this.tree.beginWrite();
        this.#check();
        return;
      case "planAndRollback":
      case "rollback":
        if (action.kind === "planAndRollback") this.write.plan();
        this.write.rollback();
        this.current = this.committed.clone();
        this.write = this.tree.beginWrite();
        return;
      case "openReader":
        if (this.readers.length < 5) {
          this.readers.push({ read: this.tree.beginRead(), model: this.committed });
        }
        return;
      case "closeReader":
        this.#closeReader(action.which % 5);
        return;
      case "compare":
        expectSameTree(this.write.root(), this.current);
        return;
      case "reopen":
        this.reopen();
        return;
    }
  }

  reopen(): void {
    while (this.readers.length > 0) this.#closeReader(0);
    this.write.rollback();
    this.current = this.committed.clone();
    this.tree.close();
    this.tree = this.#open();
    this.write = this.tree.beginWrite();
    expectSameTree(this.write.root(), this.current);
  }

  #closeReader(which: number): void {
    const [reader] = this.readers.splice(which, 1);
    if (reader === undefined) return;
    expectSameTree(reader.read.root(), reader.model);
    reader.read.close();
  }

  #check(): void {
    const read = this.tree.beginRead();
    const problems = new TreeCheck(read).run();
    read.close();
    if (problems.length > 0) throw new Error(`check: ${problems.join("; ")}`);
  }

  #change(action: Action & { path: number[] }): void {
    let model = this.current;
    let bucket: BucketWriter = this.write.root();
    for (const n of action.path) {
      const inner = model.buckets.get(bytesToHex(nameOf(n)));
      if (inner === undefined) break;
      model = inner;
      bucket = bucket.bucket(nameOf(n))!;
    }
    if (action.kind === "setSequence") {
      bucket.setSequence(action.sequence);
      model.sequence = action.sequence;
    } else if (action.kind === "createBucket") {
      bucket.createBucketIfMissing(nameOf(action.name));
      const name = bytesToHex(nameOf(action.name));
      if (!model.buckets.has(name)) model.buckets.set(name, new BucketModel());
    } else if (action.kind === "deleteBucket") {
      if (model.buckets.delete(bytesToHex(nameOf(action.name)))) {
        bucket.deleteBucket(nameOf(action.name));
      }
    } else if (action.kind === "put" || action.kind === "delete") {
      for (let i = 0; i < action.count; i++) {
        const key = keyOf(action.key + i * action.step);
        if (action.kind === "delete") {
          const there = model.values.delete(bytesToHex(key));
          if (bucket.delete(key) !== there) throw new Error(`delete of ${bytesToHex(key)}`);
        } else {
          // One large value among many small ones.
          const length = action.valueBytes > 60 && i > 2 ? 10 : action.valueBytes;
          const value = new Uint8Array(length).fill(i + action.key);
          bucket.put(key, value);
          model.values.set(bytesToHex(key), value);
        }
      }
    }
  }
}

for (const freelistBytesMax of [1 << 20, 0]) {
  const stored = freelistBytesMax > 0 ? "with a stored freelist" : "without one";
  test(`TreeFile does what maps do, ${stored}`, () => {
    fc.assert(
      fc.property(fc.array(actions, { maxLength: 60, size: "max" }), (list) => {
        const twin = new Twin(freelistBytesMax);
        for (const action of list) twin.do(action);
        twin.do({ kind: "commit" });
        twin.reopen();
      }),
      { numRuns: Number(process.env.CAIRN_MODEL_RUNS ?? 60), includeErrorInReport: true },
    );
  });
}
