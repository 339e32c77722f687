import { expect, test } from "bun:test";
import { FaultDisk } from "../../../test/disk/fault-disk.ts";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { CheckpointFile, Database } from "../../database/index.ts";
import { Store } from "../store.ts";
import { BLOCK_HEADER_BYTES, HEADER_BYTES } from "./format.ts";

function open(disk: FaultDisk): { database: Database; store: Store } {
  const database = Database.open({
    file: disk.open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  return { database, store: Store.open({ database, onChanges: () => {} }) };
}

function putKey(store: Store, key: Uint8Array): void {
  const transaction = store.beginTransaction();
  transaction.put(key, utf8("v"), 0n, false);
  transaction.end();
}

function deleteKey(store: Store, key: Uint8Array): void {
  const transaction = store.beginTransaction();
  transaction.deleteRange(key, new Uint8Array(0), false);
  transaction.end();
}

function put(store: Store, key: string): void {
  putKey(store, utf8(key));
}

test("CheckpointWriter writes the example of the format page", () => {
  const { store } = open(new FaultDisk());
  for (const key of ["x", "x", "x", "ab", "x", "ab", "x", "x"]) put(store, key);
  const parts: Uint8Array[] = [];
  const writer = store.beginCheckpoint({ write: (bytes) => parts.push(bytes.slice()) });
  while (writer.step(1) !== "done");
  const payload = concatBytes(parts).subarray(HEADER_BYTES + BLOCK_HEADER_BYTES);
  expect([...payload.subarray(0, 11)]).toEqual([7, 0, 0, 0, 0, 2, 0x61, 0x62, 0, 1, 0x78]);
  expect([...payload.subarray(11, 18)]).toEqual([4, 2, 2, 2, 1, 2, 0]);
});

test("CheckpointWriter gives up when a compaction overtakes it", () => {
  const { store } = open(new FaultDisk());
  for (let i = 0; i < 20; i++) put(store, `key ${i}`);
  const writer = store.beginCheckpoint({ write() {} });
  for (let progress = writer.step(5); progress !== "more"; progress = writer.step(5));
  put(store, "later");
  expect(writer.step(5)).toBe("more");
  store.scheduleCompaction(store.revision());
  expect(writer.step(5)).toBe("outdated");
});

function writeCheckpoint(disk: FaultDisk, store: Store): CheckpointFile {
  const file = new CheckpointFile(disk, "index.cairn");
  const writer = store.beginCheckpoint(file);
  while (writer.step(100) !== "done");
  return file;
}

test("a store opened with a checkpoint finds keys of every length, before and after changes", () => {
  const disk = new FaultDisk();
  const { store, database } = open(disk);
  const lengths = [1, 2, 125, 126, 127, 128, 1021, 1022, 1023, 1024, 5000, 65534, 65535, 65536];
  const keys: Uint8Array[] = lengths.flatMap((length) => [
    new Uint8Array(length).fill(0x61),
    new Uint8Array(length).fill(0x61).fill(0x62, length - 1),
    new Uint8Array(length).map((_, i) => i * 31 + 1),
  ]);
  keys.push(new Uint8Array(1_200_000).fill(0x61), new Uint8Array(1_200_001).fill(0x61));
  for (let i = 0; i < 40_000; i++) keys.push(utf8(`/registry/pods/a namespace/${i * 7919}`));
  for (const key of keys) putKey(store, key);
  for (let i = 0; i < keys.length; i += 3) deleteKey(store, keys[i]!);
  for (let i = 0; i < keys.length; i += 5) putKey(store, keys[i]!);
  database.commitNow();
  expect(writeCheckpoint(disk, store).finishNow()).toBeNull();
  const checkpoint = CheckpointFile.open(disk, "index.cairn")!;
  const again = Store.open({ database, checkpoint, onChanges: () => {} });
  expect(again.checkpointRevision()).toBe(store.revision());
  const isLive = (i: number) => i % 3 !== 0 || i % 5 === 0;
  // While the hash fills up: lookups, and keys that go and come where it has not been yet.
  for (let i = keys.length - 1; i >= 0; i--) {
    expect(again.getRecord(keys[i]!) !== undefined).toBe(isLive(i));
    if (i % 4 === 0 && isLive(i)) deleteKey(again, keys[i]!);
    if (i % 5000 === 0) {
      again.scheduleCompaction(again.revision());
      while (again.isCompacting()) {
        again.compactionStep(1 << 20);
        database.commitNow();
      }
    }
    if (i % 4 === 0) putKey(again, utf8(`new ${i}`));
  }
  for (let i = 0; i < keys.length; i++) {
    expect(again.getRecord(keys[i]!) !== undefined).toBe(isLive(i) && i % 4 !== 0);
    if (i % 4 === 0) expect(again.getRecord(utf8(`new ${i}`))).toBeDefined();
  }
});

test("CheckpointFile replaces the last checkpoint only when the new one is durable", () => {
  const disk = new FaultDisk();
  const { store, database } = open(disk);
  disk.syncDirectory("");
  put(store, "a");
  expect(writeCheckpoint(disk, store).finishNow()).toBeNull();
  const first = disk.contents("index.cairn");
  put(store, "b");
  database.commitNow();
  writeCheckpoint(disk, store).abandon();
  expect(disk.list("")).toEqual(["db", "index.cairn"]);
  const cut = writeCheckpoint(disk, store);
  disk.syncMode = "step";
  const ended: unknown[] = [];
  cut.finish((error) => ended.push(error));
  disk.crash(5);
  expect(disk.contents("index.cairn")).toEqual(first);
  const again = open(disk);
  const source = CheckpointFile.open(disk, "index.cairn")!;
  const options = { database: again.database, checkpoint: source, onChanges: () => {} };
  expect(Store.open(options).getRecord(utf8("b"))).toBeDefined();
  expect(ended).toEqual([]);
});

test("CheckpointFile says when the disk is full, and the old checkpoint stays", () => {
  const disk = new FaultDisk();
  const { store } = open(disk);
  put(store, "a");
  expect(writeCheckpoint(disk, store).finishNow()).toBeNull();
  const first = disk.contents("index.cairn");
  put(store, "b");
  const next = writeCheckpoint(disk, store);
  disk.inject({
    operation: "write",
    pathIncludes: "index",
    effect: { kind: "fail", code: "ENOSPC" },
  });
  expect(next.finishNow()?.code).toBe("ENOSPC");
  expect(disk.contents("index.cairn")).toEqual(first);
});
