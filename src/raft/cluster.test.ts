import { expect, test } from "bun:test";
import { TestCluster } from "./testing/test-cluster.ts";

test("three members elect a leader by timeout, and apply what it is told", () => {
  const cluster = TestCluster.of(3);
  cluster.tickAll(10);
  expect(cluster.leaders()).toEqual([1n]);
  const leader = cluster.at(1);
  expect(leader.propose("a")).toBe(2);
  expect(leader.propose("b")).toBe(3);
  cluster.settle();
  for (const member of cluster.members.values()) expect(member.texts()).toEqual(["", "a", "b"]);
});

test("a follower passes proposals and reads to the leader", () => {
  const cluster = TestCluster.of(3);
  cluster.elect(1);
  const follower = cluster.at(2);
  expect(follower.propose("x")).toBe("forwarded");
  cluster.settle();
  expect(follower.texts()).toEqual(["", "x"]);
  follower.raft.readIndex(7);
  follower.raft.readIndex(8);
  cluster.settle();
  expect(follower.reads).toEqual([{ index: 2, contexts: [7, 8] }]);
});
