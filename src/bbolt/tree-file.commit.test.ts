import { expect, test } from "bun:test";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { DiskError } from "../io/index.ts";
import { TreeCheck, TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";

const options = { pageCacheBytes: 1 << 16, pageBytes: 1024 };
const name = utf8("b");

function commitValue(tree: TreeFile, value: string): void {
  const write = tree.beginWrite();
  write.root().createBucketIfMissing(name).put(utf8("k"), utf8(value));
  write.commitNow();
}

function readValue(tree: TreeFile): string {
  const read = tree.beginRead();
  const value = utf8Text(read.root().bucket(name)!.get(utf8("k"))!);
  read.close();
  return value;
}

test("TreeFile shows a commit to readers after its last sync, to its own writer at once", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  commitValue(tree, "old");
  const write = tree.beginWrite();
  write.root().bucket(name)!.put(utf8("k"), utf8("new"));
  let ended: DiskError | null | undefined;
  write.commit((error) => {
    ended = error;
  });
  expect(readValue(tree)).toBe("old");
  expect(utf8Text(write.root().bucket(name)!.get(utf8("k"))!)).toBe("new");
  // The next writer begins on top, but plans only when this commit is over.
  const next = tree.beginWrite();
  expect(utf8Text(next.root().bucket(name)!.get(utf8("k"))!)).toBe("new");
  next.root().bucket(name)!.put(utf8("k"), utf8("newer"));
  expect(() => next.plan()).toThrow("an earlier commit is over");
  file.completeSync();
  expect(ended).toBeUndefined();
  expect(readValue(tree)).toBe("old");
  file.completeSync();
  expect(ended).toBeNull();
  expect(readValue(tree)).toBe("new");
  next.commitNow();
  expect(readValue(tree)).toBe("newer");
  const read = tree.beginRead();
  expect(new TreeCheck(read).run()).toEqual([]);
  read.close();
  tree.close();
});

for (const failure of ["write", "first sync", "second sync"] as const) {
  test(`TreeFile refuses everything after a failed ${failure}`, () => {
    const file = new MemoryFile();
    const tree = TreeFile.open(file, options);
    commitValue(tree, "old");
    const write = tree.beginWrite();
    write.root().bucket(name)!.put(utf8("k"), utf8("new"));
    if (failure === "write") file.failWriteAfter = 1;
    let ended: DiskError | null | undefined;
    if (failure === "first sync") file.failSync = true;
    write.commit((error) => {
      ended = error;
    });
    if (failure === "second sync") {
      file.completeSync();
      file.failSync = true;
    }
    file.completeSync();
    expect(ended?.code).toBe("EIO");
    file.failSync = false;
    file.failWriteAfter = Number.POSITIVE_INFINITY;
    expect(() => tree.beginRead()).toThrow("made to fail");
    expect(() => tree.beginWrite()).toThrow("made to fail");
    expect(["old", "new"]).toContain(readValue(TreeFile.open(file, options)));
  });
}

test("TreeFile does not reuse pages that an open reader sees, and does afterwards", () => {
  const tree = TreeFile.open(new MemoryFile(), options);
  const bulk = new Uint8Array(20_000).fill(1);
  const write = tree.beginWrite();
  write.root().createBucket(name).put(utf8("k"), bulk);
  write.commitNow();
  const reader = tree.beginRead();
  for (let round = 0; round < 20; round++) commitValue(tree, `round ${round}`);
  const grown = tree.sizeBytes();
  expect(reader.root().bucket(name)!.get(utf8("k"))).toEqual(bulk);
  expect(tree.openReaders()).toBe(1);
  reader.close();
  for (let round = 0; round < 20; round++) commitValue(tree, `round ${round}`);
  expect(tree.sizeBytes()).toBeLessThan(grown);
  expect(tree.freeBytes()).toBeLessThan(20 * 1024);
});

test("TreeFile gives the free tail of the file back", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  const write = tree.beginWrite();
  write
    .root()
    .createBucket(name)
    .put(utf8("big"), new Uint8Array(6 << 20));
  write.commitNow();
  expect(file.sizeBytes()).toBeGreaterThan(6 << 20);
  const shrink = tree.beginWrite();
  shrink.root().bucket(name)!.delete(utf8("big"));
  shrink.commitNow();
  commitValue(tree, "a");
  commitValue(tree, "b");
  expect(tree.sizeBytes()).toBeLessThan(64 * 1024);
  expect(tree.tailFreePages()).toBe(0);
  expect(file.sizeBytes()).toBeLessThan(3 << 20);
  expect(readValue(TreeFile.open(new MemoryFile(file.content()), options))).toBe("b");
});

test("TreeFile refuses a second writer, use after the end and mixing buckets with keys", () => {
  const tree = TreeFile.open(new MemoryFile(), options);
  const write = tree.beginWrite();
  expect(() => tree.beginWrite()).toThrow("one writer");
  const bucket = write.root().createBucket(name);
  expect(() => write.root().createBucket(name)).toThrow("free");
  expect(() => write.root().put(name, utf8("v"))).toThrow("mix");
  expect(() => write.root().delete(name)).toThrow("deleteBucket");
  expect(() => bucket.put(utf8(""), utf8("v"))).toThrow("key");
  expect(() => write.root().deleteBucket(utf8("none"))).toThrow("exists");
  write.commitNow();
  expect(() => bucket.put(utf8("k"), utf8("v"))).toThrow("takes changes");
  expect(() => write.rollback()).toThrow("open writer");
  const read = tree.beginRead();
  expect(() => tree.close()).toThrow("reader");
  read.close();
  expect(() => read.root()).toThrow("open");
});

test("a value read stays as it was, whatever is written later", () => {
  const tree = TreeFile.open(new MemoryFile(), options);
  commitValue(tree, "first");
  const read = tree.beginRead();
  const value = read.root().bucket(name)!.get(utf8("k"))!;
  read.close();
  const write = tree.beginWrite();
  const bucket = write.root().bucket(name)!;
  const before = bucket.get(utf8("k"))!;
  for (let n = 0; n < 500; n++) bucket.put(utf8("k"), utf8(`many ${n}`));
  expect(utf8Text(before)).toBe("first");
  write.commitNow();
  expect(utf8Text(value)).toBe("first");
});

test("a large commit goes on writing in later turns, and readers see nothing of it before", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, { pageCacheBytes: 1 << 16 });
  commitValue(tree, "old");
  const write = tree.beginWrite();
  const bucket = write.root().bucket(name)!;
  const large = new Uint8Array(700_000).fill(3);
  bucket.put(utf8("k"), utf8("new"));
  for (let n = 0; n < 400; n++) bucket.put(utf8(`row ${n}`), new Uint8Array(2000).fill(n));
  bucket.put(utf8("one that is cut itself"), large);
  const turns: (() => void)[] = [];
  let ended: DiskError | null | undefined;
  write.commit(
    (error) => {
      ended = error;
    },
    (fire) => turns.push(fire),
  );
  // The next writer reads and changes pages that are not in the file yet.
  const next = tree.beginWrite();
  const nextBucket = next.root().bucket(name)!;
  let pieces = 0;
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    expect(file.waiting.length).toBe(0);
    expect(readValue(tree)).toBe("old");
    expect(bucket.get(utf8("one that is cut itself"))).toEqual(large);
    expect(nextBucket.get(utf8(`row ${399 - pieces}`))?.[0]).toBe((399 - pieces) & 255);
    expect(nextBucket.delete(utf8(`row ${399 - pieces}`))).toBe(true);
    pieces++;
    turn();
  }
  expect(pieces).toBeGreaterThan(4);
  file.completeSync();
  file.completeSync();
  expect(ended).toBeNull();
  expect(readValue(tree)).toBe("new");
  next.commitNow();
  const read = tree.beginRead();
  expect(read.root().bucket(name)!.get(utf8("one that is cut itself"))).toEqual(large);
  expect(read.root().bucket(name)!.get(utf8("row 399"))).toBeUndefined();
  expect(read.root().bucket(name)!.get(utf8("row 300"))?.[0]).toBe(300 & 255);
  expect(new TreeCheck(read).run()).toEqual([]);
  read.close();
  tree.close();
});

test("a write that fails in a later turn ends the commit", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, { pageCacheBytes: 1 << 16 });
  commitValue(tree, "old");
  const write = tree.beginWrite();
  write.root().bucket(name)!.put(utf8("k"), new Uint8Array(900_000));
  const turns: (() => void)[] = [];
  let ended: DiskError | null | undefined;
  write.commit(
    (error) => {
      ended = error;
    },
    (fire) => turns.push(fire),
  );
  expect(turns.length).toBe(1);
  file.failWriteAfter = 0;
  turns.shift()!();
  expect(ended?.code).toBe("EIO");
  expect(turns.length).toBe(0);
  expect(() => tree.beginRead()).toThrow("made to fail");
});
