// The leader's duties towards leases, over the real lessor.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { FakeRaft } from "./testing/fake-raft.ts";
import { openTestDatabase, pass, RecordingProposer } from "./testing/stand-ins.ts";

function setup(checkpoints = false) {
  const clock = new SimClock();
  const proposer = new RecordingProposer();
  const lessor = new Lessor(openTestDatabase(), { ttlSecondsMin: 2 });
  const raft = new FakeRaft();
  const applied = { index: 0 };
  const propose = proposer.proposeAsLeader.bind(proposer);
  proposer.proposeAsLeader = (kind, encode, request) => {
    const accepted = propose(kind, encode, request);
    if (accepted) raft.last++;
    return accepted;
  };
  const keeper = new LeaseKeeper({
    ...{ lessor, raft, clock, checkpoints },
    proposer: proposer.asProposer,
    appliedIndex: () => applied.index,
    electionTimeoutMs: 1000,
  });
  raft.become(1, 1n);
  const grant = (id: bigint, ttlSeconds: number) => {
    lessor.grant(id, ttlSeconds, clock.monotonicMs());
    keeper.wake();
  };
  const revoked = () =>
    proposer.proposed
      .filter(({ kind }) => kind === CommandKind.leaseRevoke)
      .map(({ request }) => request.ID as bigint);
  return { clock, proposer, lessor, raft, applied, keeper, grant, revoked };
}

test("LeaseKeeper revokes a lease never before its time, and half a second after it at most", () => {
  const { clock, grant, revoked } = setup();
  grant(1n, 5);
  pass(clock, 333);
  grant(2n, 5);
  pass(clock, 4999 - 333);
  expect(revoked()).toEqual([]);
  pass(clock, 333);
  expect(revoked()).toEqual([1n]);
  pass(clock, 501);
  expect(revoked()).toEqual([1n, 2n]);
});

test("LeaseKeeper leaves a renewed lease alone until its new time", () => {
  const { clock, lessor, grant, revoked } = setup();
  grant(1n, 5);
  pass(clock, 4900);
  lessor.renew(1n, clock.monotonicMs());
  pass(clock, 4999);
  expect(revoked()).toEqual([]);
  pass(clock, 501);
  expect(revoked()).toEqual([1n]);
});

test("LeaseKeeper revokes a burst in bounded groups", () => {
  const { clock, proposer, keeper, grant, revoked } = setup();
  for (let id = 1n; id <= 1200n; id++) grant(id, 5);
  const groups: number[] = [];
  for (let i = 0; i < 16; i++) {
    const before = proposer.proposed.length;
    pass(clock, 500);
    if (proposer.proposed.length > before) groups.push(proposer.proposed.length - before);
  }
  expect(groups).toEqual([500, 500, 200]);
  expect(new Set(revoked()).size).toBe(1200);
  expect(keeper.expiredCount).toBe(1200);
});

test("LeaseKeeper asks again only for what was refused, here or by the state machine", () => {
  const { clock, lessor, proposer, raft, applied, grant, revoked } = setup();
  grant(1n, 5);
  proposer.refuses = true;
  pass(clock, 6000);
  expect(revoked()).toEqual([]);
  proposer.refuses = false;
  pass(clock, 501);
  expect(revoked()).toEqual([1n]);
  // In the log and not applied: a second one could meet a lease that is granted anew.
  pass(clock, 60_000);
  expect(revoked()).toEqual([1n]);
  applied.index = raft.last;
  pass(clock, 7501);
  expect(revoked()).toEqual([1n, 1n]);
  lessor.revoke(1n);
  pass(clock, 60_000);
  expect(revoked()).toEqual([1n, 1n]);
});

test("LeaseKeeper runs no timer without leases, without leading, and after a stop", () => {
  const { clock, raft, keeper, grant } = setup();
  keeper.wake();
  const idle = () => !clock.runNext(clock.monotonicMs() + 10_000);
  expect(idle()).toBe(true);
  grant(1n, 600);
  expect(idle()).toBe(false);
  raft.become(2, 2n);
  while (!idle());
  keeper.wake();
  expect(idle()).toBe(true);
  raft.become(3, 1n);
  keeper.wake();
  keeper.stop();
  keeper.wake();
  expect(idle()).toBe(true);
});

test("LeaseKeeper: leases run anew with every leadership, an election timeout longer", () => {
  const { clock, raft, keeper, grant, revoked } = setup();
  grant(1n, 5);
  pass(clock, 4000);
  raft.become(2, 2n);
  expect(keeper.leadingTerm()).toBe(0);
  pass(clock, 60_000);
  expect(revoked()).toEqual([]);
  // Leading by raft's rules, but its state is not complete yet.
  raft.become(3, 1n, false);
  expect(keeper.leadingTerm()).toBe(0);
  pass(clock, 60_000);
  expect(revoked()).toEqual([]);
  raft.tell();
  expect(keeper.leadingTerm()).toBe(3);
  pass(clock, 5999);
  expect(revoked()).toEqual([]);
  pass(clock, 501);
  expect(revoked()).toEqual([1n]);
});

test("LeaseKeeper revokes nothing in a term in which its times did not begin (incident 17)", () => {
  const { clock, raft, keeper, grant, revoked } = setup();
  grant(1n, 5);
  // Raft lost and won the leadership while nobody was told: another leader may have renewed the lease.
  raft.learn(3, 1n);
  expect(keeper.leadingTerm()).toBe(0);
  pass(clock, 60_000);
  expect(revoked()).toEqual([]);
  raft.tell();
  pass(clock, 5999);
  expect(revoked()).toEqual([]);
  pass(clock, 501);
  expect(revoked()).toEqual([1n]);
});

test("LeaseKeeper replicates what long leases have left, every five minutes, if that is wanted", () => {
  for (const wanted of [true, false]) {
    const { clock, lessor, proposer, grant } = setup(wanted);
    const entries = () =>
      proposer.proposed
        .filter(({ kind }) => kind === CommandKind.leaseCheckpoint)
        .map(({ request }) => request.checkpoints);
    grant(1n, 1000);
    grant(2n, 300);
    grant(3n, 400);
    pass(clock, 299_000);
    // Too short a time is not worth an entry, however much is left.
    lessor.renew(2n, clock.monotonicMs());
    grant(4n, 500);
    pass(clock, 900);
    expect(entries()).toEqual([]);
    pass(clock, 600);
    const first = [
      { ID: 1n, remaining_TTL: 700 },
      { ID: 3n, remaining_TTL: 100 },
      { ID: 4n, remaining_TTL: 499 },
    ];
    expect(entries()).toEqual(wanted ? [first] : []);
    pass(clock, 298_000);
    expect(entries().length).toBe(wanted ? 1 : 0);
  }
});

test("LeaseKeeper puts at most a thousand checkpoints into one entry", () => {
  const { clock, proposer, grant } = setup(true);
  for (let id = 1n; id <= 2500n; id++) grant(id, 5000);
  pass(clock, 301_000);
  const sizes = proposer.proposed.map(({ request }) => (request.checkpoints as unknown[]).length);
  expect(sizes).toEqual([1000, 1000, 500]);
});
