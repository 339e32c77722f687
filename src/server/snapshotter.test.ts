import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { MemberInstruments } from "../api/index.ts";
import type { Database } from "../database/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import { DatabaseCommitter } from "./database-committer.ts";
import type { RaftNode } from "./raft-node.ts";
import { Snapshotter } from "./snapshotter.ts";
import { openTestDatabase, pass, RecordingLogger } from "./testing/stand-ins.ts";

class RecordingLog {
  readonly marks: [number, number][] = [];
  readonly released: number[] = [];

  saveSnapshotMark(index: number, term: number): void {
    this.marks.push([index, term]);
  }

  releaseBefore(index: number): string[] {
    this.released.push(index);
    return index > 0 ? ["0000000000000000.wal"] : [];
  }
}

function setup(catchupEntries = 5) {
  const disk = new FaultDisk();
  const clock = new SimClock();
  const database: Database = openTestDatabase(disk);
  const wal = new RecordingLog();
  const logger = new RecordingLogger();
  const state = { applied: 0 };
  const options = { intervalMs: 100, writesMax: 1000 };
  const committer = new DatabaseCommitter(database, clock, new MemberInstruments(), options);
  const snapshotter = new Snapshotter({
    database,
    committer,
    wal: wal as unknown as WriteAheadLog,
    clock,
    logger,
    node: { appliedIndex: () => state.applied } as unknown as RaftNode,
    entriesPerSnapshot: 10,
    catchupEntries,
    onDiskFailure: (error) => {
      throw error;
    },
  });
  const apply = (count: number) => {
    for (let i = 0; i < count; i++) database.setConsistentIndex(++state.applied, 3);
    snapshotter.noteApplied();
  };
  return { disk, clock, database, wal, logger, apply };
}

test("Snapshotter marks the log after so many entries, and keeps the catch-up distance", () => {
  const { clock, wal, logger, apply } = setup();
  apply(9);
  expect(wal.marks).toEqual([]);
  apply(1);
  expect(wal.marks).toEqual([[10, 3]]);
  expect(wal.released).toEqual([5]);
  pass(clock, 1000);
  apply(9);
  expect(wal.marks.length).toBe(1);
  apply(1);
  expect(wal.marks.at(-1)).toEqual([20, 3]);
  expect(wal.released).toEqual([5, 15]);
  expect(logger.messages()).toEqual(["saved snapshot", "purged", "saved snapshot", "purged"]);
});

test("Snapshotter releases nothing before the database has it on disk", () => {
  const { disk, wal, database, apply } = setup();
  disk.syncMode = "step";
  apply(10);
  // More is applied while the commit is under way: what is marked is what was committed.
  apply(7);
  expect(wal.marks).toEqual([]);
  expect(wal.released).toEqual([]);
  while (disk.step());
  expect(wal.marks).toEqual([[10, 3]]);
  expect(database.consistentIndex()).toBe(17);
});

test("Snapshotter marks at most once a second under a flood", () => {
  const { clock, wal, apply } = setup(0);
  for (let i = 0; i < 50; i++) {
    apply(20);
    pass(clock, 100);
  }
  expect(wal.marks.length).toBeGreaterThanOrEqual(5);
  expect(wal.marks.length).toBeLessThanOrEqual(6);
});

test("Snapshotter never asks for a negative index", () => {
  const { wal, apply } = setup(5000);
  apply(10);
  expect(wal.released).toEqual([0]);
});
