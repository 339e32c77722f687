import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { MemberInstruments } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import { silentLogger } from "../io/index.ts";
import { Store } from "../mvcc/index.ts";
import { Background } from "./background.ts";
import { Checkpointer } from "./checkpointer.ts";
import { DatabaseCommitter } from "./database-committer.ts";

function setUp() {
  const disk = new FaultDisk();
  const clock = new SimClock();
  const database = Database.open({
    file: disk.open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  const store = Store.open({ database, onChanges: () => {} });
  const background = new Background(clock);
  const options = { intervalMs: 100, writesMax: 10_000 };
  const committer = new DatabaseCommitter(database, clock, new MemberInstruments(), options);
  const parts = { store, disk, path: "index.cairn", background, committer, clock };
  const checkpointer = new Checkpointer({ ...parts, logger: silentLogger });
  const put = (count: number) => {
    for (let i = 0; i < count; i++) {
      const transaction = store.beginTransaction();
      transaction.put(utf8(`key ${i % 100}`), utf8("v"), 0n, false);
      transaction.end();
    }
    checkpointer.noteApplied();
  };
  const advance = (ms: number) => {
    const untilMs = clock.monotonicMs() + ms;
    while (clock.runNext(untilMs));
  };
  return { disk, advance, store, database, checkpointer, put };
}

test("Checkpointer follows writes after a pause, also when they have stopped", () => {
  const { advance, store, put } = setUp();
  put(4000);
  advance(10_000);
  expect(store.checkpointRevision()).toBe(0);
  put(2000);
  advance(100);
  const first = store.checkpointRevision();
  expect(first).toBe(store.revision());
  put(6000);
  advance(500);
  expect(store.checkpointRevision()).toBe(first);
  advance(1000);
  expect(store.checkpointRevision()).toBe(store.revision());
});

test("Checkpointer writes the last changes at a stop and nothing after it", () => {
  const { disk, advance, store, database, checkpointer, put } = setUp();
  put(3000);
  database.commitNow();
  checkpointer.stop();
  expect(store.checkpointRevision()).toBe(store.revision());
  expect(disk.exists("index.cairn")).toBe(true);
  const last = store.checkpointRevision();
  put(10_000);
  advance(100_000);
  expect(store.checkpointRevision()).toBe(last);
});
