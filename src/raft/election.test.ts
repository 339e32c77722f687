// Elections beyond the paper: pre-vote, check-quorum, the promise to a leader, learners.

import { describe, expect, test } from "bun:test";
import { TestCluster } from "./testing/test-cluster.ts";
import { configurationOf, TestMember } from "./testing/test-member.ts";
import {
  append,
  heartbeat,
  heartbeatResponse,
  ofKind,
  preVote,
  preVoteResponse,
  vote,
  voteResponse,
} from "./testing/test-messages.ts";

describe("pre-vote", () => {
  test("a pre-candidate changes no term until a majority would vote for it", () => {
    const one = new TestMember({ id: 1 });
    one.tick(10);
    expect(one.status).toMatchObject({ role: "pre-candidate", term: 0, vote: 0n });
    expect(one.settle()).toMatchObject([
      { kind: "pre-vote", to: 2n, term: 1 },
      { kind: "pre-vote", to: 3n, term: 1 },
    ]);
    one.raft.step(preVoteResponse({ from: 2, term: 1, granted: true }));
    expect(one.status).toMatchObject({ role: "candidate", term: 1, vote: 1n });
  });

  test("a pre-vote grant for an earlier question does not count", () => {
    const one = new TestMember({ id: 1 });
    one.tick(10);
    one.raft.step(append({ from: 2, term: 1 }));
    one.tick(20);
    expect(one.status).toMatchObject({ role: "pre-candidate", term: 1 });
    one.raft.step(preVoteResponse({ from: 2, term: 1, granted: true }));
    expect(one.status.role).toBe("pre-candidate");
  });

  test("a member cut off campaigns without raising the term, and does not disturb on return", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    cluster.isolate(3);
    cluster.tickAll(100);
    expect(cluster.at(3).status).toMatchObject({ role: "pre-candidate", term: 1 });
    cluster.heal();
    cluster.tickAll(3);
    expect(cluster.leaders()).toEqual([1n]);
    expect(cluster.at(1).status.term).toBe(1);
    expect(cluster.at(3).status).toMatchObject({ role: "follower", leader: 1n });
  });

  test("without pre-vote the returning member raises the term (what pre-vote is for)", () => {
    const cluster = TestCluster.of(3, { preVote: false, checkQuorum: false });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.tickAll(40);
    const { term } = cluster.at(3).status;
    expect(term).toBeGreaterThan(1);
    cluster.heal();
    cluster.tickAll(40);
    expect(cluster.leaders().length).toBe(1);
    expect(cluster.at(1).status.term).toBeGreaterThanOrEqual(term);
  });

  test("a split pre-vote is resolved by different patience", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    cluster.tickAll(15);
    // 2 and 3 ask at once; each has itself and needs the other.
    cluster.at(2).raft.campaign();
    cluster.at(3).raft.campaign();
    cluster.settle();
    cluster.tickAll(30);
    expect(cluster.leaders().filter((id) => id !== 1n).length).toBe(1);
  });

  test("a pre-vote of an old term is refused aloud, and brings the asker up to date", () => {
    const one = new TestMember({ id: 1, hardState: { term: 5, vote: 0n, commit: 0 } });
    one.raft.step(preVote({ from: 2, term: 3 }));
    expect(one.settle()).toMatchObject([{ kind: "pre-vote-response", term: 5, granted: false }]);
    const asker = new TestMember({ id: 2 });
    asker.tick(10);
    asker.raft.step(preVoteResponse({ from: 1, to: 2, term: 5, granted: false }));
    expect(asker.status).toMatchObject({ role: "follower", term: 5 });
  });

  test("a cluster that is switched to pre-votes one by one elects a leader", () => {
    // 3 still campaigns without asking, has the higher term and the shorter log.
    const voters = [1, 2, 3];
    const cluster = new TestCluster([
      { id: 1, voters, terms: [1, 1] },
      { id: 2, voters, terms: [1, 1], patience: 3 },
      { id: 3, voters, terms: [1], preVote: false, patience: 1 },
    ]);
    for (let i = 0; i < 3; i++) {
      cluster.isolate(3);
      cluster.tickAll(12);
      cluster.heal();
    }
    cluster.tickAll(40);
    expect(cluster.leaders().length).toBe(1);
    const [leader] = cluster.leaders();
    for (const each of cluster.members.values()) expect(each.status.leader).toBe(leader!);
  });

  test("a pre-vote goes by the log, not by the vote of the current term", () => {
    const hardState = { term: 2, vote: 3n, commit: 0 };
    const one = new TestMember({ id: 1, terms: [1, 2], hardState });
    one.raft.step(preVote({ from: 2, term: 3, lastIndex: 1, lastTerm: 2 }));
    one.raft.step(preVote({ from: 2, term: 3, lastIndex: 2, lastTerm: 2 }));
    expect(ofKind(one.settle(), "pre-vote-response").map((each) => each.granted)).toEqual([
      false,
      true,
    ]);
    expect(one.status).toMatchObject({ term: 2, vote: 3n });
  });
});

describe("check-quorum", () => {
  test("a leader that hears no majority for an election timeout steps down", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    cluster.isolate(1);
    leader.tick(10);
    expect(leader.status.role).toBe("leader");
    leader.tick(10);
    expect(leader.status).toMatchObject({ role: "follower", leader: 0n, term: 1 });
  });

  test("a leader that hears a majority goes on, whatever the rest does", () => {
    const cluster = TestCluster.of(5);
    cluster.elect(1);
    cluster.isolate(4, 5);
    cluster.tickAll(60);
    expect(cluster.leaders()).toEqual([1n]);
  });

  test("learners do not make a quorum", () => {
    const cluster = new TestCluster([
      { id: 1, voters: [1, 2], learners: [3, 4] },
      { id: 2, voters: [1, 2], learners: [3, 4], patience: 3 },
      { id: 3, voters: [1, 2], learners: [3, 4] },
      { id: 4, voters: [1, 2], learners: [3, 4] },
    ]);
    cluster.elect(1);
    cluster.isolate(2);
    cluster.tickAll(20);
    expect(cluster.leaders()).toEqual([]);
  });

  test("a follower with a leader ignores candidates until its timeout", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(append({ from: 2, term: 1 }));
    one.settle();
    one.tick(9);
    one.raft.step(vote({ from: 3, term: 2 }));
    one.raft.step(preVote({ from: 3, term: 2 }));
    expect(one.settle()).toEqual([]);
    expect(one.status).toMatchObject({ term: 1, leader: 2n });
    one.raft.step(vote({ from: 3, term: 2, transfer: true }));
    expect(one.settle()).toMatchObject([{ kind: "vote-response", granted: true, term: 2 }]);
  });

  test("without check-quorum the follower votes", () => {
    const one = new TestMember({ id: 1, checkQuorum: false });
    one.raft.step(append({ from: 2, term: 1 }));
    one.settle();
    one.raft.step(vote({ from: 3, term: 2 }));
    expect(one.settle()).toMatchObject([{ kind: "vote-response", granted: true, term: 2 }]);
  });

  test("a candidate with a higher term that nobody votes for is freed by the leader's answer", () => {
    const cluster = TestCluster.of(3, { preVote: false });
    cluster.elect(1);
    cluster.isolate(3);
    cluster.at(3).tick(20);
    cluster.at(3).tick(20);
    cluster.settle();
    expect(cluster.at(3).status).toMatchObject({ role: "candidate" });
    const { term } = cluster.at(3).status;
    expect(term).toBeGreaterThan(1);
    cluster.heal();
    // The leader's heartbeat meets the higher term, learns of it, and the next election has all
    // three.
    cluster.tickAll(60);
    const [leader] = cluster.leaders();
    expect(leader).toBeDefined();
    expect(cluster.at(3).status.leader).toBe(leader!);
    expect(cluster.at(1).status.term).toBeGreaterThan(term - 1);
  });

  test("heartbeats of a leader of an older term are answered with the newer one", () => {
    const one = new TestMember({ id: 1, hardState: { term: 5, vote: 0n, commit: 0 } });
    one.raft.step(heartbeat({ from: 2, term: 4 }));
    one.raft.step(append({ from: 2, term: 4 }));
    expect(one.settle()).toMatchObject([
      { kind: "term-notice", to: 2n, term: 5 },
      { kind: "term-notice", to: 2n, term: 5 },
    ]);
    const old = new TestMember({ id: 1, preVote: false, checkQuorum: false, terms: [5] });
    old.raft.step(heartbeat({ from: 2, term: 4 }));
    expect(old.settle()).toEqual([]);
  });

  test("a candidate of an older term is told the newer one: it would never catch up by itself", () => {
    const one = new TestMember({ id: 1, hardState: { term: 5, vote: 0n, commit: 0 } });
    one.raft.step(vote({ from: 2, term: 4, lastIndex: 9, lastTerm: 4 }));
    expect(one.settle()).toMatchObject([
      { kind: "vote-response", to: 2n, term: 5, granted: false },
    ]);
    const two = new TestMember({ id: 2, preVote: false });
    two.raft.campaign();
    two.raft.step(voteResponse({ from: 1, to: 2, term: 5, granted: false }));
    expect(two.status).toMatchObject({ role: "follower", term: 5 });
  });
});

describe("who may campaign", () => {
  test("members that are not voters never campaign and never lead", () => {
    for (const member of [
      new TestMember({ id: 1, voters: [2, 3], learners: [1] }),
      new TestMember({ id: 1, voters: [2, 3] }),
      new TestMember({ id: 1, voters: [] }),
    ]) {
      member.tick(100);
      expect(member.raft.campaign()).toBe("not-a-voter");
      expect(member.status).toMatchObject({ role: "follower", term: 0 });
      expect(member.settle()).toEqual([]);
    }
  });

  test("a learner that is told to campaign at once does not", () => {
    const one = new TestMember({ id: 1, voters: [2, 3], learners: [1] });
    one.raft.step(heartbeat({ from: 2, term: 1 }));
    one.raft.step({ kind: "timeout-now", from: 2n, to: 1n, term: 1 });
    expect(one.status.role).toBe("follower");
  });

  test("a learner votes when it is asked: the asker may know a newer configuration", () => {
    const one = new TestMember({ id: 1, voters: [2, 3], learners: [1] });
    one.raft.step(vote({ from: 2, term: 1 }));
    expect(one.settle()).toMatchObject([{ kind: "vote-response", granted: true }]);
  });

  test("votes of members that are no voters do not count", () => {
    const one = new TestMember({ id: 1, voters: [1, 2, 3], learners: [4], preVote: false });
    one.raft.campaign();
    one.settle();
    one.raft.step(voteResponse({ from: 4, term: 1, granted: true }));
    one.raft.step(voteResponse({ from: 9, term: 1, granted: true }));
    expect(one.status.role).toBe("candidate");
  });

  test("the first answer of a voter counts, a second one changes nothing", () => {
    const one = new TestMember({ id: 1, voters: [1, 2, 3, 4, 5], preVote: false });
    one.raft.campaign();
    one.settle();
    for (let i = 0; i < 3; i++) one.raft.step(voteResponse({ from: 2, term: 1, granted: true }));
    expect(one.status.role).toBe("candidate");
  });

  test("a member being brought up by a snapshot does not campaign before it is installed", () => {
    const one = new TestMember({ id: 1 });
    one.isDiskSlow = true;
    const snapshot = { index: 9, term: 1, configuration: configurationOf([1, 2, 3]) };
    one.raft.step({ kind: "snapshot", from: 2n, to: 1n, term: 1, snapshot });
    one.settle();
    expect(one.raft.campaign()).toBe("not-a-voter");
    one.sync();
    expect(one.raft.campaign()).toBeNull();
  });
});

describe("single voter", () => {
  test("leads as soon as its vote is on disk, and commits what its disk has", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.isDiskSlow = true;
    one.raft.campaign();
    one.settle();
    expect(one.status).toMatchObject({ role: "candidate", term: 1 });
    one.sync();
    expect(one.status.role).toBe("leader");
    one.propose("x");
    one.settle();
    expect(one.status.commit).toBe(0);
    one.sync();
    expect(one.status.commit).toBe(2);
    expect(one.settle()).toEqual([]);
    expect(one.texts()).toEqual(["", "x"]);
  });

  test("campaigns by itself after a timeout, through a pre-vote it wins alone", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.tick(10);
    one.settle();
    expect(one.status.role).toBe("leader");
    one.tick(100);
    expect(one.settle()).toEqual([]);
    expect(one.status).toMatchObject({ role: "leader", term: 1 });
  });

  test("sends and counts nothing for learners", () => {
    const one = new TestMember({ id: 1, voters: [1], learners: [2] });
    one.raft.campaign();
    const sent = one.settle();
    expect(one.status).toMatchObject({ role: "leader", commit: 1 });
    expect(sent.map(({ kind, to }) => [kind, to])).toContainEqual(["append", 2n]);
  });
});

describe("forgetting the leader", () => {
  test("a follower that forgets its leader may elect another at once", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    cluster.isolate(1);
    expect(cluster.at(2).raft.forgetLeader()).toBeNull();
    expect(cluster.at(3).raft.forgetLeader()).toBeNull();
    cluster.at(2).raft.campaign();
    cluster.settle();
    expect(cluster.at(2).status).toMatchObject({ role: "leader", term: 2 });
  });

  test("is undone by the leader's next message, and is not for leaders or lease reads", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    cluster.at(2).raft.forgetLeader();
    expect(cluster.at(2).status.leader).toBe(0n);
    cluster.tickAll(1);
    expect(cluster.at(2).status.leader).toBe(1n);
    expect(cluster.at(1).raft.forgetLeader()).toBe("already-leader");
    expect(new TestMember({ id: 1, readMode: "lease" }).raft.forgetLeader()).toBe("lease-reads");
  });
});

describe("messages that come late, twice or wrong", () => {
  test("messages of an older term change nothing", () => {
    const one = new TestMember({ id: 1, terms: [3, 3] });
    const before = one.status;
    one.raft.step(append({ from: 2, term: 2, commit: 1 }));
    one.raft.step(heartbeat({ from: 2, term: 2, commit: 2 }));
    one.raft.step(vote({ from: 2, term: 2, lastIndex: 9, lastTerm: 2 }));
    one.raft.step(voteResponse({ from: 2, term: 2, granted: true }));
    one.raft.step(heartbeatResponse({ from: 2, term: 2 }));
    const snapshot = { index: 9, term: 2, configuration: configurationOf([1, 2, 3]) };
    one.raft.step({ kind: "snapshot", from: 2n, to: 1n, term: 2, snapshot });
    expect(one.status).toEqual(before);
  });

  test("messages for another member, or said to come from this one, are dropped", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(heartbeat({ from: 2, to: 3, term: 9 }));
    one.raft.step(heartbeat({ from: 1, to: 1, term: 9 }));
    expect(one.status.term).toBe(0);
  });

  test("a candidate's vote for itself is not counted for a later term", () => {
    const one = new TestMember({ id: 1, preVote: false });
    one.isDiskSlow = true;
    one.raft.campaign();
    one.settle();
    one.raft.campaign();
    one.settle();
    expect(one.status).toMatchObject({ role: "candidate", term: 2 });
    one.syncOne();
    one.raft.step(voteResponse({ from: 2, term: 2, granted: true }));
    expect(one.status.role).toBe("candidate");
    one.syncOne();
    expect(one.status.role).toBe("leader");
  });
});
