// The schedules of automatic compaction, on a clock and a store of the test.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import type { Store } from "../mvcc/index.ts";
import { CommandKind } from "../state-machine/index.ts";
import { AutoCompactor, type Retention } from "./auto-compactor.ts";
import { pass, RecordingLogger, RecordingProposer } from "./testing/stand-ins.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function setup(retention: Retention) {
  const clock = new SimClock();
  const proposer = new RecordingProposer();
  const logger = new RecordingLogger();
  const startMs = clock.monotonicMs();
  const state = { growing: true, revision: 1 };
  /** One revision a minute, so that a revision says when it was made. */
  const minutes = () => Math.floor((clock.monotonicMs() - startMs) / MINUTE_MS);
  const store = {
    revision: () => (state.growing ? minutes() + 1 : state.revision),
  } as unknown as Store;
  const compactor = new AutoCompactor(
    { store, proposer: proposer.asProposer, clock, logger },
    retention,
  );
  compactor.start();
  const revisions = () => proposer.proposed.map(({ request }) => request.revision);
  return { clock, proposer, logger, state, compactor, revisions, minutes };
}

test("AutoCompactor periodic: nothing before a whole period, then what is a period old, each period", () => {
  const { clock, revisions, proposer } = setup({ mode: "periodic", periodMs: 10 * MINUTE_MS });
  pass(clock, 10 * MINUTE_MS - 1);
  expect(revisions()).toEqual([]);
  pass(clock, 1);
  expect(revisions()).toEqual([1]);
  expect(proposer.proposed[0]!.kind).toBe(CommandKind.compaction);
  pass(clock, 20 * MINUTE_MS);
  expect(revisions()).toEqual([1, 11, 21]);
});

test("AutoCompactor periodic: of a long period every hour, always a whole period back", () => {
  const { clock, revisions } = setup({ mode: "periodic", periodMs: 24 * HOUR_MS });
  pass(clock, 24 * HOUR_MS - 1);
  expect(revisions()).toEqual([]);
  pass(clock, 2 * HOUR_MS + 1);
  expect(revisions()).toEqual([1, 61, 121]);
});

test("AutoCompactor periodic: a compaction that was not possible is tried again a tenth later", () => {
  const { clock, proposer, logger, revisions } = setup({ mode: "periodic", periodMs: HOUR_MS });
  proposer.refuses = true;
  pass(clock, HOUR_MS);
  expect(logger.messages()).toEqual([
    "starting auto periodic compaction",
    "failed auto periodic compaction",
  ]);
  proposer.refuses = false;
  pass(clock, 6 * MINUTE_MS);
  expect(revisions()).toEqual([7]);
  pass(clock, HOUR_MS - 1);
  expect(revisions()).toEqual([7]);
});

test("AutoCompactor periodic: nothing new is nothing to do, and is done soon after there is", () => {
  const { clock, state, revisions } = setup({ mode: "periodic", periodMs: HOUR_MS });
  state.growing = false;
  state.revision = 5;
  pass(clock, HOUR_MS);
  const first = revisions().length;
  pass(clock, 10 * HOUR_MS);
  expect(revisions()).toEqual([1, 5].slice(0, first + 1));
  state.revision = 9;
  pass(clock, HOUR_MS + 6 * MINUTE_MS);
  expect(revisions().at(-1)).toBe(9);
});

test("AutoCompactor revision: every five minutes all but the newest, if that is something new", () => {
  const { clock, state, revisions } = setup({ mode: "revision", revisions: 100 });
  state.growing = false;
  state.revision = 100;
  pass(clock, 5 * MINUTE_MS);
  expect(revisions()).toEqual([]);
  state.revision = 101;
  pass(clock, 5 * MINUTE_MS - 1);
  expect(revisions()).toEqual([]);
  pass(clock, 1);
  expect(revisions()).toEqual([1]);
  pass(clock, 30 * MINUTE_MS);
  expect(revisions()).toEqual([1]);
  state.revision = 350;
  pass(clock, 5 * MINUTE_MS);
  expect(revisions()).toEqual([1, 250]);
});

test("AutoCompactor says when it begins and when it is done", () => {
  const { clock, logger } = setup({ mode: "revision", revisions: 1 });
  pass(clock, 5 * MINUTE_MS);
  expect(logger.messages()).toEqual([
    "starting auto revision compaction",
    "completed auto revision compaction",
  ]);
});

test("AutoCompactor stops, and without a retention never starts", () => {
  const { clock, compactor, revisions } = setup({ mode: "revision", revisions: 1 });
  compactor.stop();
  pass(clock, HOUR_MS);
  expect(revisions()).toEqual([]);
  expect(setup({ mode: "off" }).clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});
