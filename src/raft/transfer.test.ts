// Leadership transfer (thesis 3.10): the fourteen stories of etcd-io/raft's raft_test, in their
// order.

import { expect, test } from "bun:test";
import { ENTRY_COMMAND, ENTRY_MEMBERSHIP } from "./entry.ts";
import { TestCluster } from "./testing/test-cluster.ts";
import type { TestMember, TestMemberOptions } from "./testing/test-member.ts";
import { ofKind, vote } from "./testing/test-messages.ts";

function led(options: Omit<TestMemberOptions, "id"> = {}): {
  cluster: TestCluster;
  leader: TestMember;
} {
  const cluster = TestCluster.of(3, options);
  return { cluster, leader: cluster.elect(1) };
}

/** Member 3 misses a proposal, so that it must catch up first. */
function ledWithSlowThree(options: Omit<TestMemberOptions, "id"> = {}) {
  const made = led(options);
  made.cluster.isolate(3);
  made.leader.propose("missed");
  made.cluster.settle();
  return made;
}

test("to a follower that is up to date: it leads at once, and can hand back", () => {
  const { cluster, leader } = led();
  expect(leader.raft.transferLeadership(2n)).toBeNull();
  cluster.settle();
  expect(cluster.leaders()).toEqual([2n]);
  expect(cluster.at(2).status.term).toBe(2);
  leader.propose("after");
  cluster.settle();
  cluster.at(2).raft.transferLeadership(1n);
  cluster.settle();
  expect(cluster.leaders()).toEqual([1n]);
  expect(cluster.at(3).texts()).toContain("after");
});

test("works against the promise that check-quorum makes followers keep", () => {
  const { cluster, leader } = led();
  cluster.tickAll(1);
  leader.raft.transferLeadership(2n);
  cluster.settle();
  expect(cluster.leaders()).toEqual([2n]);
});

test("to a slow follower: it is brought up to date first", () => {
  const { cluster, leader } = ledWithSlowThree();
  cluster.heal();
  leader.raft.reportUnreachable(3n);
  leader.raft.transferLeadership(3n);
  cluster.settle();
  cluster.tickAll(2);
  expect(cluster.leaders()).toEqual([3n]);
  expect(cluster.at(3).texts()).toContain("missed");
});

test("to a follower that needs a snapshot first", () => {
  const { cluster, leader } = ledWithSlowThree();
  leader.compact();
  cluster.heal();
  leader.raft.reportUnreachable(3n);
  cluster.tickAll(1);
  leader.raft.transferLeadership(3n);
  cluster.tickAll(3);
  expect(cluster.leaders()).toEqual([3n]);
});

test("to itself, to a learner and to an unknown member: refused", () => {
  const cluster = new TestCluster([
    { id: 1, voters: [1, 2], learners: [3] },
    { id: 2, voters: [1, 2], learners: [3] },
  ]);
  const leader = cluster.elect(1);
  expect(leader.raft.transferLeadership(1n)).toBe("already-leader");
  expect(leader.raft.transferLeadership(3n)).toBe("not-a-voter");
  expect(leader.raft.transferLeadership(9n)).toBe("not-a-voter");
  expect(leader.status.transferTarget).toBe(0n);
});

test("asked of a follower: it passes the wish on; without a leader it refuses", () => {
  const { cluster } = led();
  expect(cluster.at(3).raft.transferLeadership(2n)).toBeNull();
  cluster.settle();
  expect(cluster.leaders()).toEqual([2n]);
  expect(TestCluster.of(3).at(1).raft.transferLeadership(2n)).toBe("no-leader");
});

test("asked of the target itself", () => {
  const { cluster } = led();
  cluster.at(3).raft.transferLeadership(3n);
  cluster.settle();
  expect(cluster.leaders()).toEqual([3n]);
});

test("is given up after an election timeout, and proposals are taken again", () => {
  const { cluster, leader } = ledWithSlowThree();
  leader.raft.transferLeadership(3n);
  expect(leader.status.transferTarget).toBe(3n);
  expect(leader.propose("refused")).toBe("transferring");
  cluster.tickAll(9);
  expect(leader.status.transferTarget).toBe(3n);
  cluster.tickAll(1);
  expect(leader.status).toMatchObject({ transferTarget: 0n, role: "leader" });
  expect(leader.propose("taken")).toBe(3);
});

test("refuses proposals meanwhile, forwarded ones too", () => {
  const { cluster, leader } = ledWithSlowThree();
  leader.raft.transferLeadership(3n);
  cluster.at(2).propose("forwarded");
  cluster.settle();
  expect(leader.status.lastIndex).toBe(2);
});

test("ends when someone with a higher term campaigns", () => {
  const { cluster, leader } = ledWithSlowThree({ checkQuorum: false });
  leader.raft.transferLeadership(3n);
  leader.raft.step(vote({ from: 2, term: 5, lastIndex: 9, lastTerm: 1 }));
  cluster.settle();
  expect(leader.status).toMatchObject({ role: "follower", transferTarget: 0n, term: 5 });
});

test("ends when the target is removed or demoted", () => {
  for (const kind of ["remove", "add-learner"] as const) {
    const { cluster, leader } = led();
    cluster.isolate(3);
    leader.proposeChange(kind, 3);
    leader.isApplySlow = true;
    // The change is on its way; the target lacks it, so the transfer waits for it.
    leader.raft.transferLeadership(3n);
    expect(leader.status.transferTarget).toBe(3n);
    cluster.settle();
    expect(leader.status).toMatchObject({ role: "leader", transferTarget: 0n });
  }
});

test("a second transfer to the same member changes nothing, not even the time left", () => {
  const { cluster, leader } = ledWithSlowThree();
  leader.raft.transferLeadership(3n);
  cluster.tickAll(5);
  expect(leader.raft.transferLeadership(3n)).toBeNull();
  cluster.tickAll(5);
  expect(leader.status.transferTarget).toBe(0n);
});

test("a second transfer to another member takes its place", () => {
  const { cluster, leader } = ledWithSlowThree();
  leader.raft.transferLeadership(3n);
  leader.raft.transferLeadership(2n);
  cluster.settle();
  expect(cluster.leaders()).toEqual([2n]);
});

test("the target campaigns without asking first, and says who wanted it", () => {
  const { cluster, leader } = led();
  cluster.trace.length = 0;
  leader.raft.transferLeadership(2n);
  cluster.settle();
  expect(ofKind(cluster.trace, "pre-vote")).toEqual([]);
  expect(ofKind(cluster.trace, "vote").map(({ from, transfer }) => [from, transfer])).toEqual([
    [2n, true],
    [2n, true],
  ]);
});

test("a member that is no leader any more, or a stranger, cannot order a campaign", () => {
  const { cluster } = led();
  const follower = cluster.at(2);
  follower.raft.step({ kind: "timeout-now", from: 3n, to: 2n, term: 1 });
  follower.raft.step({ kind: "timeout-now", from: 1n, to: 2n, term: 0 });
  expect(follower.status.role).toBe("follower");
});

test("others' commands that come during a transfer, or while nobody leads, are handed back once", () => {
  const { leader } = ledWithSlowThree();
  const proposal = (kind: number, text: string) => ({ kind, data: new TextEncoder().encode(text) });
  const message = {
    kind: "propose",
    from: 2n,
    to: 1n,
    term: 0,
    // A change of members is not: whoever asked for it asks again.
    proposals: [proposal(ENTRY_COMMAND, "one"), proposal(ENTRY_MEMBERSHIP, "two")],
  } as const;
  leader.raft.transferLeadership(3n);
  leader.raft.step(message);
  expect(leader.raft.takeStranded()).toEqual([message.proposals[0]]);
  expect(leader.raft.takeStranded()).toEqual([]);
  // Nobody answers: it gives up leading, and asks for votes.
  leader.tick(2 * leader.raft.status().term + 40);
  expect(leader.status.leader).toBe(0n);
  leader.raft.step(message);
  expect(leader.raft.takeStranded()).toEqual([message.proposals[0]]);
});
