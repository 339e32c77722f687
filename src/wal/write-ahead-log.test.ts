import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import type { Clock, DiskError } from "../io/index.ts";
import { type WalEntry, WriteAheadLog } from "./index.ts";

const DIRECTORY = "/member/wal";
const METADATA = { memberId: 0xfedcba9876543210n, clusterId: 7n };

function newDisk(): FaultDisk {
  const disk = new FaultDisk();
  disk.makeDirectory("/member");
  disk.syncDirectory("/");
  return disk;
}

const entry = (index: number, term: number, bytes = 20, kind = 0): WalEntry => ({
  index,
  term,
  kind,
  data: new Uint8Array(bytes).fill((index * 7 + term) & 0xff),
});

const entries = (from: number, to: number, term: number, bytes = 20) =>
  Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term, bytes));

const plain = (list: readonly WalEntry[]) =>
  list.map(({ index, term, kind, data }) => [index, term, kind, Buffer.from(data).toString("hex")]);

function syncedFlush(log: WriteAheadLog): void {
  let done = false;
  log.flush(() => {
    done = true;
  });
  expect(done).toBe(true);
}

test("open returns metadata, hard state, entries and marks exactly, over entry sizes of every CBOR form", () => {
  const disk = newDisk();
  const options = { disk, directory: DIRECTORY };
  const log = WriteAheadLog.create(options, METADATA);
  const sizes = [0, 1, 23, 24, 255, 256, 65535, 65536, 300_000];
  const written = sizes.map((size, i) => entry(i + 1, 2 ** 40 + i, size, i % 24));
  log.append(written, { term: 2 ** 52, vote: 2n ** 64n - 1n, commit: 3 });
  log.saveSnapshotMark(2, 2 ** 40 + 1);
  syncedFlush(log);
  expect([log.lastIndex(), log.syncedIndex()]).toEqual([9, 9]);
  log.close();
  const { recovered } = WriteAheadLog.open(options, 0);
  expect(plain(recovered.entries)).toEqual(plain(written));
  expect(recovered.metadata).toEqual(METADATA);
  expect(recovered.hardState).toEqual({ term: 2 ** 52, vote: 2n ** 64n - 1n, commit: 3 });
  expect(recovered.snapshotMarks).toEqual([{ index: 2, term: 2 ** 40 + 1 }]);
  expect(recovered.cleanlyClosed).toBe(true);
  expect(recovered.tornTail).toBeNull();
});

test("an entry at an earlier index replaces everything from there on", () => {
  const disk = newDisk();
  const options = { disk, directory: DIRECTORY, segmentBytes: 1024 };
  const log = WriteAheadLog.create(options, METADATA);
  for (let i = 1; i <= 40; i++) {
    log.append([entry(i, 1)], null);
    syncedFlush(log);
  }
  log.append(entries(11, 13, 2), { term: 2, vote: 0n, commit: 12 });
  syncedFlush(log);
  expect(log.lastIndex()).toBe(13);
  const { recovered, log: again } = WriteAheadLog.open(options, 0);
  expect(plain(recovered.entries)).toEqual(plain([...entries(1, 10, 1), ...entries(11, 13, 2)]));
  expect(again.lastIndex()).toBe(13);
  for (const from of [5, 10, 12, 13]) {
    const part = WriteAheadLog.open(options, from).recovered.entries;
    expect(plain(part)).toEqual(plain(recovered.entries.slice(from)));
  }
});

test("flush shares one sync between all that arrive while another is in flight, in order", () => {
  const disk = newDisk();
  const log = WriteAheadLog.create({ disk, directory: DIRECTORY }, METADATA);
  disk.syncMode = "step";
  const order: string[] = [];
  log.append(entries(1, 2, 1), null);
  log.flush(() => order.push("a"));
  log.flush(() => order.push("b"));
  log.append(entries(3, 4, 1), null);
  log.flush(() => order.push("c"));
  log.append(entries(5, 6, 1), null);
  log.flush(() => order.push("d"));
  expect(disk.outstandingSyncs).toBe(1);
  expect([log.syncedIndex(), log.lastIndex(), order.length]).toEqual([0, 6, 0]);
  const stepped = () => {
    const next = log.syncedIndex();
    while (log.syncedIndex() === next && disk.step()) {}
  };
  stepped();
  expect([log.syncedIndex(), order.join("")]).toEqual([2, "ab"]);
  stepped();
  expect([log.syncedIndex(), order.join("")]).toEqual([6, "abcd"]);
  expect(log.statistics().batchCount).toBe(2);
  log.flush(() => order.push("e"));
  expect(order.join("")).toBe("abcde");
});

test("releaseBefore removes only segments that hold nothing at or after the index", () => {
  const disk = newDisk();
  const options = { disk, directory: DIRECTORY, segmentBytes: 1024 };
  const log = WriteAheadLog.create(options, METADATA);
  for (let i = 1; i <= 60; i++) {
    log.append([entry(i, 1)], { term: 1, vote: 3n, commit: i });
    syncedFlush(log);
  }
  const before = log.statistics().segmentCount;
  const removed = log.releaseBefore(41);
  expect(removed.length).toBeGreaterThan(3);
  expect(log.statistics().segmentCount).toBe(before - removed.length);
  for (const file of removed) expect(disk.exists(`${DIRECTORY}/${file}`)).toBe(false);
  expect(WriteAheadLog.open(options, 40).recovered.entries.length).toBe(20);
  expect(() => WriteAheadLog.open(options, 5)).toThrow("entries from 6 on are needed");
  log.releaseBefore(10_000);
  expect(log.statistics().segmentCount).toBe(1);
  disk.crash(9); // removals may come back
  expect(WriteAheadLog.open(options, 60).recovered.hardState.commit).toBe(60);
});

test("a snapshot received from the leader moves the log's end, and what it replaced is gone", () => {
  const disk = newDisk();
  const options = { disk, directory: DIRECTORY };
  const log = WriteAheadLog.create(options, METADATA);
  log.append(entries(1, 30, 1), { term: 1, vote: 0n, commit: 5 });
  log.replaceBySnapshot(20, 4); // the log holds entry 20 of term 1: another history
  log.append([], { term: 4, vote: 0n, commit: 20 });
  syncedFlush(log);
  log.close();
  const first = WriteAheadLog.open(options, 20);
  expect(first.recovered.entries).toEqual([]);
  expect(() => WriteAheadLog.open(options, 3)).toThrow("continues from the snapshot at index 20");
  first.log.append(entries(21, 22, 4), null);
  first.log.replaceBySnapshot(100, 5); // beyond the end
  first.log.append(entries(101, 103, 5), { term: 5, vote: 0n, commit: 101 });
  syncedFlush(first.log);
  expect(plain(WriteAheadLog.open(options, 100).recovered.entries)).toEqual(
    plain(entries(101, 103, 5)),
  );
});

test("a failed sync ends the log: onFailure once, no callback, no retry", () => {
  for (const operation of ["sync", "write"] as const) {
    const disk = newDisk();
    const log = WriteAheadLog.create({ disk, directory: DIRECTORY }, METADATA);
    const failures: DiskError[] = [];
    log.onFailure = (error) => failures.push(error);
    let done = 0;
    log.append(entries(1, 1, 1), null);
    log.flush(() => done++);
    const before = disk.operationCount;
    disk.inject({ operation, effect: { kind: "fail", code: "EIO" } });
    log.append(entries(2, 2, 1), null);
    log.flush(() => done++);
    log.append(entries(3, 3, 1), null);
    log.flush(() => done++);
    log.markSynced();
    expect([done, failures.length, failures[0]?.code]).toEqual([1, 1, "EIO"]);
    const writes = disk.operationCount - before;
    expect(writes).toBeLessThanOrEqual(2);
    expect(log.syncedIndex()).toBe(1);
    log.close();
  }
});

test("a full disk while the next segment is prepared or cut ends the log before any acknowledgement", () => {
  const disk = newDisk();
  const log = WriteAheadLog.create({ disk, directory: DIRECTORY, segmentBytes: 4096 }, METADATA);
  const failures: DiskError[] = [];
  log.onFailure = (error) => failures.push(error);
  disk.capacityBytes = disk.usedBytes() + 100;
  let synced = 0;
  for (let i = 1; i <= 100; i++) {
    log.append([entry(i, 1, 100)], null);
    log.flush(() => {
      synced = i;
    });
  }
  expect(failures.map((error) => error.code)).toEqual(["ENOSPC"]);
  disk.crash(1);
  const { recovered } = WriteAheadLog.open({ disk, directory: DIRECTORY }, 0);
  expect(recovered.entries.length).toBeGreaterThanOrEqual(synced);
});

test("create leaves nothing behind when it fails and refuses an existing directory", () => {
  const disk = newDisk();
  disk.inject({ operation: "preallocate", effect: { kind: "fail", code: "ENOSPC" } });
  const options = { disk, directory: DIRECTORY };
  expect(() => WriteAheadLog.create(options, METADATA)).toThrow("injected");
  expect(disk.exists(DIRECTORY)).toBe(false);
  WriteAheadLog.create(options, METADATA).close();
  expect(() => WriteAheadLog.create(options, METADATA)).toThrow("exists there already");
});

/** A clock that moves only by `advance`. */
class ManualClock implements Clock {
  now = 0;
  timers: { at: number; fire: () => void }[] = [];
  monotonicMs = () => this.now;
  wallMs = () => this.now;
  setTimer(delayMs: number, fire: () => void) {
    const timer = { at: this.now + delayMs, fire };
    this.timers.push(timer);
    return { cancel: () => this.timers.splice(this.timers.indexOf(timer), 1) };
  }
  soon(fire: () => void): void {
    this.setTimer(0, fire);
  }
  advance(ms: number): void {
    this.now += ms;
    const due = this.timers.filter((timer) => timer.at <= this.now);
    this.timers = this.timers.filter((timer) => timer.at > this.now);
    for (const timer of due) timer.fire();
  }
}

test("a quiet log gets one mark, and writes nothing more while idle", () => {
  const disk = newDisk();
  const clock = new ManualClock();
  const syncedSeconds: number[] = [];
  const observer = { synced: (seconds: number) => syncedSeconds.push(seconds) };
  const log = WriteAheadLog.create({ disk, directory: DIRECTORY, clock, observer }, METADATA);
  log.append(entries(1, 1, 1), null);
  syncedFlush(log);
  clock.advance(600);
  log.append(entries(2, 2, 1), null);
  syncedFlush(log);
  clock.advance(600);
  expect(log.statistics().markCount).toBe(0);
  clock.advance(500);
  expect(log.statistics().markCount).toBe(1);
  const operations = disk.operationCount;
  for (let i = 0; i < 10; i++) clock.advance(5000);
  expect([disk.operationCount, clock.timers.length]).toEqual([operations, 0]);
  expect(syncedSeconds.length).toBe(2);
  log.close();
});
