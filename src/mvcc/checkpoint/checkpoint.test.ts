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

function put(store: Store, key: string): void {
  const transaction = store.beginTransaction();
  transaction.put(utf8(key), utf8("v"), 0n, false);
  transaction.end();
}

test("CheckpointWriter writes the example of the format page", () => {
  const { store } = open(new FaultDisk());
  for (const key of ["x", "x", "x", "ab", "x", "ab", "x", "x"]) put(store, key);
  const parts: Uint8Array[] = [];
  const writer = store.beginCheckpoint({ write: (bytes) => parts.push(bytes.slice()) });
  while (writer.step(1) !== "done");
  const payload = concatBytes(parts).subarray(HEADER_BYTES + BLOCK_HEADER_BYTES);
  expect([...payload.subarray(0, 11)]).toEqual([0, 2, 0x61, 0x62, 4, 2, 2, 2, 1, 2, 0]);
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
