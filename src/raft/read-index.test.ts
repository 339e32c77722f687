// Linearizable reads: by rounds of heartbeats, by the lease, from followers, and when they are
// given up.

import { describe, expect, test } from "bun:test";
import { leaseTicks } from "./leader.ts";
import { ForwardedReads, LeaderReads } from "./read-index.ts";
import { TestCluster } from "./testing/test-cluster.ts";
import { TestMember } from "./testing/test-member.ts";
import {
  accepted,
  append,
  heartbeat,
  heartbeatResponse,
  ofKind,
  vote,
  voteResponse,
} from "./testing/test-messages.ts";

describe("by ReadIndex", () => {
  test("a leader answers with its commit index once a majority has confirmed it", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.propose("a");
    cluster.settle();
    leader.raft.readIndex(1);
    leader.raft.readIndex(2);
    const beats = ofKind(leader.settle(), "heartbeat");
    expect(beats.map(({ to, readRound }) => [to, readRound])).toEqual([
      [2n, 1],
      [3n, 1],
    ]);
    expect(leader.reads).toEqual([]);
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads).toEqual([{ index: 2, contexts: [1, 2] }]);
  });

  test("the index is that of the asking, not of the answer", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.raft.readIndex(1);
    leader.settle();
    leader.propose("later");
    leader.settle();
    leader.raft.step(accepted({ from: 2, term: 1, index: 2 }));
    leader.settle();
    expect(leader.status.commit).toBe(2);
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads).toEqual([{ index: 1, contexts: [1] }]);
  });

  test("an answer to an older heartbeat confirms no newer round", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.raft.readIndex(1);
    leader.settle();
    leader.raft.readIndex(2);
    leader.settle();
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 0 }));
    leader.settle();
    expect(leader.reads).toEqual([]);
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads).toEqual([{ index: 1, contexts: [1] }]);
    // The later answer proves more, and repeats prove nothing new.
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads.length).toBe(1);
    leader.raft.step(heartbeatResponse({ from: 3, term: 1, readRound: 2 }));
    leader.settle();
    expect(leader.reads.map((each) => each.contexts)).toEqual([[1], [2]]);
  });

  test("incident 16: a retried read is a new one; the old round's answer does not satisfy it", () => {
    const leader = TestCluster.of(3).elect(1);
    leader.raft.readIndex(5);
    const [old] = ofKind(leader.settle(), "heartbeat");
    leader.propose("acknowledged meanwhile");
    leader.settle();
    leader.raft.step(accepted({ from: 3, term: 1, index: 2 }));
    leader.settle();
    // The caller gave up waiting and asks again with its own number unchanged.
    leader.raft.readIndex(5);
    const [retried] = ofKind(leader.settle(), "heartbeat");
    expect(retried!.readRound).toBeGreaterThan(old!.readRound);
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: old!.readRound }));
    leader.settle();
    expect(leader.reads).toEqual([{ index: 1, contexts: [5] }]);
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: retried!.readRound }));
    leader.settle();
    expect(leader.reads[1]).toEqual({ index: 2, contexts: [5] });
  });

  test("an answer of an earlier term confirms nothing", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    leader.raft.readIndex(1);
    leader.settle();
    leader.raft.step(append({ from: 2, term: 2 }));
    leader.settle();
    expect(leader.abortedReads).toEqual([1]);
    for (const member of cluster.members.values()) member.raft.forgetLeader();
    const again = cluster.elect(1);
    again.raft.readIndex(2);
    again.settle();
    again.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 1 }));
    again.settle();
    expect(again.reads).toEqual([]);
  });

  test("a new leader answers only after an entry of its own term is committed", () => {
    const one = new TestMember({ id: 1, preVote: false, terms: [1, 1] });
    one.raft.campaign();
    one.settle();
    one.raft.step(voteResponse({ from: 2, term: 2, granted: true }));
    one.raft.readIndex(1);
    const sent = one.settle();
    expect(ofKind(sent, "heartbeat")).toEqual([]);
    one.raft.step(accepted({ from: 2, term: 2, index: 3 }));
    one.settle();
    one.raft.step(heartbeatResponse({ from: 2, term: 2, readRound: 1 }));
    one.settle();
    expect(one.reads).toEqual([{ index: 3, contexts: [1] }]);
  });

  test("learners neither confirm a round nor are kept from asking", () => {
    const cluster = new TestCluster(
      [1, 2, 3].map((id) => ({ id, voters: [1, 2], learners: [3], patience: id })),
    );
    const leader = cluster.elect(1);
    leader.raft.readIndex(1);
    leader.settle();
    leader.raft.step(heartbeatResponse({ from: 3, term: 1, readRound: 1 }));
    leader.settle();
    expect(leader.reads).toEqual([]);
    cluster.at(3).raft.readIndex(9);
    cluster.settle();
    expect(cluster.at(3).reads).toEqual([{ index: 1, contexts: [9] }]);
  });

  test("lost heartbeats are made up for by the next tick's", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    cluster.isolate(1);
    leader.raft.readIndex(1);
    cluster.settle();
    cluster.heal();
    cluster.tickAll(1);
    expect(leader.reads).toEqual([{ index: 1, contexts: [1] }]);
  });

  test("a single voter needs nobody", () => {
    const one = new TestMember({ id: 1, voters: [1], learners: [2] });
    one.raft.campaign();
    one.raft.readIndex(3);
    one.settle();
    one.raft.readIndex(4);
    one.settle();
    // A candidate has no leader to ask, so the first was refused.
    expect(one.reads).toEqual([{ index: 1, contexts: [4] }]);
  });

  test("reads wait in bounded number, and leave nothing behind", () => {
    const one = new TestMember({ id: 1, waitingReadsMax: 3 });
    expect(one.raft.readIndex(1)).toBe("no-leader");
    one.raft.step(heartbeat({ from: 2, term: 1 }));
    for (const context of [1, 2, 3]) expect(one.raft.readIndex(context)).toBeNull();
    expect(one.raft.readIndex(4)).toBe("too-many-reads");
    const leader = TestCluster.of(3, { waitingReadsMax: 2 }).elect(1);
    expect(leader.raft.readIndex(1)).toBeNull();
    leader.settle();
    expect(leader.raft.readIndex(2)).toBeNull();
    expect(leader.raft.readIndex(3)).toBe("too-many-reads");
    leader.raft.step({ kind: "read-index", from: 2n, to: 1n, term: 0, id: 77 });
    leader.settle();
    leader.raft.step(heartbeatResponse({ from: 2, term: 1, readRound: 2 }));
    expect(ofKind(leader.settle(), "read-index-response")).toEqual([]);
    expect(leader.raft.readIndex(4)).toBeNull();
  });

  test("a leader that steps down gives its reads back", () => {
    const cluster = TestCluster.of(3);
    const leader = cluster.elect(1);
    cluster.isolate(1);
    leader.raft.readIndex(1);
    cluster.settle();
    leader.raft.readIndex(2);
    leader.tick(20);
    leader.settle();
    expect(leader.abortedReads.sort()).toEqual([1, 2]);
  });

  test("rounds are bounded; what comes after shares the next one", () => {
    const reads = new LeaderReads();
    for (let i = 1; i <= 64; i++) {
      reads.add(i);
      expect(reads.open(i)).toBe(true);
    }
    reads.add(65);
    reads.add(66);
    expect(reads.open(65)).toBe(false);
    expect(reads.confirmed(1).map((each) => each.contexts)).toEqual([[1]]);
    expect(reads.open(66)).toBe(true);
    expect(reads.confirmed(65).at(-1)).toMatchObject({ index: 66, contexts: [65, 66] });
    expect(reads.count).toBe(0);
  });
});

describe("from a follower", () => {
  test("asks the leader once for all reads of a turn, each time with a fresh id", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(heartbeat({ from: 2, term: 1 }));
    one.settle();
    one.raft.readIndex(1);
    one.raft.readIndex(2);
    const [first] = ofKind(one.settle(), "read-index");
    one.raft.readIndex(1);
    const [second] = ofKind(one.settle(), "read-index");
    expect(second!.id).not.toBe(first!.id);
    const answer = { kind: "read-index-response", from: 2n, to: 1n, term: 1, index: 9 } as const;
    one.raft.step({ ...answer, id: first!.id });
    one.raft.step({ ...answer, id: first!.id });
    one.raft.step({ ...answer, id: 12345 });
    one.settle();
    expect(one.reads).toEqual([{ index: 9, contexts: [1, 2] }]);
  });

  test("a member that starts anew uses other ids than its earlier life", () => {
    const ids = [17, 99].map((first) => {
      const one = new TestMember({ id: 1, random: (below) => (below > 1000 ? first : 0) });
      one.raft.step(heartbeat({ from: 2, term: 1 }));
      one.settle();
      one.raft.readIndex(1);
      return ofKind(one.settle(), "read-index")[0]!.id;
    });
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("reads are given back when the leader changes, is forgotten or does not answer", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(heartbeat({ from: 2, term: 1 }));
    one.raft.readIndex(1);
    one.settle();
    one.raft.readIndex(2);
    one.raft.step(heartbeat({ from: 3, term: 2 }));
    one.settle();
    expect(one.abortedReads).toEqual([1, 2]);
    one.raft.readIndex(3);
    one.raft.forgetLeader();
    one.settle();
    expect(one.abortedReads).toEqual([1, 2, 3]);
    one.raft.step(heartbeat({ from: 3, term: 2 }));
    one.raft.readIndex(4);
    one.settle();
    one.tick(9);
    one.raft.step(heartbeat({ from: 3, term: 2 }));
    one.settle();
    expect(one.abortedReads).toEqual([1, 2, 3]);
    one.tick();
    one.settle();
    expect(one.abortedReads).toEqual([1, 2, 3, 4]);
  });

  test("an answer of an older term is not listened to", () => {
    const one = new TestMember({ id: 1 });
    one.raft.step(heartbeat({ from: 2, term: 2 }));
    one.raft.readIndex(1);
    const [asked] = ofKind(one.settle(), "read-index");
    const { id } = asked!;
    one.raft.step({ kind: "read-index-response", from: 2n, to: 1n, term: 1, id, index: 1 });
    one.settle();
    expect(one.reads).toEqual([]);
  });

  test("a question that reaches the wrong member is passed on, the answer goes to who asked", () => {
    const cluster = TestCluster.of(3);
    cluster.elect(1);
    cluster.at(2).raft.step({ kind: "read-index", from: 3n, to: 2n, term: 0, id: 5 });
    expect(cluster.at(2).settle()).toEqual([
      { kind: "read-index", from: 3n, to: 1n, term: 0, id: 5 },
    ]);
  });

  test("ForwardedReads counts what it holds", () => {
    const reads = new ForwardedReads(10);
    const out: number[] = [];
    reads.add(1);
    expect(reads.send(1)).toBe(10);
    expect(reads.send(1)).toBe(0);
    reads.add(2);
    expect(reads.send(2)).toBe(11);
    reads.add(3);
    expect(reads.count).toBe(3);
    reads.expire(1, out);
    expect([reads.count, ...out]).toEqual([2, 1]);
    reads.abandon(out);
    expect([reads.count, ...out]).toEqual([0, 1, 2, 3]);
  });
});

describe("by lease", () => {
  function leased(): { cluster: TestCluster; leader: TestMember } {
    const cluster = TestCluster.of(3, { readMode: "lease" });
    const leader = cluster.elect(1);
    cluster.tickAll(1);
    return { cluster, leader };
  }

  test("leaseTicks stays below the follower's promise by drift and by two ticks of grain", () => {
    expect(leaseTicks(10, 0)).toBe(8);
    expect(leaseTicks(10, 0.1)).toBe(7);
    for (const drift of [0, 0.05, 0.1, 0.5, 1]) {
      const lease = leaseTicks(10, drift);
      // Longest the leader may read after sending, against the shortest a follower waits, in
      // leader's time.
      expect((lease + 1) * (1 + drift)).toBeLessThanOrEqual(9);
    }
  });

  test("a leader answers at once while a majority is bound to it", () => {
    const { leader } = leased();
    leader.raft.readIndex(1);
    expect(leader.settle()).toEqual([]);
    expect(leader.reads).toEqual([{ index: 1, contexts: [1] }]);
  });

  test("falls back to a round when the lease has run out", () => {
    const { cluster, leader } = leased();
    cluster.isolate(1);
    cluster.tickAll(7);
    leader.raft.readIndex(1);
    leader.settle();
    expect(leader.reads.length).toBe(1);
    cluster.tickAll(1);
    leader.raft.readIndex(2);
    expect(ofKind(leader.settle(), "heartbeat").length).toBe(2);
    expect(leader.reads.length).toBe(1);
  });

  test("falls back to a round while somebody does not keep leases", () => {
    const { leader } = leased();
    leader.raft.allowLease(false);
    expect(leader.raft.readableIndex()).toBe(-1);
    leader.raft.readIndex(1);
    expect(ofKind(leader.settle(), "heartbeat").length).toBe(2);
    expect(leader.reads).toEqual([]);
    leader.raft.allowLease(true);
    expect(leader.raft.readableIndex()).toBe(1);
  });

  test("a lease runs from when a heartbeat left, not from when its answer came", () => {
    const { cluster, leader } = leased();
    const { term } = leader.status;
    const sentAt = 2;
    cluster.isolate(1);
    cluster.tickAll(7);
    leader.raft.step(heartbeatResponse({ from: 2, term, tick: sentAt }));
    cluster.tickAll(1);
    leader.raft.readIndex(1);
    leader.settle();
    expect(leader.reads).toEqual([]);
  });

  test("is worth nothing in a term in which leadership was to be handed over", () => {
    const { cluster, leader } = leased();
    cluster.passes = ({ kind }) => kind !== "timeout-now";
    leader.raft.transferLeadership(2n);
    cluster.tickAll(12);
    expect(leader.status).toMatchObject({ role: "leader", transferTarget: 0n });
    leader.raft.readIndex(1);
    expect(ofKind(leader.settle(), "heartbeat").length).toBe(2);
    expect(leader.reads).toEqual([]);
  });

  test("a member that starts again keeps the promise its earlier life may have made", () => {
    const hardState = { term: 1, vote: 2n, commit: 0 };
    const one = new TestMember({ id: 1, readMode: "lease", hardState });
    one.raft.step(vote({ from: 3, term: 2 }));
    expect(one.settle()).toEqual([]);
    expect(one.raft.campaign()).toBe("lease-reads");
    one.tick(10);
    one.raft.step(vote({ from: 3, term: 2 }));
    expect(ofKind(one.settle(), "vote-response")).toMatchObject([{ granted: true }]);
  });

  test("a newer term heard by chance does not end the promise", () => {
    const one = new TestMember({ id: 1, readMode: "lease" });
    one.raft.step(heartbeat({ from: 2, term: 1 }));
    one.raft.step(voteResponse({ from: 3, term: 2, granted: false }));
    expect(one.status).toMatchObject({ term: 2, leader: 0n });
    one.raft.step(vote({ from: 3, term: 3 }));
    expect(ofKind(one.settle(), "vote-response")).toEqual([]);
  });

  test("needs check-quorum", () => {
    expect(() => new TestMember({ id: 1, readMode: "lease", checkQuorum: false })).toThrow(
      "check-quorum",
    );
  });
});
