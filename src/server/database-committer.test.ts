import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { MemberInstruments } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { DatabaseCommitter } from "./database-committer.ts";
import { openTestDatabase, pass } from "./testing/stand-ins.ts";

function setup(writesMax = 100) {
  const disk = new FaultDisk();
  const clock = new SimClock();
  const database = openTestDatabase(disk);
  const instruments = new MemberInstruments();
  const options = { intervalMs: 100, writesMax };
  const committer = new DatabaseCommitter(database, clock, instruments, options);
  const write = (count = 1) => {
    for (let i = 0; i < count; i++) database.put("lease", utf8(`${i}`), utf8("v"));
    committer.noteWrites();
  };
  const operationsOf = (act: () => void) => {
    const before = disk.operationCount;
    act();
    return disk.operationCount - before;
  };
  return { disk, clock, database, committer, write, operationsOf };
}

test("DatabaseCommitter commits a while after the first write, not after the last", () => {
  const { clock, database, write } = setup();
  write();
  pass(clock, 60);
  write();
  pass(clock, 39);
  expect(database.pendingWrites()).toBe(2);
  pass(clock, 1);
  expect(database.pendingWrites()).toBe(0);
});

test("DatabaseCommitter commits at once when the batch is full", () => {
  const { database, write } = setup(10);
  write(9);
  expect(database.pendingWrites()).toBe(9);
  write(1);
  expect(database.pendingWrites()).toBe(0);
});

test("DatabaseCommitter writes nothing while nothing is written", () => {
  const { clock, committer, write, operationsOf } = setup();
  write();
  pass(clock, 200);
  const idle = operationsOf(() => {
    for (let i = 0; i < 100; i++) {
      committer.noteWrites();
      pass(clock, 1000);
    }
  });
  expect(idle).toBe(0);
  committer.noteWrites();
  expect(clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("DatabaseCommitter tells when what was written is durable, also when that is at once", () => {
  const { disk, committer, write } = setup();
  let done = 0;
  committer.commit(() => done++);
  expect(done).toBe(1);
  disk.syncMode = "step";
  write();
  committer.commit(() => done++);
  expect(done).toBe(1);
  write();
  committer.commit(() => done++);
  while (done < 2) expect(disk.step()).toBe(true);
  expect(done).toBe(2);
  while (disk.step());
  expect(done).toBe(3);
});

test("DatabaseCommitter commits nothing by itself after a stop", () => {
  const { clock, database, committer, write } = setup();
  write();
  committer.stop();
  pass(clock, 1000);
  write();
  pass(clock, 1000);
  expect(database.pendingWrites()).toBe(2);
});
