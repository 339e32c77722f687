import { expect, test } from "bun:test";
import { utf8, utf8Text } from "../base/bytes.ts";
import { TreeFile } from "./index.ts";
import { MemoryFile } from "./testing/memory-file.ts";

const options = { pageCacheBytes: 1 << 20 };

function numberKey(n: number): Uint8Array {
  return utf8(String(n).padStart(8, "0"));
}

test("TreeFile keeps what was committed, over reopening", () => {
  const file = new MemoryFile();
  const tree = TreeFile.open(file, options);
  const write = tree.beginWrite();
  const bucket = write.root().createBucket(utf8("key"));
  for (let n = 0; n < 5000; n++) bucket.put(numberKey(n), utf8(`value ${n}`));
  write.commitNow();
  expect(tree.transactionId()).toBe(2);
  const again = TreeFile.open(new MemoryFile(file.content()), options);
  const read = again.beginRead();
  const reader = read.root().bucket(utf8("key"))!;
  for (let n = 0; n < 5000; n++) expect(utf8Text(reader.get(numberKey(n))!)).toBe(`value ${n}`);
  expect(reader.get(utf8("x"))).toBeUndefined();
  let n = 0;
  const cursor = reader.cursor();
  for (let more = cursor.first(); more; more = cursor.next()) {
    expect(utf8Text(cursor.key())).toBe(utf8Text(numberKey(n++)));
  }
  expect(n).toBe(5000);
  for (let more = cursor.last(); more; more = cursor.previous()) {
    expect(utf8Text(cursor.key())).toBe(utf8Text(numberKey(--n)));
  }
  expect(n).toBe(0);
  read.close();
});

test("Cursor.seek goes on behind leaves that the same transaction has emptied", () => {
  const tree = TreeFile.open(new MemoryFile(), options);
  const first = tree.beginWrite();
  const rows = first.root().createBucket(utf8("key"));
  for (let n = 0; n < 2000; n++) rows.put(numberKey(n), new Uint8Array(100));
  first.commitNow();
  const write = tree.beginWrite();
  const bucket = write.root().bucket(utf8("key"))!;
  for (let n = 500; n < 1500; n++) bucket.delete(numberKey(n));
  const cursor = bucket.cursor();
  for (const from of [499, 500, 501, 777, 1499, 1500]) {
    expect(cursor.seek(numberKey(from))).toBe(true);
    expect(utf8Text(cursor.key())).toBe(utf8Text(numberKey(from === 499 ? 499 : 1500)));
  }
  for (let n = 1500; n < 2000; n++) bucket.delete(numberKey(n));
  expect(cursor.seek(numberKey(777))).toBe(false);
  for (let n = 0; n < 500; n++) bucket.delete(numberKey(n));
  expect(cursor.seek(numberKey(0))).toBe(false);
  write.rollback();
  tree.close();
});
