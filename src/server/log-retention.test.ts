import { expect, test } from "bun:test";
import fc from "fast-check";
import { compactTo, type LogInMemory } from "./log-retention.ts";

const LIMITS = { entriesKept: 10, bytesKept: 100, bytesMax: 300 };

/** A hundred applied entries of one byte each, all durable. */
function log(extra: Partial<LogInMemory> = {}): LogInMemory {
  return {
    firstIndex: 1,
    appliedIndex: 100,
    durableIndex: 100,
    activeMatches: [],
    snapshotIndex: Number.POSITIVE_INFINITY,
    bytes: 100,
    bytesOf: () => 1,
    ...extra,
  };
}

test("compactTo keeps the last entries for those who come back soon", () => {
  expect(compactTo(log(), LIMITS)).toBe(90);
  expect(compactTo(log({ appliedIndex: 5, durableIndex: 5, bytes: 5 }), LIMITS)).toBe(0);
});

test("compactTo keeps what connected followers have not got, and what follows a snapshot that is sent", () => {
  expect(compactTo(log({ activeMatches: [99, 40] }), LIMITS)).toBe(40);
  expect(compactTo(log({ activeMatches: [99], snapshotIndex: 30 }), LIMITS)).toBe(30);
  expect(compactTo(log({ activeMatches: [98] }), LIMITS)).toBe(90);
});

test("compactTo drops nothing that the database does not hold durably", () => {
  expect(compactTo(log({ durableIndex: 70 }), LIMITS)).toBe(70);
  expect(compactTo(log({ durableIndex: 70, bytes: 10_000, bytesOf: () => 100 }), LIMITS)).toBe(70);
});

test("compactTo is bounded in bytes: little for those who may come back, more for those who are here", () => {
  const large = { bytes: 5000, bytesOf: () => 50 };
  // Two entries of 50 bytes are as much as is kept for nobody.
  expect(compactTo(log(large), LIMITS)).toBe(98);
  expect(compactTo(log({ ...large, activeMatches: [20] }), LIMITS)).toBe(94);
  expect(compactTo(log({ ...large, activeMatches: [96] }), LIMITS)).toBe(96);
});

test("compactTo stays between what is gone and what may go, and keeps what fits", () => {
  const logs = fc
    .record({
      sizes: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }),
      first: fc.integer({ min: 1, max: 50 }),
      unapplied: fc.nat(10),
      volatile: fc.nat(10),
      matches: fc.array(fc.nat(120), { maxLength: 3 }),
      snapshot: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(120)),
    })
    .map(({ sizes, first, unapplied, volatile, matches, snapshot }) => {
      const last = first + sizes.length - 1;
      const appliedIndex = Math.max(first - 1, last - unapplied);
      return log({
        firstIndex: first,
        appliedIndex,
        durableIndex: Math.max(first - 1, appliedIndex - volatile),
        activeMatches: matches,
        snapshotIndex: snapshot,
        bytes: sizes.reduce((sum, each) => sum + each, 0),
        bytesOf: (index) => sizes[index - first]!,
      });
    });
  fc.assert(
    fc.property(logs, (each) => {
      const index = compactTo(each, LIMITS);
      const ceiling = Math.min(each.appliedIndex, each.durableIndex);
      expect(index).toBeGreaterThanOrEqual(each.firstIndex - 1);
      expect(index).toBeLessThanOrEqual(Math.max(ceiling, each.firstIndex - 1));
      let kept = each.bytes;
      for (let at = each.firstIndex; at <= index; at++) kept -= each.bytesOf(at);
      if (index < ceiling) expect(kept).toBeLessThanOrEqual(LIMITS.bytesMax);
      const needed = Math.min(each.snapshotIndex, ...each.activeMatches);
      // Whatever was dropped beyond what nobody needs was dropped for its bytes.
      const free = Math.min(ceiling, needed, each.appliedIndex - LIMITS.entriesKept);
      if (index > Math.max(free, each.firstIndex - 1)) {
        const limit = index > needed ? LIMITS.bytesMax : LIMITS.bytesKept;
        expect(kept + each.bytesOf(index)).toBeGreaterThan(limit);
      }
    }),
  );
});
