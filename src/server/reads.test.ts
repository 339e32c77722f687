import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { type EtcdError, errStopped, errTimeout } from "../api/index.ts";
import type { RaftNode } from "./raft-node.ts";
import { Reads } from "./reads.ts";
import { pass } from "./testing/stand-ins.ts";

function setup(catchUp: (() => void) | null = null) {
  const state = { leader: 7n, now: false, applied: 0 };
  const asked: number[] = [];
  const clock = new SimClock();
  const reads = new Reads({
    node: {
      canReadNow: () => state.now,
      appliedIndex: () => state.applied,
      raft: {
        get leader() {
          return state.leader;
        },
        readIndex: (context: number) => {
          if (state.leader === 0n) return "no-leader";
          asked.push(context);
          return null;
        },
      },
    } as unknown as RaftNode,
    clock,
    timeoutMs: 7000,
    wake: () => {},
    catchUp,
    timeoutError: () => errTimeout,
  });
  const served: (EtcdError | null)[] = [];
  const wait = () => reads.wait((problem) => served.push(problem));
  const confirm = (index: number, ...contexts: number[]) => reads.confirmed([{ index, contexts }]);
  return { state, clock, reads, asked, served, wait, confirm };
}

test("Reads serves at once when raft allows it, and not before due ticks were delivered", () => {
  let caughtUp = 0;
  const { state, reads, served, wait } = setup(() => caughtUp++);
  state.now = true;
  expect(reads.isReady()).toBe(true);
  wait();
  expect(served).toEqual([null]);
  expect(caughtUp).toBe(2);
});

test("Reads of one turn are one question; they run once the state has reached its answer", () => {
  const { state, reads, asked, served, wait, confirm } = setup();
  wait();
  wait();
  reads.endBatch();
  wait();
  reads.endBatch();
  expect(asked).toEqual([1, 2]);
  confirm(5, 1);
  expect(served).toEqual([]);
  state.applied = 4;
  reads.onApplied(4);
  expect(served).toEqual([]);
  state.applied = 5;
  reads.onApplied(5);
  expect(served).toEqual([null, null]);
  confirm(5, 2);
  expect(served.length).toBe(3);
});

test("Reads asks again under a fresh number; an answer to the old one serves nobody", () => {
  const { clock, reads, asked, served, wait, confirm } = setup();
  wait();
  reads.endBatch();
  reads.aborted([1]);
  expect(asked).toEqual([1, 2]);
  confirm(0, 1);
  expect(served).toEqual([]);
  pass(clock, 500);
  expect(asked).toEqual([1, 2, 3]);
  confirm(0, 2);
  expect(served).toEqual([]);
  confirm(0, 3);
  expect(served).toEqual([null]);
});

test("Reads waits for a leader and asks as soon as there is one", () => {
  const { state, reads, asked, served, wait, confirm } = setup();
  state.leader = 0n;
  wait();
  reads.endBatch();
  expect(asked).toEqual([]);
  state.leader = 7n;
  reads.retry();
  expect(asked.length).toBe(1);
  confirm(0, asked[0]!);
  expect(served).toEqual([null]);
});

test("Reads fails with a timeout, counts it, and starts anew; a late one has its whole time", () => {
  const { clock, reads, served, wait, asked, confirm } = setup();
  wait();
  reads.endBatch();
  pass(clock, 6000);
  expect(served).toEqual([]);
  wait();
  reads.endBatch();
  pass(clock, 1000);
  expect(served).toEqual([errTimeout]);
  expect(reads.failedCount).toBe(1);
  confirm(0, asked.at(-1)!);
  expect(served).toEqual([errTimeout, null]);
  pass(clock, 1000);
  expect(clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("Reads refuses more than it can hold, and all of them at a stop", () => {
  const { reads, served, wait } = setup();
  for (let i = 0; i < 100_001; i++) wait();
  expect(served).toEqual([errTimeout]);
  reads.stop();
  expect(served.length).toBe(100_001);
  expect(served.at(-1)).toBe(errStopped);
});
