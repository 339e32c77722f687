// Changes reach the leader as questions: asked again while the moment is wrong, never while the answer is unknown.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import {
  type EtcdError,
  errLearnerNotReady,
  errMemberNotEnoughStarted,
  errMemberNotFound,
  errTimeout,
} from "../api/index.ts";
import { NoPeers, type PeerAnswer, type PeerTransport } from "../peer/index.ts";
import type { ProposeResult } from "../raft/index.ts";
import { decodeMembershipEntry, type MembershipEntry } from "../state-machine/index.ts";
import {
  LogMembershipProposer,
  MEMBERSHIP_REQUEST,
  type MembershipRequest,
} from "./membership-proposer.ts";
import { PeerRequests } from "./peer-requests.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import type { ReconfigurationGuard } from "./reconfiguration-guard.ts";
import { newTestRandom } from "./testing/test-random.ts";

const TIMEOUT_MS = 7000;

const member = { id: 9n, peerUrls: ["http://p:9"], name: "", clientUrls: [], isLearner: false };

/** Members of one cluster whose questions reach each other in later turns. */
class Bench {
  readonly clock: SimClock;
  readonly requests = new PeerRequests();
  readonly queue: ProposalQueue;
  readonly proposer: LogMembershipProposer;
  leader = 0n;
  connectedSinceMs = 0;
  /** What raft answers, one after the other; the last one stays. */
  results: ProposeResult[] = [1];
  matches = new Map<bigint, number>();
  refusalToPromote: EtcdError | null = null;
  readonly proposed: MembershipEntry[] = [];
  outcome: unknown = null;
  /** Null: the answer is lost. */
  remote: Bench | null = null;
  asked = 0;

  constructor(clock: SimClock, memberId: bigint) {
    this.clock = clock;
    this.queue = new ProposalQueue(clock, newTestRandom(Number(memberId)), TIMEOUT_MS);
    this.proposer = new LogMembershipProposer({
      raft: {
        memberId,
        isLeader: () => this.leader === memberId,
        leader: () => this.leader,
        proposeMembershipChange: (_change, data) => {
          const result = this.results.length > 1 ? this.results.shift()! : this.results[0]!;
          if (typeof result === "number") this.proposed.push(decodeMembershipEntry(data)!);
          return result;
        },
        matchOf: (id) => this.matches.get(id) ?? -1,
      },
      wake: () => {},
      queue: this.queue,
      transport: this.#transport(memberId),
      peerRequests: this.requests,
      guard: { refusalToPromote: () => this.refusalToPromote } as unknown as ReconfigurationGuard,
      clock,
      learnersMax: 2,
      timeoutMs: TIMEOUT_MS,
    });
  }

  #transport(memberId: bigint): PeerTransport {
    const transport: PeerTransport = new NoPeers();
    transport.activeSinceMs = () => this.connectedSinceMs;
    transport.request = (_to, name, body, _timeoutMs, done) => {
      this.asked++;
      const answer = (given: PeerAnswer | null) => this.clock.soon(() => done(given));
      // The connection broke after a second.
      if (this.remote === null) this.clock.setTimer(1000, () => done(null));
      else this.remote.requests.handle(memberId, name, body, answer);
    };
    return transport;
  }

  propose(request: MembershipRequest = { change: "add-voter", member }): void {
    this.proposer.proposeChange(request, {
      succeed: (reply) => {
        this.outcome = reply;
      },
      fail: (error) => {
        this.outcome = error;
      },
    });
  }

  pass(milliseconds: number): void {
    const untilMs = this.clock.monotonicMs() + milliseconds;
    while (this.clock.runNext(untilMs));
  }

  /** The log's answer to the change that was proposed last. */
  reply(entry: MembershipEntry): void {
    this.queue.take(entry.requestId)?.succeed({ members: [member] } as never);
  }
}

function leading(): Bench {
  const bench = new Bench(new SimClock(), 1n);
  bench.leader = 1n;
  return bench;
}

function following(): { follower: Bench; leader: Bench } {
  const leader = leading();
  const follower = new Bench(leader.clock, 2n);
  follower.leader = 1n;
  follower.remote = leader;
  return { follower, leader };
}

test("the leader proposes at once, with its limit of learners, and the log answers", () => {
  const bench = leading();
  bench.propose({ change: "add-learner", member });
  const entry = bench.proposed[0]!;
  expect(entry).toMatchObject({ change: "add-learner", learnersMax: 2, origin: 1 });
  expect(bench.outcome).toBeNull();
  bench.reply(entry);
  expect(bench.outcome).toEqual({ members: [member] });
});

test("while another change is under way it is tried again", () => {
  const bench = leading();
  bench.results = ["membership-change-pending", "no-commit-in-term", "transferring", 7];
  bench.propose();
  expect(bench.proposed.length).toBe(0);
  bench.pass(1000);
  expect(bench.proposed.length).toBe(1);
  bench.pass(1000);
  expect(bench.proposed.length).toBe(1);
});

test("it is tried until the deadline, and not after it", () => {
  const bench = leading();
  bench.results = ["membership-change-pending"];
  bench.propose();
  bench.pass(TIMEOUT_MS + 1000);
  expect(bench.outcome).toBe(errTimeout);
  bench.results = [5];
  bench.pass(1000);
  expect(bench.proposed.length).toBe(0);
});

test("what raft refuses for good is an error", () => {
  const bench = leading();
  bench.results = ["last-voter"];
  bench.propose({ change: "remove", member });
  expect(bench.outcome).toBe(errMemberNotEnoughStarted);
  expect(bench.queue.size).toBe(0);
});

test("a learner is promoted when it has nine tenths of the leader's log", () => {
  const bench = leading();
  const promote = { change: "promote", member } as const;
  bench.matches.set(1n, 100);
  bench.propose(promote);
  expect(bench.outcome).toBe(errMemberNotFound);
  bench.matches.set(9n, 89);
  bench.propose(promote);
  expect(bench.outcome).toBe(errLearnerNotReady);
  bench.matches.set(9n, 90);
  bench.refusalToPromote = errMemberNotEnoughStarted;
  bench.propose(promote);
  expect(bench.outcome).toBe(errMemberNotEnoughStarted);
  bench.refusalToPromote = null;
  bench.propose(promote);
  expect(bench.proposed.map(({ change }) => change)).toEqual(["promote"]);
});

test("a follower asks the leader, which proposes in its name", () => {
  const { follower, leader } = following();
  follower.propose();
  follower.pass(1);
  const entry = leader.proposed[0]!;
  expect(entry.origin).toBe(2);
  expect(follower.proposed.length).toBe(0);
  follower.reply(entry);
  expect(follower.outcome).toEqual({ members: [member] });
});

test("a follower gets the leader's error, and asks again when it is too early", () => {
  const { follower, leader } = following();
  leader.matches.set(1n, 100).set(9n, 1);
  follower.propose({ change: "promote", member });
  follower.pass(1);
  expect(follower.outcome).toEqual(errLearnerNotReady);
  leader.results = ["membership-change-pending", 4];
  follower.propose();
  follower.pass(1000);
  expect(leader.proposed.length).toBe(1);
});

test("without a leader, or a connection to it, a change waits for one", () => {
  const { follower, leader } = following();
  follower.leader = 0n;
  follower.propose();
  follower.pass(500);
  follower.leader = 1n;
  follower.connectedSinceMs = Number.NaN;
  follower.pass(500);
  expect(follower.asked).toBe(0);
  follower.connectedSinceMs = 0;
  follower.pass(500);
  expect(leader.proposed.length).toBe(1);
});

test("a question whose answer is lost is not repeated: it may have been taken", () => {
  const { follower } = following();
  follower.remote = null;
  follower.propose();
  follower.pass(TIMEOUT_MS + 1000);
  expect(follower.asked).toBe(1);
  expect(follower.outcome).toBe(errTimeout);
});

test("a question to somebody who does not lead any more is asked again", () => {
  const { follower, leader } = following();
  leader.leader = 3n;
  follower.propose();
  follower.pass(200);
  expect(follower.outcome).toBeNull();
  leader.leader = 1n;
  follower.pass(200);
  expect(leader.proposed.length).toBe(1);
});

test("bytes that are no change are refused", () => {
  const { leader } = following();
  const statuses: number[] = [];
  leader.requests.handle(2n, MEMBERSHIP_REQUEST, new Uint8Array([1, 2, 3]), ({ status }) => {
    statuses.push(status);
  });
  expect(statuses).toEqual([3]);
  expect(leader.proposed.length).toBe(0);
});
