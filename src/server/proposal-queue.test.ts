import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { errStopped, errTimeout } from "../api/index.ts";
import { ProposalQueue } from "./proposal-queue.ts";
import { pass } from "./testing/stand-ins.ts";
import { newTestCall } from "./testing/test-call.ts";
import { newTestRandom } from "./testing/test-random.ts";

const TIMEOUT_MS = 7000;

test("ProposalQueue gives each waiter to whoever knows its id, once", () => {
  const queue = new ProposalQueue(new SimClock(), newTestRandom(), TIMEOUT_MS);
  const [first, second] = [newTestCall(), newTestCall()];
  const ids = [queue.register(first), queue.register(second)];
  expect(queue.size).toBe(2);
  expect(queue.take(ids[1]!)).toBe(second);
  expect(queue.take(ids[1]!)).toBeUndefined();
  expect(queue.take(12345)).toBeUndefined();
  expect(queue.take(ids[0]!)).toBe(first);
  expect(queue.size).toBe(0);
});

test("ProposalQueue fails who waited too long, not before, and counts it", () => {
  const clock = new SimClock();
  const queue = new ProposalQueue(clock, newTestRandom(), TIMEOUT_MS);
  const early = newTestCall();
  queue.register(early);
  pass(clock, 3000);
  const late = newTestCall();
  const lateId = queue.register(late);
  pass(clock, TIMEOUT_MS - 3000 - 1);
  expect(early.answered).toBe(false);
  pass(clock, 501);
  expect(early.error).toBe(errTimeout);
  expect(late.answered).toBe(false);
  expect(queue.failedCount).toBe(1);
  // Applied after all: nobody waits any more, and nobody is answered twice.
  expect(queue.take(lateId)).toBe(late);
  pass(clock, 60_000);
  expect(late.answered).toBe(false);
});

test("ProposalQueue needs no timer while nobody waits", () => {
  const clock = new SimClock();
  const queue = new ProposalQueue(clock, newTestRandom(), TIMEOUT_MS);
  expect(clock.runNext(Number.POSITIVE_INFINITY)).toBe(false);
  queue.take(queue.register(newTestCall()));
  pass(clock, 1000);
  expect(clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("ProposalQueue fails all at a stop", () => {
  const clock = new SimClock();
  const queue = new ProposalQueue(clock, newTestRandom(), TIMEOUT_MS);
  const calls = [newTestCall(), newTestCall()];
  for (const call of calls) queue.register(call);
  queue.failAll(errStopped);
  expect(calls.map((call) => call.error)).toEqual([errStopped, errStopped]);
  expect(clock.runNext(Number.MAX_SAFE_INTEGER)).toBe(false);
});

test("ProposalQueue takes ids that an earlier run did not use", () => {
  const clock = new SimClock();
  const before = new ProposalQueue(clock, newTestRandom(), TIMEOUT_MS);
  let last = 0;
  for (let i = 0; i < 1000; i++) last = before.register(newTestCall());
  // Also within one second of its end.
  const after = new ProposalQueue(clock, newTestRandom(4_000_000_000), TIMEOUT_MS);
  const id = after.register(newTestCall());
  expect(Math.abs(id - last)).toBeGreaterThan(2 ** 31);
  expect(Number.isSafeInteger(id)).toBe(true);
  expect(after.take(last)).toBeUndefined();
});
