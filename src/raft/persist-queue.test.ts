// A disk that hangs while Readys go on coming.

import { expect, test } from "bun:test";
import { PersistQueue } from "./persist-queue.ts";

const COUNT = 200_000;

test("a disk that hangs costs a bounded number of records, and no report vouches for less or more", () => {
  const queue = new PersistQueue();
  for (let sequence = 1; sequence <= COUNT; sequence++) {
    const held = [{ kind: "append-accepted", from: 1n, to: 2n, term: 1, index: sequence }] as const;
    queue.add({
      sequence,
      lastIndex: sequence % 10 === 0 ? 0 : sequence,
      snapshotIndex: sequence === COUNT - 5 ? sequence : 0,
      commit: sequence - 1,
      takenAtTick: Math.floor(sequence / 1000),
      held: [...held],
    });
  }
  expect(queue.count).toBeLessThan(COUNT / 2);
  expect(queue.ageTicks(500)).toBe(500);
  expect(queue.take(0)).toBeNull();
  let lastIndex = 0;
  let released = 0;
  let snapshots = 0;
  for (let sequence = 1; sequence <= COUNT; sequence++) {
    for (;;) {
      const report = queue.take(sequence);
      if (report === null) break;
      released += report.released.length;
      // Nothing leaves before the report that covers it.
      expect(released).toBeLessThanOrEqual(sequence);
      expect(report.lastIndex).toBeLessThanOrEqual(sequence);
      expect(report.commit).toBeLessThan(sequence);
      lastIndex = Math.max(lastIndex, report.lastIndex);
      if (report.snapshotIndex > 0) snapshots++;
    }
  }
  expect(lastIndex).toBe(COUNT - 1);
  expect(released).toBe(COUNT);
  expect(snapshots).toBe(1);
  expect(queue.isEmpty()).toBe(true);
});

test("what was overwritten is not vouched for by a record that stands for many", () => {
  const queue = new PersistQueue();
  for (let sequence = 1; sequence <= COUNT; sequence++) {
    const header = { sequence, snapshotIndex: 0, commit: 0, takenAtTick: 1, held: [] };
    queue.add({ ...header, lastIndex: sequence });
  }
  queue.truncate(COUNT - 10);
  let lastIndex = 0;
  for (let report = queue.take(COUNT); report !== null; report = queue.take(COUNT)) {
    lastIndex = Math.max(lastIndex, report.lastIndex);
  }
  expect(lastIndex).toBe(COUNT - 11);
});
