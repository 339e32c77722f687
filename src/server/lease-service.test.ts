// Renewals and times to live on the leader and through other members, over the real lessor.
import { expect, test } from "bun:test";
import { type EtcdError, errNoLeader, errNotPrimary, errTimeout } from "../api/index.ts";
import { utf8 } from "../base/bytes.ts";
import { CommandKind } from "../state-machine/index.ts";
import { threeMembers } from "./testing/lease-members.ts";
import { pass } from "./testing/stand-ins.ts";

test("renewing an expired lease waits until it is revoked; what comes behind it keeps its order", () => {
  const { members, clock, one, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 2);
  grant(8n, 60);
  const { requests, answers } = one.openStream();
  requests.send(7n);
  expect(answers()).toEqual(["7: 2"]);
  pass(clock, 2000);
  requests.send(7n);
  requests.send(8n);
  one.server.onApplied();
  pass(clock, 600);
  expect(answers()).toEqual(["7: 2"]);
  one.lessor.revoke(7n);
  one.server.onApplied();
  expect(answers()).toEqual(["7: 2", "7: 0", "8: 60"]);
});

test("a stream that ended while it waited is forgotten", () => {
  const { members, clock, one, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 2);
  const { requests, stream, answers } = one.openStream();
  pass(clock, 2000);
  requests.send(7n);
  stream.abort();
  one.lessor.revoke(7n);
  one.server.onApplied();
  pass(clock, 10_000);
  expect(answers()).toEqual([]);
  expect(stream.error).toBe(null);
});

test("the client's half-close ends the stream after the last answer", () => {
  const { members, clock, two, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 60);
  const { requests, stream, answers } = two.openStream();
  requests.send(7n);
  requests.end();
  expect(stream.ended).toBe(false);
  pass(clock, 10);
  expect(answers()).toEqual(["7: 60"]);
  expect(stream.ended).toBe(true);
});

test("renewals of one turn on a follower are one request to the leader", () => {
  const { members, clock, one, two, grant, revoke } = threeMembers();
  members.lead(1, 1n);
  for (let id = 1n; id <= 300n; id++) grant(id, 60);
  revoke(9n);
  const streams = [two.openStream(), two.openStream(), two.openStream()];
  for (let id = 1n; id <= 300n; id++) streams[Number(id % 3n)]!.requests.send(id);
  pass(clock, 10);
  expect(members.requestCount).toBe(1);
  expect(streams[1]!.answers().slice(0, 3)).toEqual(["1: 60", "4: 60", "7: 60"]);
  expect(streams[0]!.answers().slice(0, 3)).toEqual(["3: 60", "6: 60", "9: 0"]);
  expect(streams.map(({ answers }) => answers().length)).toEqual([100, 100, 100]);
  expect(one.server.renewedCount).toBe(299);
  expect(one.lessor.get(5n)?.expiryMs).toBe(clock.monotonicMs() - 10 + 60_000);
});

test("a renewal waits while no leader is known, and goes to the one that comes", () => {
  const { members, clock, two, three: last, grant } = threeMembers();
  members.lead(1, 0n);
  grant(7n, 60);
  const { requests, answers } = two.openStream();
  requests.send(7n);
  pass(clock, 3000);
  expect(answers()).toEqual([]);
  members.lead(2, 3n);
  pass(clock, 10);
  expect(answers()).toEqual(["7: 60"]);
  expect(last.server.renewedCount).toBe(1);
});

test("a renewal that finds no leader in time fails with etcd's words", () => {
  const { members, clock, two, grant } = threeMembers();
  members.lead(1, 0n);
  grant(7n, 60);
  const nobody = two.openStream();
  nobody.requests.send(7n);
  pass(clock, 7600);
  expect(nobody.stream.error).toBe(errNoLeader);
  members.lead(2, 1n);
  members.cut.add(1n);
  const silent = two.openStream();
  silent.requests.send(7n);
  const call = two.timeToLive(7n);
  pass(clock, 7600);
  expect(silent.stream.error).toBe(errTimeout);
  expect(call.error).toBe(errTimeout);
});

test("a renewal asked of a leader that falls silent is asked of the next", () => {
  const { members, clock, two, three: last, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 60);
  members.cut.add(1n);
  const { requests, answers } = two.openStream();
  requests.send(7n);
  const call = two.timeToLive(7n);
  pass(clock, 1500);
  expect(answers()).toEqual([]);
  members.lead(2, 3n);
  pass(clock, 60);
  expect(answers()).toEqual(["7: 60"]);
  expect(call.response).toMatchObject({ TTL: 60, grantedTTL: 60 });
  expect(last.server.renewedCount).toBe(1);
});

test("a member that is asked and does not lead sends the question back, until it leads", () => {
  const { members, clock, one, two, grant } = threeMembers();
  grant(7n, 60);
  two.raft.become(2, 1n);
  one.raft.become(2, 1n, false);
  const { requests, answers } = two.openStream();
  requests.send(7n);
  pass(clock, 1000);
  expect(answers()).toEqual([]);
  expect(members.requestCount).toBeGreaterThan(10);
  expect(members.requestCount).toBeLessThan(25);
  one.raft.tell();
  pass(clock, 60);
  expect(answers()).toEqual(["7: 60"]);
});

test("an expired lease that a new leader gave time again is renewed through a follower", () => {
  const { members, clock, two, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 2);
  const { requests, answers } = two.openStream();
  pass(clock, 2100);
  requests.send(7n);
  pass(clock, 100);
  expect(answers()).toEqual([]);
  members.lead(2, 3n);
  pass(clock, 100);
  expect(answers()).toEqual(["7: 2"]);
});

test("a leader that a majority has not confirmed lately asks before it promises time", () => {
  const { members, clock, one, two, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 60);
  one.readsReady = false;
  one.waitingReads = [];
  const { requests, answers, stream } = one.openStream();
  requests.send(7n);
  pass(clock, 5);
  expect(answers()).toEqual([]);
  one.finishReads(null);
  expect(answers()).toEqual(["7: 60"]);
  // For half an election timeout from the question on that is enough.
  pass(clock, 495);
  requests.send(7n);
  expect(answers().length).toBe(2);
  pass(clock, 10);
  requests.send(7n);
  pass(clock, 5);
  expect(answers().length).toBe(2);
  // It woke up to find another leader: the renewal goes there.
  members.lead(2, 2n);
  one.finishReads(null);
  pass(clock, 10);
  expect(answers().length).toBe(3);
  expect(two.server.renewedCount).toBe(1);
  members.lead(3, 1n);
  requests.send(7n);
  pass(clock, 5);
  one.finishReads(errTimeout);
  expect(stream.error).toBe(errNotPrimary);
});

test("a lease that the leader has not applied yet is looked for again after a read", () => {
  const { members, clock, one, two } = threeMembers();
  members.lead(1, 1n);
  two.lessor.grant(7n, 60, 0);
  one.waitingReads = [];
  const { requests, answers } = two.openStream();
  requests.send(7n);
  pass(clock, 5);
  one.lessor.grant(7n, 60, clock.monotonicMs());
  one.finishReads(null);
  pass(clock, 5);
  expect(answers()).toEqual(["7: 60"]);
});

test("a checkpoint is taken back through the log before a longer time is promised", () => {
  const { members, clock, one, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 3000);
  const { requests, answers } = one.openStream();
  one.lessor.checkpoint(7n, 600);
  requests.send(7n);
  pass(clock, 5);
  expect(answers()).toEqual([]);
  expect(one.proposer.proposed).toEqual([
    {
      kind: CommandKind.leaseCheckpoint,
      request: { checkpoints: [{ ID: 7n, remaining_TTL: 0 }] },
    },
  ]);
  one.lessor.checkpoint(7n, 0);
  one.proposer.waiters.shift()!.succeed({} as never);
  expect(answers()).toEqual(["7: 3000"]);
  // One that is proposed and not applied yet counts as well.
  one.lessor.get(7n)!.checkpointIndex = 5;
  one.applied = 4;
  requests.send(7n);
  pass(clock, 5);
  expect(answers().length).toBe(1);
  one.applied = 6;
  one.proposer.waiters.shift()!.succeed({} as never);
  expect(answers()).toEqual(["7: 3000", "7: 3000"]);
});

test("the time to live of an expired lease is 0 until it is revoked, then -1", () => {
  const { members, clock, one, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 2);
  expect(one.timeToLive(7n).response?.TTL).toBe(2);
  pass(clock, 2300);
  expect(one.timeToLive(7n).response).toMatchObject({ TTL: 0, grantedTTL: 2 });
  one.lessor.revoke(7n);
  expect(one.timeToLive(7n).response).toEqual({ header: { revision: 1 }, ID: 7n, TTL: -1 });
});

test("the time to live through a follower is the leader's, with keys", () => {
  const { members, clock, one, two, grant } = threeMembers();
  members.lead(1, 1n);
  grant(-7n, 60);
  one.lessor.attach(utf8("k"), -7n);
  pass(clock, 1500);
  const calls = [two.timeToLive(-7n, true), two.timeToLive(5n)];
  pass(clock, 5);
  expect(members.requestCount).toBe(1);
  expect(calls[0]!.response).toMatchObject({ ID: -7n, TTL: 58, grantedTTL: 60 });
  expect(calls[0]!.response?.keys?.map((key) => Buffer.from(key).toString())).toEqual(["k"]);
  expect(calls[1]!.response).toEqual({ header: { revision: 1 }, ID: 5n, TTL: -1 });
});

test("a failed read is the answer to a question for the time to live, here and through a follower", () => {
  const { members, clock, one, two, grant } = threeMembers();
  members.lead(1, 1n);
  grant(7n, 60);
  one.waitingReads = [];
  const calls = [one.timeToLive(7n), two.timeToLive(7n)];
  pass(clock, 5);
  one.finishReads(errTimeout);
  pass(clock, 5);
  const errors = calls.map(({ error }) => error as EtcdError);
  expect(errors.map(({ code, message }) => [code, message])).toEqual([
    [errTimeout.code, errTimeout.message],
    [errTimeout.code, errTimeout.message],
  ]);
});
