import { expect, test } from "bun:test";
import { utf8 } from "../base/bytes.ts";
import { SnapshotReader, TreeCheck, TreeCompact, TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";
import { BucketModel, expectSameTree } from "./testing/tree-model.ts";

const options = { pageCacheBytes: 1 << 18, pageBytes: 1024 };

/** Nested buckets with sequences, deleted parts and large values; and the model of it. */
function filledTree(entries: number): { tree: TreeFile; file: MemoryFile; model: BucketModel } {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  const model = new BucketModel();
  for (let round = 0; round < 3; round++) {
    const write = tree.beginWrite();
    let bucket = write.root();
    let here = model;
    for (const name of ["outer", "middle", "inner"]) {
      bucket = bucket.createBucketIfMissing(utf8(name));
      bucket.setSequence(round + name.length);
      const hex = Buffer.from(name).toString("hex");
      if (!here.buckets.has(hex)) here.buckets.set(hex, new BucketModel());
      here = here.buckets.get(hex)!;
      here.sequence = round + name.length;
      for (let n = 0; n < entries; n++) {
        const key = utf8(`${n} of ${name}`);
        const hexKey = Buffer.from(key).toString("hex");
        if (n % 3 === round) {
          bucket.delete(key);
          here.values.delete(hexKey);
        } else {
          const value = new Uint8Array(n % 50 === 0 ? 3000 : n % 40).fill(n + round);
          bucket.put(key, value);
          here.values.set(hexKey, value);
        }
      }
    }
    write.commitNow();
  }
  return { tree, file, model };
}

function checkAll(tree: TreeFile): string[] {
  const read = tree.beginRead();
  const problems = new TreeCheck(read).run();
  read.close();
  return problems;
}

test("TreeCompact copies everything into full pages, in slices and several commits", () => {
  const { tree, model } = filledTree(12_000);
  const target = TreeFile.open(new MemoryFile(), options);
  const read = tree.beginRead();
  const compact = new TreeCompact(read, target);
  let commits = 0;
  let slices = 0;
  for (let progress = compact.step(1000); progress !== "done"; progress = compact.step(1000)) {
    slices++;
    if (progress === "commit") {
      commits++;
      compact.commitNow();
    }
  }
  read.close();
  expect(commits).toBeGreaterThan(1);
  expect(slices).toBeGreaterThan(15);
  const copy = target.beginRead();
  expectSameTree(copy.root(), model);
  copy.close();
  expect(checkAll(target)).toEqual([]);
  expect(target.sizeBytes()).toBeLessThan(tree.sizeBytes() * 0.8);
});

test("TreeCompact that is abandoned leaves the target usable", () => {
  const { tree } = filledTree(300);
  const target = TreeFile.open(new MemoryFile(), options);
  const read = tree.beginRead();
  const compact = new TreeCompact(read, target);
  compact.step(100);
  compact.abandon();
  read.close();
  target.beginWrite().commitNow();
  expect(checkAll(target)).toEqual([]);
});

test("SnapshotReader copies the state of its transaction while later ones go on", () => {
  const { tree, model } = filledTree(500);
  const read = tree.beginRead();
  const snapshot = new SnapshotReader(read);
  const parts: Buffer[] = [];
  const buffer = new Uint8Array(7000);
  for (let round = 0; ; round++) {
    const count = snapshot.read(buffer, 100, 6500);
    if (count === 0) break;
    parts.push(Buffer.from(buffer.slice(100, 100 + count)));
    const write = tree.beginWrite();
    const outer = write.root().bucket(utf8("outer"))!;
    for (let n = 0; n < 40; n++) outer.put(utf8(`later ${round} ${n}`), new Uint8Array(100));
    if (round === 3) write.root().deleteBucket(utf8("outer"));
    if (round === 3) write.root().createBucket(utf8("outer"));
    write.commitNow();
  }
  expect(snapshot.remainingBytes).toBe(0);
  const content = new Uint8Array(Buffer.concat(parts));
  expect(content.length).toBe(snapshot.totalBytes);
  expect(content.length % 1024).toBe(0);
  const copy = TreeFile.open(new MemoryFile(content), options);
  expect(copy.transactionId()).toBe(read.transactionId);
  read.close();
  expect(checkAll(copy)).toEqual([]);
  const reader = copy.beginRead();
  expectSameTree(reader.root(), model);
  reader.close();
  // The copy is a database of its own: it takes commits, whichever slot its newest meta is in.
  for (let n = 0; n < 3; n++) {
    const write = copy.beginWrite();
    write
      .root()
      .bucket(utf8("outer"))!
      .put(utf8("more"), utf8(`${n}`));
    write.commitNow();
    expect(checkAll(copy)).toEqual([]);
  }
});
