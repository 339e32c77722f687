// A member of three goes on alone: what it keeps, and who is left in its log.
import { expect, test } from "bun:test";
import type { FaultDisk } from "../../test/disk/fault-disk.ts";
import type { SimClock } from "../../test/simulation/sim-clock.ts";
import { type Member, Membership } from "../cluster/index.ts";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP, type Entry } from "../raft/index.ts";
import {
  decodeMembershipEntry,
  encodeMembershipEntry,
  type MemberChange,
} from "../state-machine/index.ts";
import { WriteAheadLog } from "../wal/index.ts";
import { bootstrap } from "./bootstrap.ts";
import { StartProblem } from "./start-problem.ts";
import { newWorld, type RecordingLogger, testMemberOptions } from "./testing/stand-ins.ts";

const SELF = 2n;
const DIRECTORY = "/data/member/wal";

function memberOf(id: bigint, isLearner = false): Member {
  return { id, peerUrls: [`http://m${id}:1`], name: "", clientUrls: [], isLearner };
}

function change(index: number, kind: MemberChange, member: Member): Entry {
  const numbers = { learnersMax: 1, origin: 0, requestId: 0 };
  const data = encodeMembershipEntry({ change: kind, member, ...numbers });
  return { term: 3, index, kind: ENTRY_MEMBERSHIP, data };
}

function command(index: number): Entry {
  return { term: 3, index, kind: ENTRY_COMMAND, data: new Uint8Array([index]) };
}

/** A disk on which the database holds `members` as of index 5, and the log more entries. */
function survivor(members: readonly Member[], after: readonly Entry[], commit: number) {
  const { disk, clock } = newWorld();
  const first = bootstrap(testMemberOptions(disk, clock));
  const { database } = first;
  const membership = new Membership(database);
  for (const member of members) membership.add(member);
  database.setConsistentIndex(5, 3);
  database.commitNow();
  database.close();
  first.wal.close();
  for (const name of disk.list(DIRECTORY)) disk.remove(`${DIRECTORY}/${name}`);
  disk.remove(DIRECTORY);
  const log = WriteAheadLog.create(
    { disk, directory: DIRECTORY },
    { memberId: SELF, clusterId: 9n },
    {
      entries: [1, 2, 3, 4, 5].map(command).concat(after),
      hardState: { term: 4, vote: 3n, commit },
    },
  );
  log.close();
  return { disk, clock };
}

function force(disk: FaultDisk, clock: SimClock) {
  const options = testMemberOptions(disk, clock, { forceNewCluster: true });
  const started = bootstrap(options);
  started.database.close();
  started.wal.close();
  return { ...started, logger: options.logger as RecordingLogger };
}

function changesOf(entries: readonly Entry[]): (string | number | bigint)[][] {
  return entries
    .filter((entry) => entry.kind === ENTRY_MEMBERSHIP)
    .map(({ index, term, data }) => {
      const { change, member } = decodeMembershipEntry(data)!;
      return [index, term, change, member.id];
    });
}

test("a forced new cluster keeps its whole log and removes the others", () => {
  const members = [memberOf(1n), memberOf(SELF), memberOf(3n)];
  const { disk, clock } = survivor(members, [command(6), command(7), command(8)], 6);
  const started = force(disk, clock);
  expect(started.hardState).toEqual({ term: 4, vote: 3n, commit: 10 });
  expect(started.entries.slice(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map(command));
  expect(changesOf(started.entries)).toEqual([
    [9, 4, "remove", 1n],
    [10, 4, "remove", 3n],
  ]);
  expect([started.memberId, started.clusterId]).toEqual([SELF, 9n]);
  const kept = started.logger.lines.find(({ message }) => message.startsWith("keeping"));
  expect(kept?.fields).toEqual({
    "entry-index": 7,
    "commit-index-from-wal": 6,
    "number-of-kept-entries": 2,
  });
  expect(started.logger.messages()).toContain("forcing restart member");
});

test("a forced new cluster is durable before it starts, and the same when it is forced again", () => {
  const members = [memberOf(1n), memberOf(SELF), memberOf(3n)];
  const { disk, clock } = survivor(members, [command(6)], 6);
  const first = force(disk, clock);
  disk.crash(1);
  const again = bootstrap(testMemberOptions(disk, clock));
  expect(again.entries).toEqual(first.entries);
  expect(again.hardState).toEqual(first.hardState);
  again.database.close();
  again.wal.close();
  const twice = force(disk, clock);
  expect(twice.entries).toEqual(first.entries);
});

test("a forced new cluster counts the membership changes of its whole log", () => {
  const members = [memberOf(1n), memberOf(SELF)];
  const after = [
    change(6, "remove", memberOf(1n)),
    change(7, "add-learner", memberOf(4n, true)),
    change(8, "add-voter", memberOf(5n)),
  ];
  const { disk, clock } = survivor(members, after, 7);
  expect(changesOf(force(disk, clock).entries.slice(8))).toEqual([
    [9, 4, "remove", 4n],
    [10, 4, "remove", 5n],
  ]);
});

test("a forced new cluster outlives its own removal that was under way", () => {
  const members = [memberOf(1n), memberOf(SELF), memberOf(3n)];
  const after = [command(6), change(7, "remove", memberOf(SELF)), command(8)];
  const pending = survivor(members, after, 6);
  const { entries, hardState } = force(pending.disk, pending.clock);
  expect(hardState.commit).toBe(10);
  expect(entries.slice(5, 8)).toEqual([
    command(6),
    { ...command(7), data: new Uint8Array(0) },
    command(8),
  ]);
  expect(changesOf(entries)).toEqual([
    [9, 4, "remove", 1n],
    [10, 4, "remove", 3n],
  ]);
  const committed = survivor(members, after, 7);
  expect(() => force(committed.disk, committed.clock)).toThrow("permanently removed");
});

test("a forced new cluster removes a last voter that an entry could not", () => {
  const members = [memberOf(1n), memberOf(SELF, true)];
  const { disk, clock } = survivor(members, [change(6, "remove", memberOf(1n))], 6);
  expect(changesOf(force(disk, clock).entries.slice(6))).toEqual([
    [7, 4, "promote", SELF],
    [8, 4, "remove", 1n],
  ]);
});

test("a forced new cluster makes a voter of a learner, and adds itself where it is not known yet", () => {
  const learner = survivor([memberOf(1n), memberOf(SELF, true)], [], 5);
  expect(changesOf(force(learner.disk, learner.clock).entries)).toEqual([
    [6, 4, "promote", SELF],
    [7, 4, "remove", 1n],
  ]);
  const unknown = survivor([memberOf(1n)], [], 5);
  expect(changesOf(force(unknown.disk, unknown.clock).entries)).toEqual([
    [6, 4, "add-voter", SELF],
    [7, 4, "remove", 1n],
  ]);
});

test("a forced new cluster commits what the database holds already", () => {
  const { disk, clock } = survivor([memberOf(1n), memberOf(SELF)], [], 2);
  const started = force(disk, clock);
  expect(started.hardState.commit).toBe(6);
  expect(changesOf(started.entries)).toEqual([[6, 4, "remove", 1n]]);
});

test("a member that was removed does not start, forced or not", () => {
  const { disk, clock } = survivor([memberOf(1n), memberOf(SELF)], [], 5);
  const { database, wal } = bootstrap(testMemberOptions(disk, clock));
  new Membership(database).remove(SELF);
  database.commitNow();
  database.close();
  wal.close();
  for (const forceNewCluster of [false, true]) {
    expect(() => bootstrap(testMemberOptions(disk, clock, { forceNewCluster }))).toThrow(
      "member 2 has been permanently removed from the cluster",
    );
  }
});

test("a joiner without any state cannot be made a cluster of", () => {
  const { disk, clock } = newWorld();
  const remote = { ...memberOf(7n), peerUrls: ["http://localhost:2380"] };
  const other = memberOf(8n);
  const options = testMemberOptions(disk, clock, {
    initialClusterState: "existing",
    initialCluster: "one=http://localhost:2380,two=http://m8:1",
    remoteCluster: { clusterId: 9n, members: [remote, other] },
  });
  const joined = bootstrap(options);
  joined.database.close();
  joined.wal.close();
  expect(() => force(disk, clock)).toThrow(StartProblem);
  // It still knows whom it was told of.
  const again = bootstrap(testMemberOptions(disk, clock));
  expect(again.memberId).toBe(7n);
  expect(again.remotes).toEqual([{ id: 8n, peerUrls: ["http://m8:1"] }]);
});
