// What leaves with a snapshot is of one moment, transfers are bounded, and raft hears of every end once.
import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { utf8 } from "../base/bytes.ts";
import { encodeMember } from "../cluster/index.ts";
import { type Database, DatabaseImage } from "../database/index.ts";
import type { SnapshotMessage, SnapshotSource } from "../peer/index.ts";
import { SnapshotSender } from "./snapshot-sender.ts";
import { openTestDatabase, pass } from "./testing/stand-ins.ts";
import { readAll } from "./testing/state-bench.ts";

interface Sending {
  readonly message: SnapshotMessage;
  readonly source: SnapshotSource;
  readonly done: (arrived: boolean) => void;
}

class Bench {
  readonly disk = new FaultDisk();
  readonly database: Database = openTestDatabase(this.disk);
  readonly clock = new SimClock();
  readonly sending: Sending[] = [];
  readonly reports: string[] = [];
  readonly sender = new SnapshotSender({
    database: this.database,
    commit: (done) => this.database.commit(done),
    transport: {
      sendSnapshot: (message, source, done) => this.sending.push({ message, source, done }),
    },
    clock: this.clock,
    report: (member, arrived) => this.reports.push(`${member} ${arrived}`),
  });

  member(id: bigint, isLearner = false): void {
    const member = { id, peerUrls: [], name: "", clientUrls: [], isLearner };
    this.database.put("members", utf8(`${id}`), utf8(encodeMember(member)));
  }

  applied(index: number, term: number): void {
    this.database.setConsistentIndex(index, term);
  }

  /** Raft wants a member to be sent what it knows of: an older mark, with the members of now. */
  ask(to: bigint): void {
    const snapshot = { index: 3, term: 1, configuration: { voters: [1n], learners: [] } };
    this.sender.send({ kind: "snapshot", from: 1n, to, term: 8, snapshot });
  }
}

test("SnapshotSender sends a mark that the file itself confirms, whatever is applied meanwhile", () => {
  const bench = new Bench();
  bench.member(2n);
  bench.member(1n);
  bench.member(5n, true);
  bench.applied(20, 4);
  bench.ask(2n);
  bench.member(9n);
  bench.applied(21, 4);
  bench.database.commitNow();
  const [{ message, source, done }] = bench.sending as [Sending];
  expect(message).toMatchObject({ kind: "snapshot", from: 1n, to: 2n, term: 8 });
  const configuration = { voters: [1n, 2n], learners: [5n] };
  expect(message.snapshot).toEqual({ index: 20, term: 4, configuration });
  const bytes = readAll(source);
  const copy = bench.disk.open("copy", { create: true });
  copy.writeAt(bytes, 0, bytes.length, 0);
  copy.close();
  const image = DatabaseImage.open(bench.disk, "copy") as DatabaseImage;
  expect([image.consistentIndex, image.consistentTerm]).toEqual([20, 4]);
  while (!image.checkStep(1000));
  expect(image.problems).toEqual([]);
  image.close();
  done(true);
  expect(bench.reports).toEqual(["2 true"]);
  expect(bench.database.openReadTransactions()).toBe(0);
});

test("SnapshotSender sends two at a time; a third waits for the end of one", () => {
  const bench = new Bench();
  bench.applied(5, 1);
  for (const to of [2n, 3n, 4n]) bench.ask(to);
  bench.ask(2n); // raft forgot that it asked
  expect(bench.sending.map(({ message }) => message.to)).toEqual([2n, 3n]);
  bench.applied(9, 1);
  bench.sending[1]!.done(true);
  expect(bench.sending.map(({ message }) => message.to)).toEqual([2n, 3n, 4n]);
  expect(bench.sending[2]!.message.snapshot.index).toBe(9);
  bench.sending[0]!.done(true);
  bench.sending[2]!.done(true);
  expect(bench.reports).toEqual(["3 true", "2 true", "4 true"]);
});

test("SnapshotSender reports a failure after a pause, and can be asked again", () => {
  const bench = new Bench();
  bench.applied(5, 1);
  bench.ask(2n);
  bench.sending[0]!.done(false);
  bench.ask(2n);
  expect([bench.reports, bench.sending.length]).toEqual([[], 1]);
  pass(bench.clock, 500);
  expect(bench.reports).toEqual(["2 false"]);
  expect(bench.sender.neededAfter()).toBe(Number.POSITIVE_INFINITY);
  bench.ask(2n);
  expect(bench.sending.length).toBe(2);
});

test("SnapshotSender names what the log must keep, until the follower had time to begin with it", () => {
  const bench = new Bench();
  bench.applied(5, 1);
  bench.ask(2n);
  bench.applied(8, 1);
  bench.ask(3n);
  expect(bench.sender.neededAfter()).toBe(5);
  bench.sending[0]!.done(true);
  pass(bench.clock, 29_000);
  expect(bench.sender.neededAfter()).toBe(5);
  pass(bench.clock, 1000);
  expect(bench.sender.neededAfter()).toBe(8);
});

test("SnapshotSender lets go of the database when the member stops", () => {
  const bench = new Bench();
  bench.applied(5, 1);
  for (const to of [2n, 3n]) bench.ask(to);
  expect(bench.database.openReadTransactions()).toBe(2);
  bench.sender.stop();
  expect(bench.database.openReadTransactions()).toBe(0);
  bench.sending[0]!.source.close(); // the transport's own end does no harm
  bench.sending[0]!.done(false);
  expect(bench.reports).toEqual([]);
  bench.database.close();
});
