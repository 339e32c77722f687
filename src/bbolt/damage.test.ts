import { expect, test } from "bun:test";
import fc from "fast-check";
import { utf8 } from "../base/bytes.ts";
import type { BucketReader } from "./bucket.ts";
import { type ReadTransaction, TreeCheck, TreeCompact, TreeDamage, TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";

const options = { pageCacheBytes: 1 << 16, pageBytes: 1024 };

function validFile(freelistBytesMax: number): Uint8Array<ArrayBuffer> {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, { ...options, freelistBytesMax });
  for (let round = 0; round < 3; round++) {
    const write = tree.beginWrite();
    const bucket = write.root().createBucketIfMissing(utf8("key"));
    for (let n = 0; n < 400; n++) bucket.put(utf8(`key ${n * (round + 1)}`), utf8(`value ${n}`));
    bucket.put(utf8("large"), new Uint8Array(5000).fill(round));
    const inner = bucket.createBucketIfMissing(utf8("nested"));
    for (let n = 0; n < 100; n++) inner.put(utf8(`inner ${n}`), utf8("v"));
    write.root().createBucketIfMissing(utf8("inline")).put(utf8("a"), utf8("b"));
    write.commitNow();
  }
  return file.content();
}

/** Uses a file in every way; only TreeDamage may come out. Returns whether it did. */
function useAll(content: Uint8Array<ArrayBuffer>): boolean {
  try {
    const file = new MemoryFile(content);
    const tree = TreeFile.open(file, options);
    const read = tree.beginRead();
    new TreeCheck(read).run();
    let failed = attempt(() => walk(read.root(), 0));
    failed = attempt(() => compact(read)) || failed;
    read.close();
    failed = attempt(() => change(tree)) || failed;
    return failed;
  } catch (error) {
    if (error instanceof TreeDamage) return true;
    throw error;
  }
}

function attempt(action: () => void): boolean {
  try {
    action();
    return false;
  } catch (error) {
    if (error instanceof TreeDamage) return true;
    throw error;
  }
}

function walk(bucket: BucketReader, depth: number): void {
  const cursor = bucket.cursor();
  let steps = 0;
  for (let more = cursor.first(); more; more = cursor.next()) {
    if (++steps > 5000) throw new Error("a walk without an end");
    // A walk may pass a bucket that a search by key does not reach, when a page is at a wrong
    // place.
    const inner = cursor.isBucket() && depth < 10 ? bucket.bucket(cursor.key()) : undefined;
    if (inner !== undefined) walk(inner, depth + 1);
    bucket.get(cursor.key());
  }
  for (let more = cursor.last(); more; more = cursor.previous()) {
    if (++steps > 10_000) throw new Error("a walk without an end");
  }
  cursor.seek(utf8("key 3"));
}

function compact(read: ReadTransaction): void {
  const copy = new TreeCompact(read, TreeFile.open(new MemoryFile(), options));
  for (let steps = 0; ; steps++) {
    if (steps > 100) throw new Error("a copy without an end");
    const progress = copy.step(1000);
    if (progress === "done") return;
    if (progress === "commit") copy.commitNow();
  }
}

function change(tree: TreeFile): void {
  const write = tree.beginWrite();
  try {
    const bucket = write.root().bucket(utf8("key"));
    for (let n = 0; n < 1200; n += 3) {
      bucket?.delete(utf8(`key ${n}`));
      bucket?.put(utf8(`key ${n}x`), utf8("new"));
    }
    if (bucket?.bucket(utf8("nested"))) bucket.deleteBucket(utf8("nested"));
    write.plan();
  } catch (error) {
    write.rollback();
    throw error;
  }
  write.commitNow();
}

for (const freelistBytesMax of [1 << 20, 0]) {
  const stored = freelistBytesMax > 0 ? "stored" : "not stored";
  test(`a file with changed bytes gives TreeDamage or works (freelist ${stored})`, () => {
    const valid = validFile(freelistBytesMax);
    expect(useAll(valid.slice())).toBe(false);
    const used = 200 * 1024;
    // Mostly headers and element tables, where a change hurts.
    const place = fc.oneof(
      fc.nat(Math.min(valid.length, used) - 1),
      fc.tuple(fc.nat(150), fc.nat(79)).map(([page, at]) => page * 1024 + at),
    );
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 2, 0xff));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, byte), { minLength: 1, maxLength: 8 }), (changes) => {
        const content = valid.slice();
        for (const [at, value] of changes) content[at % content.length] = value;
        // One meta at least stays, else nothing but the opening is tested.
        content.set(valid.subarray(0, 80), 0);
        useAll(content);
      }),
      { numRuns: Number(process.env.CAIRN_FUZZ_RUNS ?? 400), includeErrorInReport: true },
    );
  });
}

test("a file whose page pointers are mixed up gives TreeDamage or works", () => {
  const valid = validFile(1 << 20);
  const pages = new DataView(valid.buffer).getUint32(56, true);
  fc.assert(
    fc.property(fc.nat(150), fc.nat(40), fc.integer({ min: 2, max: pages }), (page, index, to) => {
      const content = valid.slice();
      const at = page * 1024;
      const isBranch = content[at + 8] === 1;
      if (page < 2 || !isBranch) return;
      const count = content[at + 10]!;
      new DataView(content.buffer).setUint32(at + 16 + (index % count) * 16 + 8, to, true);
      useAll(content);
    }),
    { numRuns: 1000, includeErrorInReport: true },
  );
});

test("a bucket that contains itself is TreeDamage for deleting and copying", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  const write = tree.beginWrite();
  const outer = write.root().createBucket(utf8("key"));
  const inner = outer.createBucket(utf8("nested"));
  for (let n = 0; n < 100; n++) inner.put(utf8(`${n}`), utf8("a value of some length"));
  write.commitNow();
  const content = file.content();
  // The inner bucket's header in its parent gets the parent's own root.
  const name = Buffer.from(content).indexOf("nested");
  const outerName = Buffer.from(content).indexOf("key", 2048);
  const outerRoot = new DataView(content.buffer).getUint32(outerName + 3, true);
  new DataView(content.buffer).setUint32(name + 6, outerRoot, true);
  expect(Math.floor(name / 1024)).toBe(outerRoot);
  const damaged = TreeFile.open(new MemoryFile(content), options);
  const read = damaged.beginRead();
  expect(new TreeCheck(read).run().join()).toContain("used more than once");
  expect(() => compact(read)).toThrow(TreeDamage);
  read.close();
  const change = damaged.beginWrite();
  expect(() => change.root().deleteBucket(utf8("key"))).toThrow(TreeDamage);
  change.rollback();
});

test("a file cut short, or of other bytes, is refused with its path and what to do", () => {
  const valid = validFile(1 << 20);
  for (let length = 101; length < 4 * 1024; length += 100) {
    expect(() => TreeFile.open(new MemoryFile(valid.slice(0, length)), options)).toThrow(
      TreeDamage,
    );
  }
  const noise = new Uint8Array(10_000).fill(0x5a);
  try {
    TreeFile.open(new MemoryFile(noise), options);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(TreeDamage);
    expect((error as TreeDamage).path).toBe("memory.db");
    expect((error as TreeDamage).message).toContain("cairn util repair");
  }
});

test("a file with one damaged meta opens with the other one, at any page size", () => {
  for (const pageBytes of [1024, 4096, 16_384, 65_536]) {
    const file = new MemoryFile();
    const tree = TreeFile.open(file, { ...options, pageBytes });
    for (const value of ["1", "2"]) {
      const write = tree.beginWrite();
      write.root().createBucketIfMissing(utf8("b")).put(utf8("k"), utf8(value));
      write.commitNow();
    }
    for (const slot of [0, 1]) {
      const content = file.content();
      content.fill(0, slot * pageBytes, slot * pageBytes + 100);
      const again = TreeFile.open(new MemoryFile(content), { pageCacheBytes: 0 });
      expect(again.pageBytes).toBe(pageBytes);
      expect(again.transactionId()).toBe(slot === 0 ? 3 : 2);
    }
  }
});

test("a creation that was cut off is done again, a damaged file of data is not", () => {
  for (const length of [0, 1024, 4096]) {
    const tree = TreeFile.open(new MemoryFile(new Uint8Array(length)), options);
    expect(tree.transactionId()).toBe(1);
  }
  expect(() => TreeFile.open(new MemoryFile(new Uint8Array(100_000)), options)).toThrow(TreeDamage);
});

test("TreeCheck names pages that are lost, used twice or both used and free", () => {
  const content = validFile(1 << 20);
  const meta = new DataView(content.buffer, 1024 * (content[64]! > content[1088]! ? 0 : 1));
  const freelistAt = meta.getUint32(48, true) * 1024;
  const list = new DataView(content.buffer, freelistAt, 1024);
  const root = meta.getUint32(32, true);
  list.setUint32(16, root, true);
  const tree = TreeFile.open(new MemoryFile(content), { ...options, readOnly: true });
  const read = tree.beginRead();
  const problems = new TreeCheck(read).run().join("\n");
  expect(problems).toContain(`page ${root}: in use and free`);
  expect(problems).toContain("neither in use nor free");
  read.close();
});
