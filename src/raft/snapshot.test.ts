// Snapshots between members: when one is sent, what its fate means, and what a receiver does with
// it.

import { describe, expect, test } from "bun:test";
import type { Message, SnapshotMark } from "./message.ts";
import { TestCluster } from "./testing/test-cluster.ts";
import { configurationOf, entriesOf, TestMember } from "./testing/test-member.ts";
import { accepted, append, heartbeatResponse, ofKind } from "./testing/test-messages.ts";

/**
 * A leader of two whose log starts after entry 5; the other has nothing. Messages are in the test's
 * hand.
 */
function compactedLeader(): TestMember {
  const cluster = TestCluster.of(3);
  const one = cluster.elect(1);
  cluster.isolate(2);
  for (let i = 0; i < 4; i++) one.propose(`${i}`);
  cluster.settle();
  one.compact();
  one.raft.reportUnreachable(2n);
  return one;
}

const rowOf = (one: TestMember, member = 2n) =>
  one.status.progress.find((each) => each.member === member)!;

/** Lets the snapshot leave. */
function needsSnapshot(one: TestMember) {
  return ofKind(one.settle(), "snapshot");
}

describe("sending", () => {
  test("a follower behind the log's first entry is sent a snapshot, and nothing else", () => {
    // Its match is 1, which is compacted away.
    const one = compactedLeader();
    expect(needsSnapshot(one).map(({ to, snapshot }) => [to, snapshot.index])).toEqual([[2n, 5]]);
    expect(rowOf(one)).toMatchObject({ state: "snapshot", next: 6, isPaused: true });
    one.propose("x");
    one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
    expect(ofKind(one.settle(), "append").filter(({ to }) => to === 2n)).toEqual([]);
  });

  test("a success is followed by a probe behind the snapshot, once the follower speaks", () => {
    const one = compactedLeader();
    needsSnapshot(one);
    one.propose("x");
    one.raft.reportSnapshot(2n, true);
    expect(ofKind(one.settle(), "append").filter(({ to }) => to === 2n)).toEqual([]);
    expect(rowOf(one)).toMatchObject({ state: "probe", next: 6, isPaused: true });
    one.raft.step(accepted({ from: 2, term: 1, index: 5 }));
    const sent = ofKind(one.settle(), "append").filter(({ to }) => to === 2n);
    expect(sent).toMatchObject([{ previousIndex: 5 }]);
    expect(rowOf(one).state).toBe("replicate");
  });

  test("a failure is tried again after the next answered heartbeat", () => {
    const one = compactedLeader();
    needsSnapshot(one);
    one.raft.reportSnapshot(2n, false);
    expect(one.settle()).toEqual([]);
    expect(rowOf(one)).toMatchObject({ state: "probe", match: 1, next: 2, isPaused: true });
    one.raft.step(heartbeatResponse({ from: 2, term: 1 }));
    expect(ofKind(one.settle(), "snapshot").length).toBe(1);
  });

  test("snapshot_succeed_via_app_resp: the follower's own answer ends it without a report", () => {
    const one = compactedLeader();
    needsSnapshot(one);
    one.raft.step(accepted({ from: 2, term: 1, index: 5 }));
    expect(rowOf(one)).toMatchObject({ state: "replicate", match: 5, next: 6 });
    one.raft.reportSnapshot(2n, false);
    expect(rowOf(one).state).toBe("replicate");
  });

  test("..._behind: an answer that does not reach the log yet does not end it", () => {
    const one = compactedLeader();
    needsSnapshot(one);
    one.raft.step(accepted({ from: 2, term: 1, index: 3 }));
    expect(rowOf(one)).toMatchObject({ state: "snapshot", match: 3 });
    one.raft.step(accepted({ from: 2, term: 1, index: 4 }));
    // Entry 4 itself is gone, but 5 is the next one needed and it is the snapshot's end: the log is
    // 6 and on.
    expect(rowOf(one).state).toBe("snapshot");
    one.raft.step(accepted({ from: 2, term: 1, index: 5 }));
    expect(rowOf(one).state).toBe("replicate");
  });

  test("nothing is sent to a member that is silent", () => {
    const one = compactedLeader();
    one.tick(11);
    one.raft.step(heartbeatResponse({ from: 3, term: 1 }));
    expect(rowOf(one).recentlyActive).toBe(false);
    one.raft.reportUnreachable(2n);
    expect(ofKind(one.settle(), "snapshot")).toEqual([]);
  });

  test("a state that is not ready yet is asked for again", () => {
    const one = compactedLeader();
    const snapshot = one.log.snapshot.bind(one.log);
    one.log.snapshot = () => null;
    expect(ofKind(one.settle(), "snapshot")).toEqual([]);
    one.log.snapshot = snapshot;
    expect(ofKind(one.settle(), "snapshot").length).toBe(1);
  });

  test("a learner is brought up by a snapshot", () => {
    const cluster = new TestCluster([{ id: 1, voters: [1] }]);
    const leader = cluster.elect(1);
    leader.propose("a");
    leader.proposeChange("add-learner", 2);
    cluster.settle();
    leader.compact();
    const learner = cluster.add({ id: 2, voters: [] });
    cluster.tickAll(2);
    expect(learner.status).toMatchObject({
      applied: 3,
      configuration: configurationOf([1], [2]),
      role: "follower",
    });
    leader.propose("b");
    cluster.settle();
    expect(learner.texts()).toEqual(["b"]);
  });

  test("a follower that fell behind the log comes back by snapshot and log", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    cluster.isolate(3);
    for (let i = 0; i < 20; i++) leader.propose(`${i}`);
    cluster.settle();
    leader.compact(5);
    leader.propose("last");
    cluster.settle();
    cluster.heal();
    cluster.tickAll(3);
    expect(cluster.at(3).status).toMatchObject({ commit: 22, applied: 22 });
    expect(cluster.at(3).texts()).toEqual(["last"]);
    expect(leader.status.progress.every(({ state }) => state === "replicate")).toBe(true);
  });
});

describe("receiving", () => {
  const install = (snapshot: SnapshotMark, term = 2): Message => ({
    kind: "snapshot",
    from: 2n,
    to: 1n,
    term,
    snapshot,
  });
  const mark = (index: number, term: number, voters = [1, 2, 3], learners: number[] = []) => ({
    index,
    term,
    configuration: configurationOf(voters, learners),
  });

  test("takes the place of the log, and brings its members", () => {
    const one = new TestMember({ id: 1, terms: [1, 1] });
    one.raft.step(install(mark(9, 2, [1, 2, 4])));
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 9 }]);
    expect(one.status).toMatchObject({
      commit: 9,
      applied: 9,
      lastIndex: 9,
      persistedIndex: 9,
      configuration: configurationOf([1, 2, 4]),
    });
    one.raft.step(append({ from: 2, term: 2, previous: [9, 2], entries: entriesOf([2], 10) }));
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 10 }]);
  });

  test("an older one is ignored and answered with what is committed", () => {
    const one = new TestMember({
      id: 1,
      terms: [1, 1, 1],
      hardState: { term: 1, vote: 0n, commit: 3 },
    });
    one.settle();
    for (const index of [2, 3]) {
      one.raft.step(install(mark(index, 1)));
      expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 3 }]);
    }
    expect(one.status.lastIndex).toBe(3);
  });

  test("one that the log holds anyway only moves the commit index", () => {
    const one = new TestMember({ id: 1, terms: [1, 1, 2] });
    one.raft.step(install(mark(2, 1)));
    one.settle();
    expect(one.status).toMatchObject({ commit: 2, lastIndex: 3, applied: 2 });
  });

  test("one that does not name this member is taken: the log behind it may add it", () => {
    const one = new TestMember({ id: 1, terms: [1] });
    one.raft.step(install(mark(9, 2, [2, 3])));
    one.settle();
    expect(one.status).toMatchObject({ commit: 9, configuration: configurationOf([2, 3]) });
    one.tick(50);
    expect(one.status.role).toBe("follower");
  });

  test("may make a learner of a voter, and a voter of a learner", () => {
    const voter = new TestMember({ id: 1 });
    voter.raft.step(install(mark(9, 2, [2, 3], [1])));
    voter.settle();
    voter.tick(50);
    expect(voter.status).toMatchObject({ role: "follower", term: 2 });
    const learner = new TestMember({ id: 1, voters: [2], learners: [1] });
    learner.raft.step(install(mark(9, 2, [1, 2])));
    learner.settle();
    learner.tick(50);
    expect(learner.status.role).toBe("pre-candidate");
  });

  test("is answered only when it is installed, and nothing is applied meanwhile", () => {
    const one = new TestMember({ id: 1 });
    one.isDiskSlow = true;
    one.raft.step(install(mark(9, 2)));
    one.raft.step(
      append({ from: 2, term: 2, previous: [9, 2], entries: entriesOf([2, 2], 10), commit: 11 }),
    );
    expect(one.settle()).toEqual([]);
    expect(one.status).toMatchObject({ commit: 11, applied: 0 });
    one.sync();
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 11 }]);
    expect(one.applied.map(({ index }) => index)).toEqual([10, 11]);
  });

  test("a newer one may arrive while an older one is being installed", () => {
    const one = new TestMember({ id: 1 });
    one.isDiskSlow = true;
    one.raft.step(install(mark(9, 2)));
    one.settle();
    one.raft.step(install(mark(20, 2)));
    one.settle();
    one.syncOne();
    expect(one.status).toMatchObject({ applied: 9, commit: 20 });
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 9 }]);
    one.syncOne();
    expect(one.status).toMatchObject({ applied: 20, persistedIndex: 20 });
  });

  test("a report of application that it overtook does no harm", () => {
    const one = new TestMember({ id: 1, terms: [1, 1] });
    one.isApplySlow = true;
    one.raft.step(append({ from: 2, term: 2, previous: [2, 1], commit: 2 }));
    one.settle();
    one.raft.step(install(mark(9, 2)));
    one.settle();
    one.raft.applied(2);
    expect(one.status.applied).toBe(9);
  });
});
