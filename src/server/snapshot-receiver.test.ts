// What arrives is taken only whole, sound and as announced; whatever goes wrong ends the transfer and nothing else.
import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { SeededRandom } from "../../test/disk/seeded-random.ts";
import type { SnapshotMessage, SnapshotSink } from "../peer/index.ts";
import { RandomEntries } from "./testing/random-entries.ts";
import { type SentSnapshot, StateBench } from "./testing/state-bench.ts";

const SNAPSHOTS = "/data/member/snap";

function newBench(): StateBench {
  const disk = new FaultDisk();
  disk.makeDirectory("/data");
  return new StateBench(disk);
}

function sentBy(entries: number): SentSnapshot {
  const leader = newBench();
  for (const entry of new RandomEntries(new SeededRandom(3), 2).take(entries)) leader.apply(entry);
  return leader.send();
}

function begin(bench: StateBench, sent: SentSnapshot, id = "1"): SnapshotSink | null {
  const { message, bytes } = sent;
  return bench.receiver.begin({ id, message, sizeBytes: bytes.length });
}

/** Sends all of it and tells whether it was accepted. */
function receive(bench: StateBench, sent: SentSnapshot, id = "1"): boolean | null {
  const answer = bench.receive(sent, id);
  bench.settle();
  return answer.accepted;
}

function files(bench: StateBench): string[] {
  return bench.disk.list(SNAPSHOTS);
}

test("SnapshotReceiver keeps the file under its index and tells raft, which may not want it", () => {
  for (const isTaken of [true, false]) {
    const bench = newBench();
    const sent = sentBy(20);
    const told: SnapshotMessage[] = [];
    bench.deliver = (message) => {
      expect(files(bench)).toEqual(["0000000000000015.snap.db", "db"]);
      told.push(message);
      return isTaken;
    };
    expect(receive(bench, sent)).toBe(true);
    expect(told).toEqual([sent.message]);
    expect(files(bench)).toEqual(isTaken ? ["0000000000000015.snap.db", "db"] : ["db"]);
    expect(bench.files.isTaken(21)).toBe(isTaken);
  }
});

test("SnapshotReceiver goes on where a broken connection left off, under the same id only", () => {
  const bench = newBench();
  const sent = sentBy(30);
  const { bytes } = sent;
  const first = begin(bench, sent)!;
  first.write(bytes.subarray(0, 10_000));
  first.suspend();
  first.write(bytes.subarray(0, 10)); // comes too late
  const second = begin(bench, sent)!;
  expect(second.receivedBytes).toBe(10_000);
  expect(receive(bench, sent)).toBe(true);

  const other = newBench();
  begin(other, sent)!.write(bytes.subarray(0, 10_000));
  // The same sender begins anew: the old one is dead, whether or not that was noticed.
  expect(begin(other, sent, "2")!.receivedBytes).toBe(0);
  expect(receive(other, sent, "2")).toBe(true);
});

test("SnapshotReceiver takes one at a time; a newer leader goes first", () => {
  const bench = newBench();
  const sent = sentBy(20);
  begin(bench, sent)!.write(sent.bytes.subarray(0, 100));
  const from = (member: bigint, term: number): SentSnapshot => ({
    ...sent,
    message: { ...sent.message, from: member, term },
  });
  const { term } = sent.message;
  expect(begin(bench, from(8n, term), "2")).toBeNull();
  expect(receive(bench, from(8n, term + 1), "2")).toBe(true);
});

test("SnapshotReceiver refuses what raft has already, and lets raft answer", () => {
  const bench = newBench();
  const sent = sentBy(20);
  for (const entry of new RandomEntries(new SeededRandom(3), 2).take(25)) bench.apply(entry);
  const told: SnapshotMessage[] = [];
  bench.deliver = (message) => {
    told.push(message);
    return false;
  };
  expect(begin(bench, sent)).toBeNull();
  expect(told).toEqual([]);
  bench.settle();
  expect(told).toEqual([sent.message]);
});

test("SnapshotReceiver refuses before the disk is full, and what the log needs stays free", () => {
  const bench = newBench();
  const sent = sentBy(20);
  bench.disk.capacityBytes = bench.disk.usedBytes() + sent.bytes.length + (1 << 20) - 1;
  expect(begin(bench, sent)).toBeNull();
  expect(files(bench)).toEqual(["db"]);
  bench.disk.capacityBytes++;
  expect(receive(bench, sent)).toBe(true);
});

test("SnapshotReceiver gives up when the disk fails, and the member goes on", () => {
  const faults = [
    ["write", ".part", 1],
    ["sync", ".part", 0],
    ["rename", ".part", 0],
    ["sync-directory", SNAPSHOTS, 0],
    ["read", ".part", 3],
  ] as const;
  for (const [operation, pathIncludes, skip] of faults) {
    const bench = newBench();
    const sent = sentBy(20);
    bench.deliver = () => {
      throw new Error("raft hears of it");
    };
    bench.disk.inject({ operation, pathIncludes, skip, effect: { kind: "fail", code: "EIO" } });
    expect([operation, receive(bench, sent)]).toEqual([operation, false]);
    expect([operation, files(bench)]).toEqual([operation, ["db"]]);
    // The next attempt finds nothing in its way.
    bench.deliver = () => true;
    expect(receive(bench, sent, "2")).toBe(true);
  }
});

test("SnapshotReceiver does not accept damage, or another state than was announced", () => {
  const sent = sentBy(40);
  const { message } = sent;
  const refused = (change: Partial<SentSnapshot>): void => {
    const bench = newBench();
    bench.deliver = () => {
      throw new Error("raft hears of it");
    };
    expect(receive(bench, { ...sent, ...change })).toBe(false);
    expect(files(bench)).toEqual(["db"]);
  };
  refused({ bytes: sent.bytes.subarray(0, 8192) });
  refused({ bytes: new Uint8Array(20_000).fill(7) });
  const { snapshot } = message;
  refused({ message: { ...message, snapshot: { ...snapshot, index: snapshot.index + 1 } } });
  refused({ message: { ...message, snapshot: { ...snapshot, term: 77 } } });
  const configuration = { voters: [77n], learners: [] };
  refused({ message: { ...message, snapshot: { ...snapshot, configuration } } });
  // A tree whose pages do not hang together: each page in turn is overwritten with another one's bytes.
  let damaged = 0;
  for (let page = 2; page < sent.bytes.length / 4096; page++) {
    const bytes = sent.bytes.slice();
    bytes.copyWithin(page * 4096, 4096, 8192);
    const bench = newBench();
    if (receive(bench, { ...sent, bytes }) === false) damaged++;
  }
  expect(damaged).toBeGreaterThan(1);
});

test("SnapshotReceiver says no when the end is missing or too much comes", () => {
  const sent = sentBy(20);
  for (const length of [sent.bytes.length - 1, sent.bytes.length + 1]) {
    const bench = newBench();
    const sink = begin(bench, sent)!;
    const bytes = new Uint8Array(length);
    bytes.set(sent.bytes.subarray(0, length));
    sink.write(bytes);
    let accepted: boolean | null = null;
    sink.finish((answer) => {
      accepted = answer;
    });
    bench.settle();
    expect(accepted as boolean | null).toBe(false);
  }
});

test("SnapshotReceiver leaves nothing behind when the member stops, at any moment", () => {
  const sent = sentBy(20);
  for (let turns = 0; turns < 12; turns++) {
    const bench = newBench();
    bench.disk.syncMode = "step";
    bench.receive(sent);
    for (let i = 0; i < turns; i++) {
      if (!bench.clock.runNext(bench.clock.monotonicMs())) bench.disk.step();
    }
    bench.receiver.stop();
    bench.settle();
    const taken = bench.files.isTaken(21) ? ["0000000000000015.snap.db"] : [];
    expect(files(bench)).toEqual([...taken, "db"]);
    expect(begin(bench, sent, "2")).toBeNull();
  }
});
