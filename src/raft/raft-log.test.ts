// The log against a plain model: an array of terms, and for the disk a list of writes that finish
// in order.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NO_MEMBERS } from "./conf-change.ts";
import { ENTRY_MEMBERSHIP, ENTRY_OVERHEAD_BYTES } from "./entry.ts";
import { MemoryLog } from "./log-storage.ts";
import { RaftLog } from "./raft-log.ts";
import { entriesOf } from "./testing/test-member.ts";
import { UnstableLog } from "./unstable-log.ts";

const limits = { committedPageBytes: 1e6, applyingBytesMax: 1e6 };
const mark = (index: number, term: number) => ({ index, term, configuration: NO_MEMBERS });

function logOf(terms: number[], { commit = 0, applied = 0, compactAt = 0 } = {}): RaftLog {
  const storage = new MemoryLog();
  storage.append(entriesOf(terms));
  if (compactAt > 0) {
    storage.saveSnapshot(mark(compactAt, terms[compactAt - 1]!));
    storage.compact(compactAt);
  }
  return new RaftLog(storage, commit, Math.max(applied, compactAt), limits);
}

describe("RaftLog", () => {
  test("isUpToDate compares last terms first, then lengths", () => {
    const log = logOf([1, 2, 3]);
    expect([
      log.isUpToDate(4, 2),
      log.isUpToDate(3, 2),
      log.isUpToDate(2, 4),
      log.isUpToDate(3, 3),
      log.isUpToDate(2, 3),
    ]).toEqual([false, false, true, true, false]);
  });

  test("termAt knows the entry before the first, and nothing before or behind", () => {
    const log = logOf([1, 1, 2, 3], { compactAt: 2 });
    expect([0, 1, 2, 3, 4, 5].map((index) => log.termAt(index))).toEqual([-1, -1, 1, 2, 3, -1]);
    log.restore(mark(9, 4));
    expect([4, 8, 9, 10].map((index) => log.termAt(index))).toEqual([-1, -1, 4, -1]);
    expect(log.firstIndex()).toBe(10);
    log.appendAfterMatch(entriesOf([5], 10));
    expect([9, 10].map((index) => log.termAt(index))).toEqual([4, 5]);
  });

  test("lastAtOrBelowTerm walks over newer terms and stops where the log was compacted", () => {
    const log = logOf([1, 3, 3, 5, 5, 5]);
    expect(log.lastAtOrBelowTerm(6, 5)).toEqual({ index: 6, term: 5 });
    expect(log.lastAtOrBelowTerm(6, 4)).toEqual({ index: 3, term: 3 });
    expect(log.lastAtOrBelowTerm(6, 2)).toEqual({ index: 1, term: 1 });
    expect(log.lastAtOrBelowTerm(6, 0)).toEqual({ index: 0, term: 0 });
    const compacted = logOf([3, 3, 3, 5], { compactAt: 2 });
    expect(compacted.lastAtOrBelowTerm(4, 2)).toEqual({ index: 1, term: 0 });
  });

  test("appendAfterMatch leaves agreeing entries, and what follows them, alone", () => {
    const log = logOf([1, 2, 3]);
    expect(log.appendAfterMatch(entriesOf([1, 2]))).toBe(0);
    expect(log.lastIndex).toBe(3);
    expect(log.appendAfterMatch(entriesOf([2, 4, 4], 2))).toBe(3);
    expect([log.lastIndex, log.lastTerm, log.persisted]).toEqual([4, 4, 2]);
  });

  test("a conflict with what is committed is an assertion", () => {
    const log = logOf([1, 2, 3], { commit: 2 });
    expect(() => log.appendAfterMatch(entriesOf([5], 2))).toThrow("conflicts with the committed 2");
    expect(() => log.commitTo(4)).toThrow("beyond the last index 3");
    expect(log.commitTo(1)).toBe(false);
    expect(log.commit).toBe(2);
  });

  test("entries come from storage and tail as one, cut by size", () => {
    const log = logOf([1, 1, 1]);
    log.appendAfterMatch(entriesOf([1, 1, 1], 4));
    const bytes = ENTRY_OVERHEAD_BYTES + 3;
    const indexes = (start: number, size: number) =>
      log.entriesFrom(start, size).map(({ index }) => index);
    expect(indexes(2, 1e6)).toEqual([2, 3, 4, 5, 6]);
    expect(indexes(2, 3 * bytes)).toEqual([2, 3, 4]);
    expect(indexes(2, 3 * bytes - 1)).toEqual([2, 3]);
    expect(indexes(2, 2 * bytes)).toEqual([2, 3]);
    expect(indexes(5, 1)).toEqual([5]);
    expect(indexes(7, 1e6)).toEqual([]);
  });

  test("an unapplied membership change is found in storage and tail", () => {
    const log = logOf([1, 1]);
    const [change] = entriesOf([1], 3).map((each) => ({ ...each, kind: ENTRY_MEMBERSHIP }));
    log.appendAfterMatch([change!]);
    log.commitTo(2);
    expect(log.hasUnappliedMembershipChange()).toBe(false);
    log.commitTo(3);
    expect(log.hasUnappliedMembershipChange()).toBe(true);
  });
});

describe("MemoryLog", () => {
  test("refuses holes, and compaction no snapshot covers", () => {
    const log = new MemoryLog();
    log.append(entriesOf([1, 1, 1]));
    expect(() => log.append(entriesOf([1], 5))).toThrow("does not join");
    expect(() => log.compact(2)).toThrow("beyond the snapshot");
    log.saveSnapshot(mark(2, 1));
    log.compact(2);
    expect([log.firstIndex(), log.lastIndex(), log.termAt(2)]).toEqual([3, 3, 1]);
    log.compact(1);
    expect(() => log.entries(2, 4, 1)).toThrow("holds 3..3");
    expect(() => log.append(entriesOf([1], 2))).toThrow("does not join");
    log.installSnapshot(mark(9, 2));
    expect([log.firstIndex(), log.lastIndex(), log.termAt(9)]).toEqual([10, 9, 2]);
  });
});

/** The unstable log as a plain list, for comparison. */
class UnstableModel {
  entries: { index: number; term: number }[] = [];
  offset: number;
  handedOut: number;
  /** Last index of each write under way, lowered by truncation. */
  writes: number[] = [];

  constructor(offset: number) {
    this.offset = offset;
    this.handedOut = offset;
  }

  replace(first: number, terms: number[]): void {
    this.entries = this.entries.filter(({ index }) => index < first);
    terms.forEach((term, i) => {
      this.entries.push({ index: first + i, term });
    });
    this.offset = Math.min(this.offset, first);
    this.handedOut = Math.min(this.handedOut, first);
    this.writes = this.writes.map((last) => Math.min(last, first - 1));
  }
}

describe("UnstableLog", () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), term: fc.integer({ min: 1, max: 3 }) }),
    fc.record({
      kind: fc.constant("replace" as const),
      back: fc.nat(12),
      terms: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("persisted" as const) }),
  );

  test("equals its model under appends, overwrites, hand-outs and late reports", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const real = new UnstableLog(5);
        const model = new UnstableModel(5);
        for (const each of operations) {
          const end = model.offset + model.entries.length;
          if (each.kind === "push") {
            real.push({ index: end, term: each.term, kind: 0, data: new Uint8Array(0) });
            model.entries.push({ index: end, term: each.term });
          } else if (each.kind === "replace") {
            const first = Math.max(1, end - each.back);
            real.replaceFrom(entriesOf(each.terms, first));
            model.replace(first, each.terms);
          } else if (each.kind === "take") {
            const taken = real.takeEntries().map(({ index, term }) => ({ index, term }));
            expect(taken).toEqual(model.entries.filter(({ index }) => index >= model.handedOut));
            model.handedOut = end;
            if (taken.length > 0) model.writes.push(end - 1);
          } else {
            const last = model.writes.shift() ?? 0;
            real.persisted(last);
            model.offset = Math.max(model.offset, last + 1);
            model.entries = model.entries.filter(({ index }) => index > last);
          }
          compare(real, model);
        }
      }),
      { numRuns: 500 },
    );
  });

  function compare(real: UnstableLog, model: UnstableModel): void {
    expect([real.offset, real.count]).toEqual([model.offset, model.entries.length]);
    for (const { index, term } of model.entries) expect(real.termAt(index)).toBe(term);
    expect(real.termAt(model.offset - 1)).toBe(-1);
    expect(real.termAt(model.offset + model.entries.length)).toBe(-1);
    if (model.entries.length === 0) return;
    const start = model.offset + (model.entries.length >> 1);
    const end = model.offset + model.entries.length;
    expect(real.entries(start, end, 1e9).map(({ index }) => index)).toEqual(
      model.entries.filter(({ index }) => index >= start).map(({ index }) => index),
    );
  }

  test("long runs of persisted entries are dropped, not kept", () => {
    const real = new UnstableLog(1);
    for (let index = 1; index <= 10_000; index++) {
      real.push({ index, term: 1, kind: 0, data: new Uint8Array(0) });
    }
    real.takeEntries();
    for (let index = 100; index <= 9_900; index += 100) {
      real.persisted(index);
      expect([real.offset, real.count]).toEqual([index + 1, 10_000 - index]);
      expect(real.entries(index + 1, index + 2, 1)[0]!.index).toBe(index + 1);
    }
    expect(() => real.persisted(20_000)).toThrow("was given");
  });

  test("a snapshot takes the place of everything, and is forgotten when it is installed", () => {
    const real = new UnstableLog(5);
    real.push(entriesOf([1], 5)[0]!);
    real.restore(mark(9, 3));
    expect([real.offset, real.count, real.termAt(9), real.termAt(5)]).toEqual([10, 0, 3, -1]);
    expect(real.takeSnapshot()?.index).toBe(9);
    expect(real.takeSnapshot()).toBeNull();
    real.restore(mark(12, 3));
    real.snapshotPersisted(9);
    expect(real.snapshot?.index).toBe(12);
    real.snapshotPersisted(12);
    expect(real.snapshot).toBeNull();
  });
});
