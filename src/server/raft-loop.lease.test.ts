// Reads by the leader's lease, where the others may not keep the promise that it relies on.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { errTimeout } from "../api/index.ts";
import { NoPeers } from "../peer/index.ts";
import type { Message } from "../raft/index.ts";
import type { WriteAheadLog } from "../wal/index.ts";
import { LeaseTrust } from "./lease-trust.ts";
import { RaftLoop } from "./raft-loop.ts";
import { Reads } from "./reads.ts";
import { pass, RecordingLogger } from "./testing/stand-ins.ts";
import { newTestNode, SELF } from "./testing/test-node.ts";

const OTHER = 8n;
const THIRD = 9n;
const FOURTH = 10n;
const ELECTION_MS = 1000;

class Peers extends NoPeers {
  readonly obstacles = new Map<bigint, string>();
  sent: Message[] = [];

  override leaseObstacle(member: bigint): string | null {
    return this.obstacles.get(member) ?? null;
  }

  override send(messages: readonly Message[] = []): void {
    this.sent.push(...messages);
  }
}

function setup() {
  const clock = new SimClock();
  const logger = new RecordingLogger();
  const transport = new Peers();
  const node = newTestNode(clock, { voters: [SELF, OTHER, THIRD], readMode: "lease" });
  const wake = () => loop.wake();
  const catchUp = () => loop.catchUp();
  const timeoutError = () => errTimeout;
  const reads = new Reads({ node, clock, timeoutMs: 7000, wake, catchUp, timeoutError });
  const loop: RaftLoop = new RaftLoop({
    ...{ clock, node, transport, reads },
    wal: { append: () => {}, flush: (done: () => void) => done() } as unknown as WriteAheadLog,
    tickIntervalMs: 100,
    leaseTrust: new LeaseTrust({ node, transport, clock, logger, patienceMs: ELECTION_MS }),
    proposalTimeoutMs: 7000,
    apply: ({ index }) => {
      if (index === 2) loop.applyMembership(index, { kind: "add-voter", member: FOURTH });
    },
    onTick: () => {},
    onApplied: () => {},
    sendSnapshot: () => {},
    installSnapshot: () => {},
  });
  return { clock, logger, transport, node, reads, loop };
}

/** Elected by THIRD, the only one that answers. */
function leading() {
  const world = setup();
  const { clock, transport, node, loop } = world;
  const header = { from: THIRD, to: SELF } as const;
  /** A tick, and what THIRD says to all that was sent meanwhile. */
  const beat = () => {
    transport.sent = [];
    pass(clock, 100);
    for (const message of transport.sent) {
      if (message.to === THIRD) loop.receive(answerTo(message, header));
    }
    pass(clock, 0);
  };
  loop.start();
  for (let i = 0; i < 50 && node.appliedIndex() < 1; i++) beat();
  beat();
  expect([node.raft.role, node.appliedIndex()]).toEqual(["leader", 1]);
  return { ...world, beat };
}

function answerTo(message: Message, header: { from: bigint; to: bigint }): Message[] {
  const granted = { ...header, term: message.term, granted: true, commit: 0, commitTerm: 0 };
  switch (message.kind) {
    case "pre-vote":
      return [{ kind: "pre-vote-response", ...granted }];
    case "vote":
      return [{ kind: "vote-response", ...granted }];
    case "append": {
      const index = message.previousIndex + message.entries.length;
      return [{ kind: "append-accepted", ...header, term: message.term, index }];
    }
    case "heartbeat": {
      const { term, tick, readRound } = message;
      return [{ kind: "heartbeat-response", ...header, term, tick, readRound }];
    }
    default:
      return [];
  }
}

function warnings(logger: RecordingLogger): string[] {
  return logger.lines.map(
    ({ level, fields }) => `${level} ${fields["remote-peer-id"]} ${fields.error}`,
  );
}

test("a lease is used only while all other voters keep leases; the log names who does not, and why", () => {
  const { reads, transport, logger, beat } = leading();
  const electionTimeout = () => {
    for (let i = 0; i <= 10; i++) beat();
  };
  expect(reads.isReady()).toBe(true);
  transport.obstacles.set(OTHER, "why not");
  expect(reads.isReady()).toBe(false);
  beat();
  expect(logger.lines).toEqual([]);
  electionTimeout();
  electionTimeout();
  expect(warnings(logger)).toEqual(["warn 8 why not"]);
  transport.obstacles.set(OTHER, "something else");
  electionTimeout();
  expect(warnings(logger)).toEqual(["warn 8 why not", "warn 8 something else"]);
  transport.obstacles.clear();
  expect(reads.isReady()).toBe(true);
  electionTimeout();
  expect(logger.lines.slice(2).map(({ level }) => level)).toEqual(["info"]);
});

test("only other voters count, from when they are voters", () => {
  const { reads, transport, node, loop, beat } = leading();
  transport.obstacles.set(SELF, "it is this member").set(FOURTH, "it is no voter yet");
  expect(reads.isReady()).toBe(true);
  node.raft.proposeMembershipChange({ kind: "add-voter", member: FOURTH }, new Uint8Array(1));
  loop.wake();
  for (let i = 0; i < 5; i++) beat();
  expect(node.raft.configuration.voters).toEqual([SELF, OTHER, THIRD, FOURTH]);
  expect(reads.isReady()).toBe(false);
});

test("a read takes a round where the lease is not trusted", () => {
  const { reads, transport, clock, beat } = leading();
  transport.obstacles.set(OTHER, "why not");
  let answered = 0;
  reads.wait((problem) => {
    expect(problem).toBeNull();
    answered++;
  });
  pass(clock, 0);
  expect(answered).toBe(0);
  beat();
  expect(answered).toBe(1);
});
