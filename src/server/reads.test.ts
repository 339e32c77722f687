import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { type EtcdError, errStopped, errTimeout } from "../api/index.ts";
import type { ReplicatedLog } from "../raft/index.ts";
import type { StateMachine } from "../state-machine/index.ts";
import { Reads } from "./reads.ts";
import { pass } from "./testing/stand-ins.ts";

function setup() {
  const state = { readable: false, commit: 0, applied: 0 };
  const clock = new SimClock();
  const reads = new Reads({
    log: {
      isReadable: () => state.readable,
      status: () => ({ commit: state.commit }),
    } as unknown as ReplicatedLog,
    stateMachine: { appliedIndex: () => state.applied } as unknown as StateMachine,
    clock,
    timeoutMs: 7000,
  });
  const served: (EtcdError | null)[] = [];
  return { state, clock, reads, served, wait: () => reads.wait((problem) => served.push(problem)) };
}

test("Reads serves at once when the log allows it", () => {
  const { state, reads, served, wait } = setup();
  state.readable = true;
  expect(reads.isReady()).toBe(true);
  wait();
  expect(served).toEqual([null]);
});

test("Reads waits for the first entry of the term and for what is committed, in order", () => {
  const { state, reads, served, wait } = setup();
  wait();
  wait();
  state.commit = 5;
  reads.onApplied();
  expect(served).toEqual([]);
  state.readable = true;
  state.applied = 4;
  reads.onApplied();
  expect(served).toEqual([]);
  // Others are waiting: a new read does not overtake them.
  expect(reads.isReady()).toBe(false);
  wait();
  state.applied = 5;
  reads.onApplied();
  expect(served).toEqual([null, null, null]);
  expect(reads.isReady()).toBe(true);
});

test("Reads fails with a timeout, counts it, and starts anew", () => {
  const { state, clock, reads, served, wait } = setup();
  wait();
  pass(clock, 6999);
  expect(served).toEqual([]);
  pass(clock, 1);
  expect(served).toEqual([errTimeout]);
  expect(reads.failedCount).toBe(1);
  wait();
  state.readable = true;
  reads.onApplied();
  expect(served).toEqual([errTimeout, null]);
  expect(clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("a read that came late has its whole time", () => {
  const { clock, served, wait } = setup();
  wait();
  pass(clock, 6000);
  wait();
  pass(clock, 1000);
  expect(served).toEqual([errTimeout]);
  pass(clock, 6000);
  expect(served).toEqual([errTimeout, errTimeout]);
});

test("Reads refuses more than it can hold, and all of them at a stop", () => {
  const { reads, served, wait } = setup();
  for (let i = 0; i < 100_001; i++) wait();
  expect(served).toEqual([errTimeout]);
  reads.stop();
  expect(served.length).toBe(100_001);
  expect(served.at(-1)).toBe(errStopped);
});
