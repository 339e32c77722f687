import { expect, test } from "bun:test";
import { utf8 } from "../base/bytes.ts";
import { TailMove, TreeCheck, TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";
import { BucketModel, expectSameTree } from "./testing/tree-model.ts";

const options = { pageCacheBytes: 1 << 18, pageBytes: 1024 };

test("TailMove empties the end of a file in slices while other changes go on", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  const model = new BucketModel();
  const names = ["alarm", "key", "meta"];
  for (const name of names) model.buckets.set(Buffer.from(name).toString("hex"), new BucketModel());
  const set = (name: string, key: string, value: Uint8Array | null): void => {
    const bucket = write.root().createBucketIfMissing(utf8(name));
    const values = model.buckets.get(Buffer.from(name).toString("hex"))!.values;
    const hex = Buffer.from(key).toString("hex");
    if (value === null) {
      bucket.delete(utf8(key));
      values.delete(hex);
    } else {
      bucket.put(utf8(key), value);
      values.set(hex, value);
    }
  };
  let write = tree.beginWrite();
  for (const name of names) set(name, "a", utf8("b"));
  for (let n = 0; n < 20_000; n++) {
    set("key", `key ${n}`, new Uint8Array(n % 500 === 0 ? 4000 : 100).fill(n));
  }
  write.commitNow();
  write = tree.beginWrite();
  for (let n = 0; n < 20_000; n++) if (n % 7 !== 0) set("key", `key ${n}`, null);
  write.commitNow();
  tree.beginWrite().commitNow();
  const before = tree.sizeBytes();
  const usedPages = (before - tree.freeBytes()) / 1024;
  const move = new TailMove(usedPages + 60);
  let slices = 0;
  for (let done = false; !done; slices++) {
    write = tree.beginWrite();
    set("key", `during ${slices}`, utf8("x"));
    done = move.step(write, 400);
    write.commitNow();
    const read = tree.beginRead();
    expect(new TreeCheck(read).run()).toEqual([]);
    read.close();
  }
  expect(slices).toBeGreaterThan(3);
  expect(move.movedPages).toBeGreaterThan(20);
  for (let n = 0; n < 3; n++) tree.beginWrite().commitNow();
  expect(tree.sizeBytes()).toBeLessThan((usedPages + 150) * 1024);
  expect(tree.sizeBytes()).toBeLessThan(before / 2);
  const read = tree.beginRead();
  expectSameTree(read.root(), model);
  read.close();
  expect(TreeFile.open(new MemoryFile(file.content()), options).transactionId()).toBeGreaterThan(3);
});
