/**
 * Incidents of etcd (by issue number) that must not happen here, and the rules for using a
 * checkpoint.
 */
import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { concatBytes, utf8, utf8Text } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import type { CheckpointSource } from "./checkpoint/index.ts";
import { encodeRecord, encodeTombstone } from "./record.ts";
import { Store } from "./store.ts";
import type { ChangeBatch } from "./types.ts";

const ALL = new Uint8Array([0]);

function openDatabase(disk: FaultDisk, name = "db"): Database {
  return Database.open({
    file: disk.open(name, { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
}

function openStore(database: Database, checkpoint?: Uint8Array, ignored: string[] = []): Store {
  return Store.open({
    database,
    onChanges: () => {},
    checkpoint: checkpoint === undefined ? undefined : sourceOf(checkpoint),
    onCheckpointIgnored: (reason) => ignored.push(reason),
  });
}

function sourceOf(bytes: Uint8Array): CheckpointSource {
  return {
    sizeBytes: () => bytes.length,
    readAt(buffer, offset, length, position) {
      const part = bytes.subarray(position, position + length);
      buffer.set(part, offset);
      return part.length;
    },
  };
}

function put(store: Store, key: string, value = "v"): number {
  const transaction = store.beginTransaction();
  transaction.put(utf8(key), utf8(value), 0n, false);
  return transaction.end();
}

function remove(store: Store, key: string): number {
  const transaction = store.beginTransaction();
  transaction.deleteRange(utf8(key), utf8(""), false);
  return transaction.end();
}

function sweep(store: Store): void {
  while (store.isCompacting()) store.compactionStep(3);
}

function deletesFrom(store: Store, revision: number): string[] {
  const read = store.readChanges(revision, 1000, 1 << 20);
  if (read === "compacted") throw new Error(read);
  const events = read.batches.flatMap((batch: ChangeBatch) => batch.events);
  return events.filter((e) => e.type === 1).map((e) => `${utf8Text(e.key)}@${e.revision}`);
}

function checkpointOf(store: Store): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = store.beginCheckpoint({ write: (bytes) => parts.push(bytes.slice()) });
  for (;;) {
    const progress = writer.step(10);
    if (progress === "done") return concatBytes(parts);
    expect(progress).not.toBe("outdated");
  }
}

test("incident 17780: the revision does not go down when the newest row was compacted away", () => {
  const disk = new FaultDisk();
  let database = openDatabase(disk);
  let store = openStore(database);
  put(store, "a");
  const newest = remove(store, "a");
  store.scheduleCompaction(newest);
  sweep(store);
  database.commitNow();
  database.close();
  database = openDatabase(disk);
  // Older versions of etcd removed this tombstone as well.
  database.deleteRevision(newest, 0, true);
  database.commitNow();
  database.close();
  database = openDatabase(disk);
  store = openStore(database);
  expect(store.revision()).toBe(newest);
  expect(store.compactRevision()).toBe(newest);
  expect(put(store, "b")).toBe(newest + 1);
});

test("incident 17780: nor when the crash comes between scheduling and sweeping", () => {
  const disk = new FaultDisk();
  const database = openDatabase(disk);
  const store = openStore(database);
  disk.syncDirectory("");
  put(store, "a");
  const newest = remove(store, "a");
  store.scheduleCompaction(newest);
  database.commit();
  store.compactionStep(1);
  database.commit();
  disk.crash(3);
  const again = openStore(openDatabase(disk));
  expect([again.revision(), again.compactRevision()]).toEqual([newest, newest]);
  expect(again.isCompacting()).toBe(true);
  sweep(again);
  expect(again.revision()).toBe(newest);
});

test("incident 18089: a watch from the compact revision still sees the delete made at it", () => {
  const database = openDatabase(new FaultDisk());
  const store = openStore(database);
  put(store, "a");
  put(store, "b");
  const deleted = remove(store, "a");
  put(store, "b");
  store.scheduleCompaction(deleted);
  sweep(store);
  expect(deletesFrom(store, deleted)).toEqual([`a@${deleted}`]);
  store.scheduleCompaction(deleted + 1);
  sweep(store);
  expect(deletesFrom(store, deleted + 1)).toEqual([]);
  expect(store.indexSize()).toEqual({ entries: 1, revisions: 1 });
});

test("incident 19179: and so after a restart, and the tombstone goes with the next compaction", () => {
  const disk = new FaultDisk();
  let database = openDatabase(disk);
  let store = openStore(database);
  put(store, "a");
  const deleted = remove(store, "a");
  put(store, "b");
  store.scheduleCompaction(deleted);
  sweep(store);
  const size = store.indexSize();
  const checkpoint = checkpointOf(store);
  for (const kept of [undefined, checkpoint]) {
    database.commitNow();
    database.close();
    database = openDatabase(disk);
    store = openStore(database, kept);
    expect(store.indexSize()).toEqual(size);
    expect(deletesFrom(store, deleted)).toEqual([`a@${deleted}`]);
  }
  expect(store.checkpointRevision()).toBeGreaterThan(0);
  store.scheduleCompaction(store.revision());
  sweep(store);
  expect(store.indexSize()).toEqual({ entries: 1, revisions: 1 });
  let rows = 0;
  database.commitNow();
  for (const walk = database.rows(0, 0); walk.next(); ) rows++;
  expect(rows).toBe(1);
});

test("Store compacts at revision 0 once, as etcd does", () => {
  const store = openStore(openDatabase(new FaultDisk()));
  expect(store.scheduleCompaction(0)).toBeUndefined();
  expect(store.scheduleCompaction(0)).toBe("compacted");
  sweep(store);
  expect(store.compactRevision()).toBe(0);
});

test("Store refuses a database whose rows are no records", () => {
  const database = openDatabase(new FaultDisk());
  database.appendRevision(2, 0, false, utf8("\u0000"));
  expect(() => openStore(database)).toThrow("the record of revision 2.0 cannot be read");
});

/** A database with enough keys that samples alone would not find every lie. */
function filled(
  disk: FaultDisk,
  name: string,
  value: string,
): { database: Database; store: Store } {
  const database = openDatabase(disk, name);
  const store = openStore(database);
  for (let i = 0; i < 400; i++) put(store, `key ${i}`, value);
  return { database, store };
}

test("a checkpoint older than the last compaction is ignored: it would raise the dead", () => {
  const { database, store } = filled(new FaultDisk(), "db", "v");
  const checkpoint = checkpointOf(store);
  remove(store, "key 7");
  put(store, "other");
  store.scheduleCompaction(store.revision());
  sweep(store);
  database.commitNow();
  const ignored: string[] = [];
  const again = openStore(database, checkpoint, ignored);
  expect(ignored).toEqual(["is older than the last compaction"]);
  expect(again.getRecord(utf8("key 7"))).toBeUndefined();
  expect(again.indexSize()).toEqual(store.indexSize());
});

test("a checkpoint is ignored when a crash undid a compaction that it is built on", () => {
  const disk = new FaultDisk();
  const { database, store } = filled(disk, "db", "v");
  disk.syncDirectory("");
  put(store, "key 7", "newer");
  database.commitNow();
  store.scheduleCompaction(store.revision());
  sweep(store);
  const checkpoint = checkpointOf(store);
  disk.crash(11);
  const ignored: string[] = [];
  const again = openStore(openDatabase(disk), checkpoint, ignored);
  expect(ignored).toEqual(["lacks what a lost compaction took away"]);
  expect(again.recordAt(utf8("key 7"), again.revision() - 1)).toBeDefined();
});

test("a checkpoint of another database, or of a later state, is ignored", () => {
  const disk = new FaultDisk();
  const one = filled(disk, "one", "1");
  const two = filled(disk, "two", "2");
  const ignored: string[] = [];
  openStore(two.database, checkpointOf(one.store), ignored);
  put(one.store, "later");
  const later = checkpointOf(one.store);
  openStore(two.database, later, ignored);
  const reason = "belongs to another database or a later state of it";
  expect(ignored).toEqual([reason, reason]);
  openStore(one.database, later, ignored);
  expect(ignored.length).toBe(2);
});

test("a checkpoint cut off or with any byte changed is ignored, never believed", () => {
  const { store, database } = filled(new FaultDisk(), "db", "v");
  remove(store, "key 3");
  const checkpoint = checkpointOf(store);
  const size = store.indexSize();
  const damaged: Uint8Array[] = [];
  for (let at = 0; at < checkpoint.length; at += 1 + (at >> 5)) {
    damaged.push(checkpoint.slice(0, at));
    const flipped = checkpoint.slice();
    flipped[at]! ^= 1 << (at % 8);
    damaged.push(flipped);
  }
  for (const bytes of damaged) {
    const ignored: string[] = [];
    const again = openStore(database, bytes, ignored);
    expect(again.indexSize()).toEqual(size);
    expect(ignored.length).toBe(1);
  }
  expect(openStore(database, checkpoint).checkpointRevision()).toBe(store.revision());
});

test("Store reads a lone tombstone row and a put over it", () => {
  const database = openDatabase(new FaultDisk());
  database.appendRevision(5, 0, true, encodeTombstone(utf8("a")));
  database.appendRevision(7, 2, false, encodeRecord(utf8("a"), 7, 7, 1, utf8("x"), 3n));
  const store = openStore(database);
  expect(store.keyRevisions(utf8("a"), 0)).toEqual({ create: 7, mod: 7, version: 1, lease: 3n });
  expect(store.recordAt(utf8("a"), 6)).toBeUndefined();
  expect(store.count(ALL, ALL, 0)).toBe(1);
  expect(store.revision()).toBe(7);
});
