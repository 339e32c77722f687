import { expect, test } from "bun:test";
import fc from "fast-check";
import { frame, POST, TestPeer, uint32 } from "../../../test/http2-peer.ts";
import type { Clock } from "../../io/index.ts";
import { type AnswerAccount, AnswerBudget } from "./answer-budget.ts";
import type { Http2Stream } from "./stream.ts";

const KIBI = 1024;
const MEBI = 1024 * KIBI;

/** An account that holds `bytes`; a closed one gives them back, as a connection does. */
function holder(budget: AnswerBudget, bytes: number, closed: AnswerAccount[] = []): AnswerAccount {
  const account = budget.open();
  account.onClose = () => {
    closed.push(account);
    account.giveBack(account.bytes);
  };
  account.add(bytes);
  return account;
}

const reviewTimes = (budget: AnswerBudget, count: number): void => {
  for (let i = 0; i < count; i++) budget.review();
};

test("AnswerBudget turns away first who holds much, and lets small answers go on when it is full", () => {
  const budget = new AnswerBudget(32 * MEBI);
  const idle = budget.open();
  const big = holder(budget, 16 * MEBI);
  expect(big.allows(8 * MEBI)).toBe(true);
  const other = holder(budget, 1 * MEBI);
  expect(big.allows(0)).toBe(false);
  expect(other.allows(8 * MEBI)).toBe(true);
  expect(idle.allows(8 * MEBI)).toBe(true);
  expect(idle.allows(16 * MEBI)).toBe(false);
  other.add(15 * MEBI);
  expect(budget.isFull).toBe(true);
  expect(other.allows(0)).toBe(false);
  expect(idle.allows(0)).toBe(true);
  expect(idle.allows(63 * KIBI)).toBe(true);
  expect(idle.allows(64 * KIBI)).toBe(false);
  big.giveBack(16 * MEBI);
  expect(other.allows(8 * MEBI)).toBe(true);
});

test("AnswerBudget.review closes who holds most for longest, and no more than it takes", () => {
  const budget = new AnswerBudget(32 * MEBI);
  const closed: AnswerAccount[] = [];
  const reading = holder(budget, 12 * MEBI, closed);
  const small = holder(budget, 5 * MEBI, closed);
  const largest = holder(budget, 8 * MEBI, closed);
  const second = holder(budget, 7 * MEBI, closed);
  const tiny = holder(budget, KIBI, closed);
  for (let i = 0; i < 4; i++) {
    reading.giveBack(2 * MEBI);
    reading.add(2 * MEBI);
    budget.review();
  }
  expect(closed).toEqual([]);
  reading.giveBack(2 * MEBI);
  budget.review();
  expect(closed.length).toBe(2);
  expect(closed[0]).toBe(largest);
  expect(closed[1]).toBe(second);
  expect([reading.bytes, small.bytes, tiny.bytes]).toEqual([10 * MEBI, 5 * MEBI, KIBI]);
  // There is room again: nobody else is closed, however long nothing is read.
  reading.giveBack(MEBI);
  reviewTimes(budget, 20);
  expect(closed.length).toBe(2);
});

test("AnswerBudget reviews by itself only while more than half waits", () => {
  const timers: (() => void)[] = [];
  const clock = {
    setTimer(delayMs: number, fire: () => void) {
      expect(delayMs).toBe(1000);
      timers.push(fire);
      return { cancel() {} };
    },
  } as unknown as Clock;
  const budget = new AnswerBudget(4 * MEBI);
  budget.reviewBy(clock);
  const closed: AnswerAccount[] = [];
  const first = holder(budget, 2 * MEBI, closed);
  expect(timers.length).toBe(0);
  holder(budget, 1 * MEBI, closed);
  holder(budget, KIBI, closed);
  expect(timers.length).toBe(1);
  for (let i = 0; i < 5; i++) timers.shift()!();
  expect(closed).toEqual([first]);
  expect(timers.length).toBe(0);
  expect(budget.bytes).toBe(MEBI + KIBI);
});

test("an answer that would have to wait is dropped where too much waits, whole ones go out", () => {
  const peer = new TestPeer();
  const { connection } = peer;
  const others = connection.pool.answers.open();
  others.add(connection.pool.answers.bytesMax);
  for (const id of [1, 3]) peer.open(id, POST, true);
  peer.take();
  const [first, second] = peer.requests;
  const write = (stream: Http2Stream, n: number) => {
    const frameStart = stream.openData();
    connection.out.raw(Buffer.alloc(n));
    return stream.closeData(frameStart, true);
  };
  expect(write(first!.stream, 10_000)).toBe(true);
  expect(connection.queuedBytes).toBe(0);
  expect(write(second!.stream, 1_000_000)).toBe(false);
  expect(connection.queuedBytes).toBe(0);
  expect(connection.out.bytes.length).toBeLessThan(200_000);
  // Small ones wait all the same: those of writes must not be lost.
  expect(write(second!.stream, 20_000)).toBe(true);
  expect(connection.queuedBytes).toBe(20_000);
  expect(second!.stream.isFull()).toBe(true);
  others.giveBack(others.bytes);
  expect(second!.stream.isFull()).toBe(false);
});

test("whatever happens to streams, the account is what waits, and nothing once the connection is gone", () => {
  const operation = fc.record({
    kind: fc.constantFrom("queue", "write", "grant", "reset", "cancel", "finish", "drop"),
    target: fc.nat(3),
    bytes: fc.integer({ min: 1, max: 90_000 }),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const peer = new TestPeer();
      const { connection } = peer;
      const budget = connection.pool.answers;
      for (const id of [1, 3, 5, 7]) peer.open(id, POST, true);
      for (const { stream } of peer.requests) stream.sendHeaders([":status", "200"]);
      for (const { kind, target, bytes } of operations) {
        const { stream } = peer.requests[target]!;
        if (kind === "queue" && !stream.finishing) stream.sendBytes(Buffer.alloc(bytes), 0, bytes);
        if ((kind === "write" || kind === "drop") && !stream.finishing) {
          const frameStart = stream.openData();
          connection.out.raw(Buffer.alloc(bytes));
          stream.closeData(frameStart, kind === "drop");
        }
        if (kind === "grant") {
          peer.send(frame(8, 0, 0, uint32(bytes)), frame(8, 0, stream.id, uint32(bytes)));
        }
        if (kind === "reset") stream.reset();
        if (kind === "cancel") peer.send(frame(3, 0, stream.id, uint32(8)));
        if (kind === "finish") stream.finish(null);
        if ((bytes & 1) === 1) peer.take();
        let waitingBytes = 0;
        for (const open of connection.streams.values()) waitingBytes += open.queuedBytes;
        expect(connection.answers.bytes).toBe(waitingBytes);
        expect(budget.bytes).toBe(waitingBytes);
      }
      connection.abort(8);
      expect([connection.answers.bytes, budget.bytes]).toEqual([0, 0]);
    }),
    { numRuns: 200 },
  );
});
