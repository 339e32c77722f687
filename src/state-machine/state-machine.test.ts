// The state machine is a function of its log: whatever is lost and replayed, and whenever compactions are swept, the
// state and every answer are the same as of a machine that was never interrupted (incidents 1, 3, 5 and 6).
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk, PowerCut } from "../../test/disk/fault-disk.ts";
import { SeededRandom } from "../../test/disk/seeded-random.ts";
import {
  decodePutRequest,
  decodeTxnRequest,
  encodeLeaseGrantRequest,
  encodeLeaseRevokeRequest,
  encodePutRequest,
  encodeTxnRequest,
  ProtoWriter,
  type TxnRequestInit,
} from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { CommandKind } from "./command.ts";
import { checkTxn } from "./request-checks.ts";
import type { LogEntry } from "./state-machine.ts";
import { commandOf, MachineBench } from "./testing/machine-bench.ts";
import { entriesOf, logEntries } from "./testing/random-commands.ts";

function isAllowed(request: TxnRequestInit): boolean {
  const writer = new ProtoWriter(256);
  encodeTxnRequest(writer, request);
  return checkTxn(decodeTxnRequest(writer.finish()), 128) === null;
}

/** Applies the whole log without a break. */
function straight(entries: readonly LogEntry[]): { state: string[]; replies: Map<number, string> } {
  const bench = new MachineBench(new FaultDisk());
  for (const entry of entries) bench.apply(entry);
  bench.settle();
  return { state: bench.state(), replies: bench.replies };
}

/** The same on a disk that loses power, with commits, sweeps and restarts at random moments. */
class Interrupted {
  readonly disk = new FaultDisk();
  readonly random: SeededRandom;
  readonly bench: MachineBench;
  readonly entries: readonly LogEntry[];
  next = 0;
  crashes = 0;

  constructor(entries: readonly LogEntry[], seed: number) {
    this.entries = entries;
    this.random = new SeededRandom(seed);
    this.bench = new MachineBench(this.disk);
    this.disk.syncMode = "step";
  }

  run(): void {
    while (this.next < this.entries.length) {
      try {
        if (this.random.chance(0.05)) this.powerGoesSoon();
        this.step();
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        this.restart();
      }
    }
    this.disk.crashAfter = Number.POSITIVE_INFINITY;
    this.disk.syncMode = "immediate";
    this.settle();
    this.bench.settle();
  }

  step(): void {
    const { bench, disk, random } = this;
    const choice = random.below(10);
    if (choice < 5) bench.apply(this.entries[this.next++]!);
    else if (choice < 6) bench.database.commit();
    else if (choice < 8) disk.step();
    else if (choice < 9) this.sweep();
    else if (random.chance(0.3)) this.restart();
  }

  /** Rows are swept out of the tree, so they must be in it. */
  sweep(): void {
    const { store } = this.bench;
    if (!store.isCompacting()) return;
    this.settle();
    store.compactionStep(1 + this.random.below(5));
  }

  settle(): void {
    const { database } = this.bench;
    while (database.isCommitting()) this.disk.step();
    database.commit();
    while (database.isCommitting()) this.disk.step();
  }

  powerGoesSoon(): void {
    this.disk.crashAfter = this.disk.operationCount + this.random.below(8);
  }

  /** The log has everything; the database what it had made durable. */
  restart(): void {
    this.crashes++;
    this.disk.crash(this.random.below(2 ** 31));
    this.bench.open();
    const applied = this.bench.machine.appliedIndex();
    expect(applied).toBeLessThanOrEqual(this.next);
    this.next = applied;
    // Entries at or before the applied index are skipped, not refused: a log may begin before it.
    for (const entry of this.entries.slice(Math.max(0, applied - 2), applied)) {
      this.bench.apply(entry);
    }
  }
}

test("StateMachine: a log gives one state, whatever was lost and replayed", () => {
  let crashes = 0;
  const logs = fc.array(logEntries(isAllowed), { minLength: 5, maxLength: 50 });
  fc.assert(
    fc.property(logs, fc.nat(), (makers, seed) => {
      const entries = entriesOf(makers);
      const expected = straight(entries);
      const interrupted = new Interrupted(entries, seed);
      interrupted.run();
      crashes += interrupted.crashes;
      expect(interrupted.bench.state()).toEqual(expected.state);
      expect(interrupted.bench.replies).toEqual(expected.replies);
      // And once more from the disk: nothing that counts was only in memory.
      interrupted.bench.open();
      expect(interrupted.bench.state()).toEqual(expected.state);
    }),
    { numRuns: Number(process.env.CAIRN_RUNS ?? 150) },
  );
  expect(crashes).toBeGreaterThan(50);
});

test("StateMachine answers alike whoever proposed (incident 18667)", () => {
  const logs = fc.array(logEntries(isAllowed), { minLength: 5, maxLength: 40 });
  fc.assert(
    fc.property(logs, (makers) => {
      const withWaiters = straight(entriesOf(makers));
      const quiet = new MachineBench(new FaultDisk());
      for (const entry of entriesOf(makers)) {
        quiet.machine.apply(
          entry,
          5,
          () => {},
          () => {},
        );
      }
      quiet.settle();
      expect(quiet.state()).toEqual(withWaiters.state);
    }),
    { numRuns: 50 },
  );
});

function bench(): { bench: MachineBench; apply: (data: Uint8Array, kind?: number) => string } {
  const bench = new MachineBench(new FaultDisk());
  let index = 0;
  const apply = (data: Uint8Array, kind = 0) => {
    bench.apply({ term: 1, index: index + 1, kind, data });
    return bench.replies.get(++index) ?? "";
  };
  return { bench, apply };
}

const put = (key: string, lease = 0n) =>
  commandOf(CommandKind.put, 1, encodePutRequest, { key: utf8(key), value: utf8("v"), lease });

test("StateMachine moves the applied index with every entry, also with those that change nothing", () => {
  const { bench: tested, apply } = bench();
  const refused = apply(put("a", 99n));
  expect(refused).toContain("requested lease not found");
  apply(new Uint8Array(0));
  apply(commandOf(CommandKind.leaseGrant, 1, encodeLeaseGrantRequest, { ID: 1n, TTL: 9e9 + 1 }));
  expect(tested.machine.appliedIndex()).toBe(3);
  tested.database.commitNow();
  tested.open();
  expect(tested.machine.appliedIndex()).toBe(3);
  expect(tested.machine.appliedTerm()).toBe(1);
  expect(tested.store.revision()).toBe(1);
});

test("StateMachine refuses a log with a gap, and one that it cannot understand", () => {
  const { bench: tested, apply } = bench();
  apply(put("a"));
  const entry = { term: 1, kind: 0, data: put("b") };
  expect(() => tested.apply({ ...entry, index: 3 })).toThrow("does not follow");
  expect(() => apply(commandOf(99, 1, encodePutRequest, {}))).toThrow("unknown kind 99");
  expect(() => apply(new Uint8Array([1, 2, 3]))).toThrow("holds no command");
});

test("StateMachine deletes a lease's keys in one revision, and only those that still have it", () => {
  const { bench: tested, apply } = bench();
  apply(commandOf(CommandKind.leaseGrant, 1, encodeLeaseGrantRequest, { ID: 5n, TTL: 60 }));
  for (const key of ["c", "a", "b"]) apply(put(key, 5n));
  apply(put("b"));
  apply(commandOf(CommandKind.leaseRevoke, 1, encodeLeaseRevokeRequest, { ID: 5n }));
  expect(tested.store.revision()).toBe(6);
  expect(tested.records(6).length).toBe(1);
  expect(tested.lessor.count()).toBe(0);
});

test("a command's request survives the log byte for byte", () => {
  const writer = new ProtoWriter(64);
  encodePutRequest(writer, { key: utf8("k"), value: new Uint8Array([0, 255]), lease: -1n });
  const decoded = decodePutRequest(writer.finish());
  expect(decoded.lease).toBe(-1n);
  expect([...decoded.value]).toEqual([0, 255]);
});
