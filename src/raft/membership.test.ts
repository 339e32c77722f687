// Changes of the members: one at a time, when they take effect, what a leader does with them.

import { describe, expect, test } from "bun:test";
import { canonical, changed, isMember, type MembershipChange, membersOf } from "./conf-change.ts";
import { TestCluster } from "./testing/test-cluster.ts";
import { configurationOf, encodeChange, TestMember } from "./testing/test-member.ts";
import {
  accepted,
  append,
  heartbeatResponse,
  ofKind,
  voteResponse,
} from "./testing/test-messages.ts";

const change = (kind: MembershipChange["kind"], member: number): MembershipChange => ({
  kind,
  member: BigInt(member),
});

describe("changed", () => {
  test("adds, promotes, demotes, removes, and keeps both lists in order", () => {
    const start = configurationOf([2, 5], [7]);
    const cases: [MembershipChange, number[], number[]][] = [
      [change("add-voter", 3), [2, 3, 5], [7]],
      [change("add-voter", 7), [2, 5, 7], []],
      [change("add-learner", 1), [2, 5], [1, 7]],
      [change("add-learner", 5), [2], [5, 7]],
      [change("remove", 5), [2], [7]],
      [change("remove", 7), [2, 5], []],
      [change("update", 2), [2, 5], [7]],
    ];
    for (const [each, voters, learners] of cases) {
      expect(changed(start, each)).toEqual(configurationOf(voters, learners));
    }
  });

  test("is idempotent", () => {
    const start = configurationOf([2, 5], [7]);
    for (const each of [
      change("add-voter", 5),
      change("add-learner", 7),
      change("remove", 9),
      change("update", 9),
    ]) {
      expect(changed(start, each)).toEqual(start);
    }
  });

  test("refuses to lose the last voter, and a change of nobody", () => {
    const start = configurationOf([2], [7]);
    expect(changed(start, change("remove", 2))).toBe("last-voter");
    expect(changed(start, change("add-learner", 2))).toBe("last-voter");
    expect(changed(start, change("add-voter", 0))).toBe("no-member-named");
  });

  test("canonical refuses a member listed twice or named zero", () => {
    expect(() => canonical(configurationOf([1, 2], [2]))).toThrow("twice");
    expect(() => canonical(configurationOf([0, 2]))).toThrow("member 0");
    expect(membersOf(canonical(configurationOf([5, 1], [3])))).toEqual([1n, 3n, 5n]);
    expect(isMember(configurationOf([5], [3]), 4n)).toBe(false);
  });
});

describe("one at a time", () => {
  test("a second change is refused until the first is applied", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.isApplySlow = true;
    expect(leader.proposeChange("add-learner", 4)).toBe(2);
    expect(leader.proposeChange("add-learner", 5)).toBe("membership-change-pending");
    cluster.settle();
    expect(leader.status.commit).toBe(2);
    expect(leader.proposeChange("add-learner", 5)).toBe("membership-change-pending");
    leader.raft.applied(2);
    expect(leader.proposeChange("remove", 4)).toBe(3);
  });

  test("a forwarded second change is dropped", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    for (const member of [4, 5]) cluster.at(2).proposeChange("add-learner", member);
    cluster.settle();
    expect(leader.status.configuration.learners).toEqual([4n]);
    expect(leader.status.lastIndex).toBe(2);
  });

  test("a new leader waits until everything it found in its log is applied", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("add-learner", 4);
    leader.settle();
    const old = leader.status.lastIndex;
    // 2 has the change in its log and does not know whether it is committed.
    const entries = leader.log.entries(1, old + 1, 1e6);
    const next = new TestMember({ id: 2, preVote: false });
    next.raft.step(append({ from: 1, to: 2, term: 1, entries }));
    next.settle();
    next.raft.campaign();
    next.settle();
    next.raft.step(voteResponse({ from: 3, to: 2, term: 2, granted: true }));
    next.settle();
    expect(next.status.role).toBe("leader");
    expect(next.proposeChange("add-learner", 5)).toBe("membership-change-pending");
    next.raft.step(accepted({ from: 3, to: 2, term: 2, index: old + 1 }));
    next.settle();
    expect(next.status.configuration.learners).toEqual([4n]);
    expect(typeof next.proposeChange("add-learner", 5)).toBe("number");
  });

  test("no change before an entry of the leader's own term is committed", () => {
    const one = new TestMember({
      id: 1,
      preVote: false,
      terms: [1],
      hardState: { term: 1, vote: 0n, commit: 1 },
    });
    one.settle();
    one.raft.campaign();
    one.settle();
    one.raft.step(voteResponse({ from: 2, term: 2, granted: true }));
    one.settle();
    expect(one.status).toMatchObject({ role: "leader", applied: 1, commit: 1 });
    expect(one.proposeChange("add-learner", 4)).toBe("no-commit-in-term");
    one.raft.step(accepted({ from: 2, term: 2, index: 2 }));
    one.settle();
    expect(one.proposeChange("add-learner", 4)).toBe(3);
  });

  test("nobody campaigns while a committed change is not applied", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.proposeChange("add-voter", 4);
    leader.settle();
    const entries = leader.log.entries(1, 3, 1e6);
    const one = new TestMember({ id: 2 });
    one.isApplySlow = true;
    one.raft.step(append({ from: 1, to: 2, term: 1, entries, commit: 2 }));
    one.settle();
    one.tick(40);
    expect(one.raft.campaign()).toBe("membership-change-pending");
    one.raft.step({ kind: "timeout-now", from: 1n, to: 2n, term: 1 });
    expect(one.status).toMatchObject({ role: "follower", term: 1 });
    one.raft.applied(2);
    expect(one.raft.campaign()).toBeNull();
  });

  test("changes that make no sense are refused where they are proposed", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.raft.campaign();
    one.settle();
    expect(one.proposeChange("remove", 1)).toBe("last-voter");
    expect(one.proposeChange("add-voter", 0)).toBe("no-member-named");
    expect(one.status.lastIndex).toBe(1);
  });

  test("a senseless change that got into the log alters nothing when it is applied", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.raft.campaign();
    one.settle();
    one.raft.propose(1, encodeChange(change("remove", 1)));
    one.settle();
    expect(one.status).toMatchObject({ applied: 2, configuration: configurationOf([1]) });
    expect(one.status.role).toBe("leader");
  });
});

describe("taking effect", () => {
  test("a change counts when it is applied, not when it is appended", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.proposeChange("add-voter", 4);
    leader.settle();
    expect(leader.status.configuration.voters.length).toBe(3);
    leader.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    leader.settle();
    expect(leader.status.configuration.voters.length).toBe(4);
  });

  test("applyMembershipChange asserts that the entry is being applied", () => {
    const one = new TestMember({ id: 1 });
    expect(() => one.raft.applyMembershipChange(1, null)).toThrow("being applied");
  });

  test("a change the state machine refused alters nothing", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.raft.propose(1, encodeChange(change("add-voter", 4)));
    leader.isApplySlow = true;
    cluster.settle();
    expect(leader.raft.applyMembershipChange(2, null)).toEqual(leader.status.configuration);
  });

  test("a new member is probed from the end of the log, and counts as active at first", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    for (let i = 0; i < 5; i++) leader.propose(`${i}`);
    cluster.settle();
    leader.proposeChange("add-learner", 4);
    cluster.settle();
    const row = leader.status.progress.find(({ member }) => member === 4n)!;
    expect(row).toMatchObject({ state: "probe", match: 0, isLearner: true, recentlyActive: true });
    const added = cluster.add({ id: 4, voters: [1, 2, 3] });
    cluster.tickAll(2);
    expect(added.texts()).toEqual(cluster.at(2).texts());
    expect(added.status.configuration).toEqual(configurationOf([1, 2, 3], [4]));
  });

  test("adding a member again changes neither the configuration nor its progress", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("add-voter", 2);
    cluster.settle();
    const row = leader.status.progress.find(({ member }) => member === 2n)!;
    expect(row).toMatchObject({ match: 2, state: "replicate" });
    expect(leader.status.configuration).toEqual(configurationOf([1, 2, 3]));
  });

  test("a member that was removed and added again starts from nothing", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 3);
    cluster.settle();
    cluster.isolate(3);
    leader.proposeChange("add-voter", 3);
    cluster.settle();
    const row = leader.status.progress.find(({ member }) => member === 3n)!;
    expect(row).toMatchObject({ match: 0, state: "probe" });
  });

  test("adding a voter to a single voter needs both from then on", () => {
    const cluster = new TestCluster([{ id: 1, voters: [1] }]);
    const leader = cluster.elect(1);
    leader.proposeChange("add-voter", 2);
    cluster.settle();
    leader.propose("x");
    cluster.settle();
    expect(leader.status).toMatchObject({ commit: 2, lastIndex: 3 });
    cluster.add({ id: 2, voters: [1] });
    cluster.tickAll(2);
    expect(leader.status.commit).toBe(3);
    expect(cluster.at(2).status.configuration).toEqual(configurationOf([1, 2]));
  });

  test("what a smaller majority already has is committed right after a removal", () => {
    const cluster = TestCluster.of(4);
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 4);
    leader.settle();
    leader.propose("x");
    leader.settle();
    leader.raft.step(accepted({ from: 2, term: 1, index: 3 }));
    leader.settle();
    expect(leader.status.commit).toBe(1);
    // 3 has the removal only; of the three that stay, two have the proposal too.
    leader.raft.step(accepted({ from: 3, term: 1, index: 2 }));
    leader.settle();
    expect(leader.status).toMatchObject({ commit: 3, configuration: configurationOf([1, 2, 3]) });
  });

  test("a read that waits is answered when a removal makes its confirmations a majority", () => {
    const cluster = TestCluster.of(2);
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 2);
    leader.settle();
    leader.raft.readIndex(7);
    leader.settle();
    leader.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    leader.settle();
    expect(leader.reads).toEqual([{ index: 1, contexts: [7] }]);
  });

  test("answers of a removed member are not listened to", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 3);
    cluster.settle();
    const before = leader.status;
    leader.raft.step(accepted({ from: 3, term: 1, index: 2 }));
    leader.raft.step(heartbeatResponse({ from: 3, term: 1 }));
    expect(leader.status).toEqual(before);
  });
});

describe("votes carry the commit index", () => {
  const withUncommittedRemoval = () => {
    const one = new TestMember({ id: 2, voters: [1, 2], terms: [1] });
    const data = encodeChange(change("remove", 1));
    const entries = [{ term: 1, index: 2, kind: 1, data }];
    one.raft.step(append({ from: 1, to: 2, term: 1, previous: [1, 1], entries, commit: 1 }));
    one.settle();
    one.tick(20);
    one.settle();
    expect(one.status).toMatchObject({ role: "pre-candidate", commit: 1 });
    return one;
  };

  test("a candidate learns that a change is committed, and stops counting with the old members", () => {
    const one = withUncommittedRemoval();
    const answer = { from: 1, to: 2, term: 1, granted: false };
    one.raft.step(voteResponse({ ...answer, mark: [2, 1] }));
    expect(one.status).toMatchObject({ role: "follower", commit: 2 });
    one.settle();
    one.tick(20);
    one.settle();
    expect(one.status).toMatchObject({ role: "leader", configuration: configurationOf([2]) });
  });

  test("a mark that the own log does not hold says nothing", () => {
    for (const mark of [
      [2, 2],
      [3, 1],
    ] as const) {
      const one = withUncommittedRemoval();
      one.raft.step(voteResponse({ from: 1, to: 2, term: 1, granted: false, mark }));
      expect(one.status).toMatchObject({ role: "pre-candidate", commit: 1 });
    }
  });
});

describe("the leader itself", () => {
  test("v1_remove_leader: without stepDownOnRemoval it leads on without counting itself", () => {
    const cluster = TestCluster.of(3, { stepDownOnRemoval: false });
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 1);
    leader.propose("with the removal");
    cluster.settle();
    expect(leader.status).toMatchObject({ role: "leader", configuration: configurationOf([2, 3]) });
    expect(leader.propose("x")).toBe("not-a-member");
    expect(ofKind(cluster.trace, "append").at(-1)!.commit).toBe(3);
    leader.tick();
    expect(ofKind(leader.settle(), "heartbeat").map(({ to }) => to)).toEqual([2n, 3n]);
    leader.raft.readIndex(1);
    leader.settle();
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads).toEqual([]);
  });

  test("v1_remove_leader_stepdown: with it, it gives up and the others elect", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("remove", 1);
    cluster.settle();
    expect(leader.status).toMatchObject({ role: "follower", leader: 0n });
    cluster.tickAll(60);
    expect(cluster.leaders().length).toBe(1);
    expect(cluster.leaders()).not.toContain(1n);
    expect(leader.status.role).toBe("follower");
  });

  test("a leader that is demoted gives up too", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.proposeChange("add-learner", 1);
    cluster.settle();
    expect(leader.status).toMatchObject({ role: "follower" });
    cluster.tickAll(60);
    expect(cluster.leaders()).not.toContain(1n);
    expect(leader.status.leader).toBe(cluster.leaders()[0]!);
  });
});

describe("learners", () => {
  test("receive everything, count for nothing, and are promoted", () => {
    const cluster = new TestCluster([
      { id: 1, voters: [1] },
      { id: 2, voters: [1], learners: [] },
    ]);
    const leader = cluster.elect(1);
    leader.proposeChange("add-learner", 2);
    cluster.settle();
    cluster.isolate(2);
    leader.propose("a");
    cluster.settle();
    expect(leader.status.commit).toBe(3);
    cluster.heal();
    cluster.tickAll(2);
    expect(cluster.at(2).texts().at(-1)).toBe("a");
    cluster.at(2).tick(50);
    expect(cluster.at(2).status).toMatchObject({ role: "follower", term: 1 });
    leader.proposeChange("add-voter", 2);
    cluster.settle();
    expect(cluster.at(2).status.configuration).toEqual(configurationOf([1, 2]));
    cluster.isolate(1);
    cluster.at(2).tick(50);
    expect(cluster.at(2).status.role).toBe("pre-candidate");
  });
});
