/**
 * Leases over any sequence of leader changes, pauses, restarts, renewals and checkpoints, with drifting clocks:
 * three members with real lessors, keepers and renewers over a log that is a list. Nothing is revoked before a client
 * may count on it, and everything is, soon after nobody renews any more and a leader stays.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  decodeLeaseCheckpointRequest,
  decodeLeaseRevokeRequest,
  errTimeout,
  ProtoWriter,
} from "../api/index.ts";
import type { Database } from "../database/index.ts";
import type { Clock } from "../io/index.ts";
import { Lessor } from "../lease/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import { LeadershipCheck } from "./leadership-check.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseRenewer } from "./lease-renewer.ts";
import type { Waiter } from "./proposal-queue.ts";
import type { ReadWaiter } from "./reads.ts";
import { FakeRaft } from "./testing/fake-raft.ts";
import { openTestDatabase, pass } from "./testing/stand-ins.ts";

const ELECTION_MS = 1000;
const DRIFT_MAX = 0.01;
const TTL_SECONDS = [20, 60, 2000];
const SCAN_MS = 500;

interface Entry {
  readonly kind: number;
  readonly data: Uint8Array;
  readonly id: bigint;
  readonly ttlSeconds: number;
  readonly waiter: { readonly member: ModelMember; readonly waiter: Waiter } | null;
}

/** Time of one member: the world's, faster or slower, and standing still for nobody. */
class DriftingClock implements Clock {
  readonly #world: SimClock;
  readonly #rate: number;

  constructor(world: SimClock, rate: number) {
    this.#world = world;
    this.#rate = rate;
  }

  monotonicMs(): number {
    return this.#world.monotonicMs() * this.#rate;
  }

  wallMs(): number {
    return this.#world.wallMs();
  }

  setTimer(delayMs: number, fire: () => void) {
    return this.#world.setTimer(delayMs / this.#rate, fire);
  }

  soon(fire: () => void): void {
    this.#world.soon(fire);
  }
}

/** The cluster: one log that everybody applies, and the term that can still commit. */
class ModelCluster {
  readonly world = new SimClock();
  readonly log: Entry[] = [];
  readonly members: ModelMember[] = [];
  readonly checkpoints: boolean;
  /** When a client counts a lease as alive, in the world's time; gone once it is revoked. */
  readonly promised = new Map<bigint, number>();
  readonly early: string[] = [];
  term = 0;
  leader: ModelMember | null = null;
  #nextLease = 1n;
  readonly #fastest: number;

  constructor(rates: readonly number[], checkpoints: boolean) {
    this.checkpoints = checkpoints;
    this.#fastest = Math.max(...rates);
    for (const [i, rate] of rates.entries()) {
      this.members.push(new ModelMember(this, BigInt(i + 1), new DriftingClock(this.world, rate)));
    }
  }

  commit(entry: Entry): void {
    if (entry.kind === CommandKind.leaseRevoke) this.#revoked(entry.id);
    this.log.push(entry);
  }

  #revoked(id: bigint): void {
    const untilMs = this.promised.get(id);
    if (untilMs === undefined) return;
    const earlyMs = untilMs - this.world.monotonicMs();
    if (earlyMs > 1) this.early.push(`lease ${id} was revoked ${earlyMs} ms early`);
    this.promised.delete(id);
  }

  /** Another member leads; the one before learns of it when it is told. */
  elect(member: ModelMember): void {
    this.term++;
    this.leader = member;
    // What a leader proposes commits at once here, so its state is complete when it has applied the log.
    member.catchUp(Number.POSITIVE_INFINITY);
    member.raft.become(this.term, member.raft.memberId);
  }

  grant(ttlSeconds: number): void {
    const id = this.#nextLease++;
    const entry = { kind: CommandKind.leaseGrant, data: new Uint8Array(0), id, ttlSeconds };
    this.log.push({ ...entry, waiter: null });
    // Only what is answered is promised: some member has applied it.
    this.leader?.catchUp(Number.POSITIVE_INFINITY);
    this.promise(id, ttlSeconds);
  }

  promise(id: bigint, ttlSeconds: number): void {
    if (!this.promised.has(id) && this.isRevoked(id)) return;
    const untilMs = this.world.monotonicMs() + (ttlSeconds * 1000) / this.#fastest;
    this.promised.set(id, Math.max(untilMs, this.promised.get(id) ?? 0));
  }

  isRevoked(id: bigint): boolean {
    return this.log.some((entry) => entry.kind === CommandKind.leaseRevoke && entry.id === id);
  }
}

class ModelMember {
  readonly cluster: ModelCluster;
  readonly clock: DriftingClock;
  readonly #database: Database = openTestDatabase();
  readonly id: bigint;
  raft!: FakeRaft;
  lessor!: Lessor;
  keeper!: LeaseKeeper;
  renewer!: LeaseRenewer;
  applied = 0;
  #reads: { readonly waiter: ReadWaiter; readonly led: boolean }[] = [];

  constructor(cluster: ModelCluster, id: bigint, clock: DriftingClock) {
    this.cluster = cluster;
    this.clock = clock;
    this.id = id;
    this.restart();
  }

  /** Whether this member, rather than only itself, thinks that it leads. */
  get leads(): boolean {
    return this.cluster.leader === this && this.raft.term() === this.cluster.term;
  }

  restart(): void {
    this.keeper?.stop();
    this.#reads = [];
    if (this.cluster.leader === this) this.cluster.leader = null;
    this.raft = new FakeRaft(this.id);
    this.raft.last = this.cluster.log.length;
    const { clock, raft } = this;
    const lessor = new Lessor(this.#database, { ttlSecondsMin: 2 });
    this.lessor = lessor;
    const parts = {
      ...{ lessor, clock, raft, electionTimeoutMs: ELECTION_MS },
      appliedIndex: () => this.applied,
    };
    this.keeper = new LeaseKeeper({
      ...parts,
      checkpoints: this.cluster.checkpoints,
      proposer: { proposeAsLeader: (...given) => this.#propose(...given, null) },
    });
    const reads = {
      isReady: () => false,
      wait: (waiter: ReadWaiter) => {
        this.#reads.push({ waiter, led: this.leads });
      },
    };
    this.renewer = new LeaseRenewer({
      ...parts,
      keeper: this.keeper,
      check: new LeadershipCheck({ ...parts, reads }),
      proposer: { propose: (...given) => void this.#propose(...given) },
    });
  }

  /** As raft does: an old leader takes it into its log, where it never commits. */
  #propose<Request>(
    kind: number,
    encode: (writer: ProtoWriter, request: Request) => void,
    request: Request,
    waiter: Waiter | null,
  ): boolean {
    if (!this.raft.isLeader()) return false;
    this.raft.last++;
    if (!this.leads) return true;
    const writer = new ProtoWriter();
    encode(writer, request);
    const data = writer.finish();
    const id = kind === CommandKind.leaseRevoke ? decodeLeaseRevokeRequest(data).ID : 0n;
    const mine = waiter === null ? null : { member: this, waiter };
    this.cluster.commit({ kind, data, id, ttlSeconds: 0, waiter: mine });
    this.raft.last = this.cluster.log.length;
    return true;
  }

  /** Applies up to so many entries; where this member leads it has them all before it speaks. */
  catchUp(count: number): void {
    const end = Math.min(this.cluster.log.length, this.applied + count);
    while (this.applied < end) this.#apply(this.cluster.log[this.applied++]!);
    this.keeper.wake();
  }

  #apply({ kind, data, id, ttlSeconds, waiter }: Entry): void {
    const { lessor } = this;
    if (kind === CommandKind.leaseGrant) lessor.grant(id, ttlSeconds, this.clock.monotonicMs());
    else if (kind === CommandKind.leaseRevoke && lessor.has(id)) lessor.revoke(id);
    else if (kind === CommandKind.leaseCheckpoint) {
      for (const { ID, remaining_TTL } of decodeLeaseCheckpointRequest(data).checkpoints) {
        lessor.checkpoint(ID, remaining_TTL);
      }
    }
    if (waiter?.member === this) waiter.waiter.succeed({} as never);
  }

  /** A round to a majority: it tells a leader that it is one, and an old one that it is not. */
  answerReads(): void {
    const reads = this.#reads.splice(0);
    if (!this.leads) this.raft.become(this.cluster.term, this.cluster.leader?.id ?? 0n);
    else this.catchUp(Number.POSITIVE_INFINITY);
    for (const { waiter } of reads) waiter(this.cluster.leader === null ? errTimeout : null);
  }

  /** The majority answered when it was asked; this member was stopped meanwhile, and hears of it only now. */
  answerReadsLate(): void {
    const reads = this.#reads.splice(0);
    for (const { waiter, led } of reads) waiter(led ? null : errTimeout);
  }

  renew(id: bigint): void {
    this.renewer.renew([id], (result) => {
      if (Array.isArray(result) && result[0]! > 0) this.cluster.promise(id, result[0]!);
    });
  }
}

const memberIndex = fc.nat(2);
const lease = fc.oneof({ weight: 5, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(9) });
function passing(weight: number, msMax: number) {
  const at = fc.integer({ min: 1, max: msMax });
  return { weight, arbitrary: fc.record({ kind: fc.constant("pass"), at }) };
}
function doing(weight: number, kind: string, of = lease) {
  return { weight, arbitrary: fc.record({ kind: fc.constant(kind), at: memberIndex, of }) };
}
const step = fc.oneof(
  doing(1, "grant"),
  doing(4, "renew"),
  doing(8, "renew-all"),
  doing(3, "reads"),
  doing(1, "late-reads"),
  doing(3, "apply"),
  doing(5, "elect"),
  doing(1, "tell"),
  doing(1, "restart"),
  passing(8, 700),
  passing(4, 15_000),
  passing(1, 350_000),
);
type Step = { readonly kind: string; readonly at: number; readonly of?: number };

function run(cluster: ModelCluster, { kind, at, of = 0 }: Step): void {
  const { members, world } = cluster;
  const member = members[at % 3]!;
  if (kind === "grant") cluster.grant(TTL_SECONDS[at]!);
  else if (kind === "renew") member.renew(BigInt(of + 1));
  else if (kind === "renew-all") {
    for (const each of members) {
      each.renew(BigInt(of + 1));
      if (each.leads) each.answerReads();
    }
  } else if (kind === "reads") member.answerReads();
  else if (kind === "late-reads") member.answerReadsLate();
  else if (kind === "apply") member.catchUp(of);
  else if (kind === "restart") member.restart();
  else if (kind === "elect") cluster.elect(member);
  else if (kind === "tell" && !member.leads) {
    member.raft.become(cluster.term, cluster.leader?.id ?? 0n);
  } else if (kind === "pass") {
    // A leader applies what it proposed; an old one learns of the new one within an election timeout, or is paused.
    const until = world.monotonicMs() + at;
    while (world.monotonicMs() < until) {
      pass(world, Math.min(SCAN_MS / 2, until - world.monotonicMs()));
      cluster.leader?.catchUp(Number.POSITIVE_INFINITY);
    }
  }
}

const rates = fc.array(fc.double({ min: 1 - DRIFT_MAX, max: 1 + DRIFT_MAX, noNaN: true }), {
  minLength: 3,
  maxLength: 3,
});

function checkLeases(checkpoints: boolean): void {
  fc.assert(
    fc.property(
      rates,
      fc.array(step, { minLength: 20, maxLength: 80, size: "max" }),
      fc.array(memberIndex),
      (rate, steps, late) => {
        const cluster = new ModelCluster(rate, checkpoints);
        cluster.elect(cluster.members[0]!);
        for (const each of steps) run(cluster, each as Step);
        // Nobody renews any more. Leaders may come and go a few times, then one stays.
        let changes = 0;
        for (const at of late.slice(0, 5)) {
          cluster.elect(cluster.members[at]!);
          run(cluster, { kind: "pass", at: 400_000 });
          changes++;
        }
        cluster.elect(cluster.members[0]!);
        const longestMs = Math.max(...TTL_SECONDS) * 1000 + ELECTION_MS;
        run(cluster, { kind: "pass", at: longestMs * (1 + 2 * DRIFT_MAX) + 2 * SCAN_MS });
        expect(cluster.early).toEqual([]);
        expect(cluster.members[0]!.lessor.count()).toBe(0);
        expect(changes).toBeLessThanOrEqual(5);
      },
    ),
    { numRuns: 150 },
  );
}

test("no lease expires early, and none lives for ever, whoever leads", () => checkLeases(false));
test("the same holds with checkpoints", () => checkLeases(true));

test("an old leader that was asked lately, or answered late, promises nothing it cannot keep", () => {
  const gap = fc.oneof(fc.integer({ min: 0, max: 250 }), fc.integer({ min: 0, max: 3000 }));
  fc.assert(
    fc.property(gap, gap, gap, (before, between, after) => {
      const cluster = new ModelCluster([1, 1, 1], false);
      const [old, next] = cluster.members as [ModelMember, ModelMember];
      cluster.elect(old);
      cluster.grant(60);
      old.renew(1n);
      run(cluster, { kind: "pass", at: before });
      old.answerReads();
      run(cluster, { kind: "pass", at: between });
      old.renew(1n);
      cluster.elect(next);
      run(cluster, { kind: "pass", at: after });
      old.answerReadsLate();
      old.renew(1n);
      run(cluster, { kind: "pass", at: 62_000 });
      expect(cluster.isRevoked(1n)).toBe(true);
      expect(cluster.early).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test("a renewal between a checkpoint's proposal and its application is not cut short by it", () => {
  const gap = fc.integer({ min: 0, max: 1500 });
  fc.assert(
    fc.property(gap, gap, fc.boolean(), (around, between, isRenewed) => {
      const cluster = new ModelCluster([1, 1, 1], true);
      const [old, next] = cluster.members as [ModelMember, ModelMember];
      cluster.elect(old);
      cluster.grant(2000);
      // The checkpoint is proposed about now, and applied a quarter of a second later at most.
      run(cluster, { kind: "pass", at: 299_000 });
      pass(cluster.world, around);
      if (isRenewed) old.renew(1n);
      old.answerReads();
      pass(cluster.world, between);
      cluster.elect(next);
      run(cluster, { kind: "pass", at: 2_002_000 });
      expect(cluster.isRevoked(1n)).toBe(true);
      expect(cluster.early).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test("with checkpoints a lease's time passes across any number of leader changes (etcd 17132)", () => {
  const cluster = new ModelCluster([1, 1, 1], true);
  cluster.elect(cluster.members[0]!);
  cluster.grant(2000);
  const startMs = cluster.world.monotonicMs();
  // Each leader stays for 6 minutes: one checkpoint each. Without them the lease would never end.
  for (let i = 0; i < 20 && !cluster.isRevoked(1n); i++) {
    run(cluster, { kind: "pass", at: 360_000 });
    for (const member of cluster.members) member.catchUp(Number.POSITIVE_INFINITY);
    if (i % 4 === 3) cluster.members[(i + 1) % 3]!.restart();
    cluster.elect(cluster.members[(i + 1) % 3]!);
  }
  expect(cluster.isRevoked(1n)).toBe(true);
  const lastedMs = cluster.world.monotonicMs() - startMs;
  expect(cluster.early).toEqual([]);
  // Each change costs at most the minute since the last checkpoint and an election timeout.
  expect(lastedMs).toBeLessThanOrEqual(2_000_000 + 9 * 61_500);
});
