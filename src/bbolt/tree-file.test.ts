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
