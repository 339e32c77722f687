// A member that knows no leader says so, late enough for an election and seldom enough for a log.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { RecordingLogger } from "./testing/stand-ins.ts";
import { newTestNode, SELF } from "./testing/test-node.ts";

const OTHER = 0xabn;
const THIRD = 9n;

function setup() {
  const clock = new SimClock();
  const logger = new RecordingLogger();
  const node = newTestNode(clock, { voters: [SELF, OTHER, THIRD] });
  const transport = { activeSinceMs: (member: bigint) => (member === THIRD ? 0 : Number.NaN) };
  const watch = new LeaderWatch({ node, transport, clock, logger, electionTimeoutMs: 1000 });
  /** Ticks of 100 ms. */
  const pass = (ms: number) => {
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      clock.stand(100);
      watch.note();
    }
  };
  const header = { from: THIRD, to: SELF, term: 2 } as const;
  const follow = () => {
    node.raft.step({ kind: "heartbeat", ...header, commit: 0, readRound: 0, tick: 1 });
  };
  const lose = () => node.raft.forgetLeader();
  watch.note();
  return { logger, pass, follow, lose };
}

test("LeaderWatch warns after three election timeouts without a leader, then once a minute", () => {
  const { logger, pass } = setup();
  pass(2900);
  expect(logger.lines).toEqual([]);
  pass(100);
  expect(logger.lines).toEqual([
    {
      level: "warn",
      message: "no leader for 3.0s; clients' writes and linearizable reads wait",
      fields: { "local-member-id": SELF, term: 1, voters: 3, "unconnected-voters": ["ab"] },
    },
  ]);
  pass(59_900);
  expect(logger.lines.length).toBe(1);
  pass(100);
  expect(logger.messages()[1]).toStartWith("no leader for 63.0s;");
});

test("LeaderWatch counts anew after a leader, and keeps the minute", () => {
  const { logger, pass, follow, lose } = setup();
  pass(2900);
  follow();
  pass(10_000);
  lose();
  pass(3000);
  expect(logger.lines).toEqual([]);
  pass(100);
  expect(logger.messages()).toEqual([expect.stringContaining("no leader for 3.0s;")]);
  follow();
  pass(100);
  lose();
  pass(30_000);
  expect(logger.lines.length).toBe(1);
  pass(30_000);
  expect(logger.messages()[1]).toStartWith("no leader for 59.8s;");
});
