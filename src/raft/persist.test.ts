// What must be durable before what, committed pages, and restarts: the caller's side of ready.ts.

import { describe, expect, test } from "bun:test";
import { TestCluster } from "./testing/test-cluster.ts";
import { entriesOf, TestMember } from "./testing/test-member.ts";
import {
  accepted,
  append,
  heartbeat,
  ofKind,
  vote,
  voteResponse,
} from "./testing/test-messages.ts";

function slow(options: ConstructorParameters<typeof TestMember>[0]): TestMember {
  const one = new TestMember(options);
  one.isDiskSlow = true;
  return one;
}

describe("what waits for the disk", () => {
  test("an accepted append", () => {
    const one = slow({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    expect(one.settle()).toEqual([]);
    one.sync();
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 1 }]);
  });

  test("an accepted append that adds nothing, while what it accepts is being written", () => {
    const one = slow({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    one.settle();
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    expect(one.settle()).toEqual([]);
    one.sync();
    expect(ofKind(one.settle(), "append-accepted").map(({ index }) => index)).toContain(1);
  });

  test("a granted vote; a refused one does not", () => {
    const one = slow({ id: 1, preVote: false });
    one.raft.step(vote({ from: 2, term: 1 }));
    one.raft.step(vote({ from: 3, term: 1 }));
    expect(one.settle()).toMatchObject([{ kind: "vote-response", to: 3n, granted: false }]);
    one.sync();
    expect(one.settle()).toMatchObject([{ kind: "vote-response", to: 2n, granted: true }]);
    expect(one.hardState).toMatchObject({ term: 1, vote: 2n });
  });

  test("a vote request, for it says how long the log is", () => {
    const one = slow({ id: 1, preVote: false });
    one.raft.campaign();
    expect(one.settle()).toEqual([]);
    one.sync();
    expect(ofKind(one.settle(), "vote").length).toBe(2);
  });

  test("the candidate's own vote: two others are not enough to make it three of five", () => {
    const one = slow({ id: 1, voters: [1, 2, 3, 4, 5], preVote: false });
    one.raft.campaign();
    one.settle();
    for (const from of [2, 3]) one.raft.step(voteResponse({ from, term: 1, granted: true }));
    expect(one.status.role).toBe("candidate");
    one.sync();
    expect(one.status.role).toBe("leader");
  });

  test("the leader's own copy, but not its appends", () => {
    const cluster = TestCluster.of(3);
    const one = cluster.elect(1);
    one.isDiskSlow = true;
    one.propose("x");
    expect(ofKind(one.settle(), "append").length).toBe(2);
    one.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    expect(one.status.commit).toBe(1);
    one.sync();
    expect(one.status.commit).toBe(2);
  });

  test("two followers commit without the leader's disk; the leader applies only what its disk has", () => {
    const one = TestCluster.of(3).elect(1);
    one.isDiskSlow = true;
    one.propose("x");
    one.settle();
    for (const from of [2, 3]) one.raft.step(accepted({ from, term: 1, index: 2 }));
    one.settle();
    expect(one.status.commit).toBe(2);
    expect(one.texts()).toEqual([""]);
    one.sync();
    one.settle();
    expect(one.texts()).toEqual(["", "x"]);
  });

  test("heartbeats are answered, and sent, whatever the disk does", () => {
    const one = slow({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    one.settle();
    one.raft.step(heartbeat({ from: 2, term: 1, readRound: 4, tick: 9 }));
    expect(one.settle()).toMatchObject([{ kind: "heartbeat-response", readRound: 4, tick: 9 }]);
    const leader = TestCluster.of(3).elect(1);
    leader.isDiskSlow = true;
    leader.propose("x");
    leader.settle();
    leader.tick();
    expect(ofKind(leader.settle(), "heartbeat").length).toBe(2);
  });

  test("a report covers all Readys up to its sequence, each exactly once", () => {
    const one = slow({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    one.settle();
    one.raft.step(append({ from: 2, term: 1, previous: [1, 1], entries: entriesOf([1], 2) }));
    one.settle();
    one.raft.step(append({ from: 2, term: 1, previous: [2, 1], entries: entriesOf([1], 3) }));
    one.settle();
    one.syncOne();
    expect(one.settle()).toMatchObject([{ index: 1 }]);
    expect(one.status.persistedIndex).toBe(1);
    const last = one.unsynced.at(-1)!;
    one.raft.persisted(last.sequence);
    one.raft.persisted(last.sequence);
    expect(ofKind(one.settle(), "append-accepted").map(({ index }) => index)).toEqual([2, 3]);
    expect(one.status.persistedIndex).toBe(3);
    expect(() => one.raft.persisted(last.sequence + 9)).toThrow("persisted");
  });

  test("a commit index alone asks for no sync and holds nothing up", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1]) }));
    one.settle();
    one.isDiskSlow = true;
    one.raft.step(append({ from: 2, term: 1, previous: [1, 1], commit: 1 }));
    expect(one.settle()).toMatchObject([{ kind: "append-accepted", index: 1 }]);
    expect(one.unsynced).toEqual([]);
    expect(one.hardState.commit).toBe(1);
  });
});

describe("reports that come late", () => {
  test("async_storage_writes_append_aba_race: a write that was overwritten vouches for nothing", () => {
    const one = slow({ id: 1 });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1, 1]) }));
    one.settle();
    one.raft.step(append({ from: 3, term: 2, previous: [1, 1], entries: entriesOf([2], 2) }));
    one.settle();
    // A later leader brings the first entry back: the same index and term as in the first write.
    one.raft.step(append({ from: 2, term: 3, previous: [1, 1], entries: entriesOf([1, 3], 2) }));
    one.settle();
    one.syncOne();
    expect(one.status.persistedIndex).toBe(1);
    one.syncOne();
    expect(one.status.persistedIndex).toBe(1);
    one.syncOne();
    expect(one.status.persistedIndex).toBe(3);
    expect(one.terms()).toEqual([1, 1, 3]);
  });

  test("self-ack after term change: entries of a lost term do not count for the next", () => {
    const cluster = TestCluster.of(3, { preVote: false, checkQuorum: false });
    const one = cluster.elect(1);
    one.isDiskSlow = true;
    one.propose("lost");
    one.settle();
    one.raft.step(append({ from: 2, term: 2, previous: [1, 1], entries: entriesOf([2], 2) }));
    one.settle();
    one.raft.campaign();
    one.settle();
    one.raft.step(voteResponse({ from: 2, term: 3, granted: true }));
    one.raft.step(voteResponse({ from: 3, term: 3, granted: true }));
    expect(one.status).toMatchObject({ role: "leader", term: 3 });
    const row = () => one.status.progress.find(({ member }) => member === 1n)!;
    expect(row().match).toBe(1);
    one.syncOne();
    expect(row().match).toBe(1);
    one.settle();
    one.sync();
    expect(row().match).toBe(3);
  });

  test("an entry appended before a candidacy is not lost from the count when it is written after", () => {
    const one = slow({ id: 1, preVote: false });
    one.raft.step(append({ from: 2, term: 1, entries: entriesOf([1, 1]) }));
    one.settle();
    one.raft.campaign();
    one.settle();
    for (const from of [2, 3]) one.raft.step(voteResponse({ from, term: 2, granted: true }));
    one.settle();
    one.sync();
    one.raft.step(accepted({ from: 2, term: 2, index: 3 }));
    expect(one.status.commit).toBe(3);
  });
});

describe("a disk that stalls", () => {
  test("a leader whose write takes an election timeout resigns and does not campaign", () => {
    const cluster = TestCluster.of(3);
    const one = cluster.elect(1);
    one.isDiskSlow = true;
    one.propose("x");
    cluster.settle();
    cluster.tickAll(9);
    expect(one.status).toMatchObject({ role: "leader", persistingTicks: 9 });
    one.tick(1);
    expect(one.status).toMatchObject({ role: "follower", persistingTicks: 10 });
    expect(one.raft.campaign()).toBe("disk-stalled");
    one.tick(100);
    expect(one.status.role).toBe("follower");
    cluster.tickAll(60);
    expect(cluster.leaders()[0]).not.toBe(1n);
    one.sync();
    one.settle();
    expect(one.status.persistingTicks).toBe(0);
  });

  test("a single voter stays: there is nobody else", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.raft.campaign();
    one.settle();
    one.isDiskSlow = true;
    one.propose("x");
    one.settle();
    one.tick(100);
    expect(one.status.role).toBe("leader");
  });
});

describe("committed entries", () => {
  test("come in pages, a page only while what is being applied leaves room", () => {
    const one = new TestMember({
      id: 1,
      voters: [1],
      terms: Array.from({ length: 20 }, () => 1),
      committedPageBytes: 60,
      applyingBytesMax: 120,
    });
    one.isApplySlow = true;
    one.raft.campaign();
    one.settle();
    const handedOut = one.applied.length;
    expect(handedOut).toBeGreaterThan(2);
    expect(handedOut).toBeLessThan(8);
    expect(one.settle()).toEqual([]);
    one.raft.applied(2);
    one.settle();
    expect(one.applied.length).toBeGreaterThan(handedOut);
    one.isApplySlow = false;
    while (one.status.applied < 21) {
      one.raft.applied(one.applied.length);
      one.settle();
    }
    expect(one.applied.map(({ index }) => index)).toEqual(
      Array.from({ length: 21 }, (_, i) => i + 1),
    );
  });

  test("an entry above the page size comes alone", () => {
    const one = new TestMember({ id: 1, voters: [1], committedPageBytes: 1, applyingBytesMax: 1 });
    one.raft.campaign();
    one.propose("not yet leader");
    one.settle();
    one.propose("0123456789");
    one.propose("0123456789");
    one.settle();
    expect(one.texts()).toEqual(["", "0123456789", "0123456789"]);
  });

  test("applied beyond what was handed out is a programmer's error", () => {
    const one = new TestMember({ id: 1 });
    expect(() => one.raft.applied(1)).toThrow("handed out");
  });
});

describe("starting again", () => {
  test("a restarted member hands out what was committed and not applied", () => {
    const one = new TestMember({
      id: 1,
      terms: [1, 1, 2],
      hardState: { term: 2, vote: 3n, commit: 2 },
      appliedIndex: 1,
    });
    one.settle();
    expect(one.applied.map(({ index }) => index)).toEqual([2]);
    expect(one.status).toMatchObject({ term: 2, vote: 3n, commit: 2, lastIndex: 3 });
    expect(one.raft.takeReady()).toBeNull();
  });

  test("with a compacted log", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    for (let i = 0; i < 9; i++) leader.propose(`${i}`);
    cluster.settle();
    leader.compact(3);
    leader.restart();
    for (const member of cluster.members.values()) member.raft.forgetLeader();
    expect(leader.status).toMatchObject({ role: "follower", applied: 10, lastIndex: 10 });
    cluster.elect(1);
    cluster.settle();
    expect(cluster.at(3).status.commit).toBe(11);
  });

  test("single voters restart with their log and commit it in their next term", () => {
    const one = new TestMember({ id: 1, voters: [1] });
    one.raft.campaign();
    one.settle();
    one.propose("a");
    one.settle();
    one.restart({ appliedIndex: 0 });
    one.applied = [];
    one.raft.campaign();
    one.settle();
    expect(one.texts()).toEqual(["", "a", ""]);
    expect(one.status.term).toBe(2);
  });

  test("a log or hard state that cannot be is refused with its numbers", () => {
    expect(
      () => new TestMember({ id: 1, terms: [3], hardState: { term: 2, vote: 0n, commit: 0 } }),
    ).toThrow("term 3");
    expect(
      () => new TestMember({ id: 1, terms: [1], hardState: { term: 1, vote: 0n, commit: 5 } }),
    ).toThrow("commit is 5");
    expect(() => new TestMember({ id: 1, electionTimeoutTicks: 1 })).toThrow("election timeout");
    expect(() => new TestMember({ id: 0 })).toThrow("id above zero");
    expect(() => new TestMember({ id: 1, messageBytesMax: 0 })).toThrow("above zero");
  });

  test("a commit index beyond the log says that the log was lost", () => {
    const one = new TestMember({ id: 1, terms: [1] });
    expect(() => one.raft.step(heartbeat({ from: 2, term: 1, commit: 9 }))).toThrow("lost or cut");
  });

  test("two leaders of one term are an assertion, not a message", () => {
    const one = TestCluster.of(3).elect(1);
    expect(() => one.raft.step(heartbeat({ from: 2, term: 1 }))).toThrow("both lead term 1");
  });
});

describe("the commit of a membership change", () => {
  test("is synced, and the change is applied only after that", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.proposeChange("add-learner", 4);
    leader.settle();
    leader.isDiskSlow = true;
    leader.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    leader.settle();
    expect(leader.status).toMatchObject({ commit: 2, applied: 1 });
    expect(leader.unsynced.length).toBe(1);
    leader.sync();
    leader.settle();
    expect(leader.status).toMatchObject({ applied: 2 });
    expect(leader.hardState.commit).toBe(2);
  });

  test("commands before and after one are not held up once it is durable", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.propose("before");
    leader.proposeChange("update", 2);
    leader.propose("after");
    leader.settle();
    leader.raft.step(accepted({ from: 2, term: 1, index: 4 }));
    leader.settle();
    expect(leader.status.applied).toBe(4);
    leader.isDiskSlow = true;
    leader.propose("more");
    leader.settle();
    leader.sync();
    leader.raft.step(accepted({ from: 2, term: 1, index: 5 }));
    leader.settle();
    expect(leader.status.applied).toBe(5);
    expect(leader.unsynced).toEqual([]);
  });
});
