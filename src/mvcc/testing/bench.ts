/**
 * Run by hand: `bun src/mvcc/testing/bench.ts [directory] [keys]`. A store of a million keys on the
 * real disk: nanoseconds per operation, how long commits block the thread, memory, garbage
 * collection, restart.
 */
import { fullGC } from "bun:jsc";
import { utf8 } from "../../base/bytes.ts";
import { CheckpointFile, Database } from "../../database/index.ts";
import { BunDisk } from "../../io/bun/index.ts";
import { type CheckpointSource, Store } from "../index.ts";

const directory = process.argv[2] ?? ".";
const KEYS = Number(process.argv[3] ?? 1_000_000);
const BATCH = 6000;
const VALUE_BYTES = 256;
const disk = new BunDisk();
const path = `${directory}/bench-store.db`;
const checkpointPath = `${directory}/bench-index`;
const NEWEST = { revision: 0, limit: 0, countOnly: false, keysOnly: false };

function rssMb(): string {
  return `${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MB`;
}

function measure(label: string, count: number, run: () => void): void {
  const start = performance.now();
  run();
  console.log(`${label}: ${(((performance.now() - start) * 1e6) / count).toFixed(0)} ns`);
}

function open(checkpoint?: CheckpointSource): { database: Database; store: Store } {
  const database = Database.open({
    file: disk.open(path, { create: true }),
    pageCacheBytes: 64 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  return { database, store: Store.open({ database, checkpoint, onChanges: () => {} }) };
}

/** A pseudo-random permutation, so that keys come in no order. */
function keyOf(i: number): Uint8Array {
  const n = (i * 48271 + 11) % KEYS;
  return utf8(`/registry/pods/ns-${n % 100}/pod-${String(n).padStart(8, "0")}`);
}

const blockMs: number[] = [];
let index = 0;

async function putAll(store: Store, database: Database, count: number): Promise<number> {
  const value = new Uint8Array(VALUE_BYTES).fill(0x61);
  let busyMs = 0;
  for (let from = 0; from < count; from += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => keyOf(from + i));
    const start = performance.now();
    for (const key of keys) {
      const transaction = store.beginTransaction();
      transaction.put(key, value, 0n, false);
      transaction.end();
      database.setConsistentIndex(++index, 1);
    }
    const middle = performance.now();
    busyMs += middle - start;
    const durable = new Promise<void>((resolve) => database.commit(resolve));
    blockMs.push(performance.now() - middle);
    await durable;
  }
  return busyMs;
}

function percentiles(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (p: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]!.toFixed(1);
  return `p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(1)} ms`;
}

if (disk.exists(path)) disk.remove(path);
console.log(`start: ${rssMb()}`);
let { database, store } = open();
let busy = await putAll(store, database, KEYS);
console.log(
  `put of a new key: ${((busy * 1e6) / KEYS).toFixed(0)} ns; commit of ${BATCH} blocks ${percentiles(blockMs)}`,
);
console.log(
  `index ${(store.indexBytes() / 2 ** 20).toFixed(0)} MB, database ${(database.sizeBytes() / 2 ** 20).toFixed(0)} MB, rss ${rssMb()}`,
);
blockMs.length = 0;
const again = Math.min(KEYS, 200_000);
busy = await putAll(store, database, again);
console.log(
  `put of a known key: ${((busy * 1e6) / again).toFixed(0)} ns; commit blocks ${percentiles(blockMs)}`,
);
fullGC();
const gcStart = performance.now();
fullGC();
console.log(`full GC ${(performance.now() - gcStart).toFixed(1)} ms, rss ${rssMb()}`);

const all = utf8("/");
const end = utf8("0");
const probes = Array.from({ length: 1000 }, (_, i) => keyOf((i * 7919) % KEYS));
for (const round of ["cold", "warm"]) {
  measure(`getRecord of ${round} keys`, 1000, () => {
    for (const key of probes) if (store.getRecord(key) === undefined) throw new Error("lost");
  });
}
const random = Array.from({ length: 200_000 }, (_, i) => keyOf((i * 104729) % KEYS));
measure("getRecord of random keys", random.length, () => {
  for (const key of random) if (store.getRecord(key) === undefined) throw new Error("lost");
});
for (let round = 0; round < 3; round++) {
  measure("getRecord of hot keys", 300_000, () => {
    for (let i = 0; i < 300_000; i++) store.getRecord(probes[i % 1000]!);
  });
}
measure("count of everything", 10_000, () => {
  for (let i = 0; i < 10_000; i++) store.range(all, end, { ...NEWEST, countOnly: true });
});
const revision = store.revision();
const churn = store.beginTransaction();
churn.deleteRange(utf8("/registry/pods/ns-1/"), utf8("/registry/pods/ns-10"), false);
churn.end();
database.setConsistentIndex(++index, 1);
measure("count of everything just before", 100, () => {
  for (let i = 0; i < 100; i++) store.range(all, end, { ...NEWEST, revision, countOnly: true });
});
measure("page of 500, per record", 200 * 500, () => {
  for (let i = 0; i < 200; i++) store.range(keyOf(i * 31), end, { ...NEWEST, limit: 500 });
});
measure("page of 500 keys only, per record", 200 * 500, () => {
  for (let i = 0; i < 200; i++)
    store.range(keyOf(i * 31), end, { ...NEWEST, limit: 500, keysOnly: true });
});
await new Promise<void>((resolve) => database.commit(resolve));
store.scheduleCompaction(store.revision());
const slices: number[] = [];
const compactStart = performance.now();
for (;;) {
  const start = performance.now();
  const result = store.compactionStep(1000);
  slices.push(performance.now() - start);
  if (slices.length % 10 === 0) await new Promise<void>((resolve) => database.commit(resolve));
  if (result !== undefined) {
    console.log(
      `compaction of ${result.removedRows} rows, ${result.keptRows} kept: ${(performance.now() - compactStart).toFixed(0)} ms; slices of 1000 rows ${percentiles(slices)}`,
    );
    break;
  }
}
database.commitNow();
const file = new CheckpointFile(disk, checkpointPath);
const writer = store.beginCheckpoint(file);
const steps: number[] = [];
for (let progress = "more"; progress !== "done"; ) {
  const start = performance.now();
  progress = writer.step(1000);
  steps.push(performance.now() - start);
}
await new Promise((resolve) => file.finish(resolve));
const total = steps.reduce((sum, ms) => sum + ms, 0);
console.log(`checkpoint ${total.toFixed(0)} ms in all, steps of 1000 keys ${percentiles(steps)}`);
database.close();
for (const label of ["by checkpoint", "by checkpoint", "by scan"]) {
  store = undefined as never;
  database = undefined as never;
  fullGC();
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const source = label === "by scan" ? undefined : CheckpointFile.open(disk, checkpointPath);
  ({ database, store } = open(source));
  const ms = performance.now() - start;
  const grown = ((process.memoryUsage.rss() - before) / 2 ** 20).toFixed(0);
  console.log(
    `restart ${label}: ${ms.toFixed(0)} ms, ${store.keyCount()} keys, rss grew by ${grown} MB`,
  );
  source?.close();
  database.close();
}
disk.remove(path);
disk.remove(checkpointPath);
