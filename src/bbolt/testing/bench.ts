/**
 * Run by hand: `bun src/bbolt/testing/bench.ts [directory] [cache MiB]`. Prints nanoseconds per
 * operation for a bucket of a million revision keys on the real disk.
 */
import { BunDisk } from "../../io/bun/index.ts";
import { TreeFile } from "../index.ts";

const ENTRIES = 1_000_000;
const BATCH = 10_000;
const VALUE_BYTES = 256;
const path = `${process.argv[2] ?? "."}/bench.db`;
const disk = new BunDisk();
if (disk.exists(path)) disk.remove(path);
const key = new Uint8Array(17);
const view = new DataView(key.buffer);
key[8] = 0x5f;
const value = new Uint8Array(VALUE_BYTES).fill(7);
const name = new TextEncoder().encode("key");

function measure(label: string, count: number, run: () => void): void {
  const start = performance.now();
  run();
  const ns = ((performance.now() - start) * 1e6) / count;
  console.log(`${label}: ${ns.toFixed(0)} ns`);
}

const tree = TreeFile.open(disk.open(path, { create: true }), {
  pageCacheBytes: Number(process.argv[3] ?? 512) << 20,
});
let putMs = 0;
let commitMs = 0;
measure("append with commits, per entry", ENTRIES, () => {
  for (let from = 0; from < ENTRIES; from += BATCH) {
    const write = tree.beginWrite();
    const start = performance.now();
    const bucket = write.root().createBucketIfMissing(name);
    bucket.fillPercent = 0.9;
    for (let n = from; n < from + BATCH; n++) {
      view.setUint32(4, n);
      bucket.put(key, value);
    }
    const middle = performance.now();
    write.plan();
    putMs += middle - start;
    commitMs += performance.now() - middle;
    write.commitNow();
  }
});
console.log(
  `  put ${((putMs * 1e6) / ENTRIES).toFixed(0)} ns`,
  `plan ${((commitMs * 1e6) / ENTRIES).toFixed(0)} ns`,
);
const read = tree.beginRead();
const bucket = read.root().bucket(name)!;
for (const round of ["warming", "warm"]) {
  measure(`get of a random key, ${round}`, ENTRIES, () => {
    let n = 1;
    for (let i = 0; i < ENTRIES; i++) {
      n = (n * 48271) % 0x7fffffff;
      view.setUint32(4, n % ENTRIES);
      if (bucket.get(key) === undefined) throw new Error("lost");
    }
  });
}
measure("cursor over all, key and value", ENTRIES, () => {
  const cursor = bucket.cursor();
  let bytes = 0;
  for (let more = cursor.first(); more; more = cursor.next()) {
    bytes += cursor.key().length + cursor.value().length;
  }
  if (bytes !== ENTRIES * (17 + VALUE_BYTES)) throw new Error("lost");
});
read.close();
measure("delete of half with commits, per entry", ENTRIES / 2, () => {
  for (let from = 0; from < ENTRIES / 2; from += BATCH) {
    const write = tree.beginWrite();
    const bucket = write.root().bucket(name)!;
    for (let n = from; n < from + BATCH; n++) {
      view.setUint32(4, n);
      bucket.delete(key);
    }
    write.commitNow();
  }
});
console.log(
  `file ${(tree.sizeBytes() / 2 ** 20).toFixed(0)} MiB`,
  `free ${(tree.freeBytes() / 2 ** 20).toFixed(0)} MiB`,
);
tree.close();
disk.remove(path);
