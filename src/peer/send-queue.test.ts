/** The queue of one peer against a plain model. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { isBulk, messageBytes } from "./message-codec.ts";
import { SendQueue } from "./send-queue.ts";
import { arbitraryMessage } from "./testing/arbitrary-message.ts";

const LIMITS = { bulkMessagesMax: 5, bulkBytesMax: 2000, urgentMessagesMax: 4 };

test("SendQueue keeps each lane's order and its bounds", () => {
  const action = fc.oneof(
    arbitraryMessage.map((message) => ({ kind: "offer" as const, message })),
    fc.record({ kind: fc.constant("frame" as const), bytes: fc.nat(900), urgent: fc.boolean() }),
    fc.record({ kind: fc.constant("take" as const) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const queue = new SendQueue(LIMITS);
      const lanes: { item: unknown; bytes: number }[][] = [[], []];
      const bytesOf = (lane: number): number =>
        lanes[lane]!.reduce((sum, { bytes }) => sum + bytes, 0);
      const fits = (isUrgent: boolean, bytes: number): boolean => {
        if (isUrgent) return lanes[0]!.length < LIMITS.urgentMessagesMax;
        if (lanes[1]!.length >= LIMITS.bulkMessagesMax) return false;
        return lanes[1]!.length === 0 || bytesOf(1) + bytes <= LIMITS.bulkBytesMax;
      };
      for (const step of actions) {
        if (step.kind === "take") {
          const expected = lanes[0]!.shift() ?? lanes[1]!.shift();
          expect(queue.take() === (expected?.item ?? null)).toBe(true);
        } else {
          const isUrgent = step.kind === "frame" ? step.urgent : !isBulk(step.message);
          const item = step.kind === "frame" ? new Uint8Array(step.bytes) : step.message;
          const bytes = step.kind === "frame" ? step.bytes : messageBytes(step.message);
          const expected = fits(isUrgent, bytes);
          if (expected) lanes[isUrgent ? 0 : 1]!.push({ item, bytes });
          const taken =
            step.kind === "frame"
              ? queue.offerFrame(item as Uint8Array, isUrgent)
              : queue.offer(step.message);
          expect(taken).toBe(expected);
        }
        expect(queue.messages).toBe(lanes[0]!.length + lanes[1]!.length);
        expect(queue.bytes).toBe(bytesOf(0) + bytesOf(1));
        expect(queue.isEmpty).toBe(queue.messages === 0);
      }
    }),
    { numRuns: 500 },
  );
});

test("SendQueue forgets what left, and gives everything in order over many turns", () => {
  const queue = new SendQueue({ bulkMessagesMax: 1e6, bulkBytesMax: 1e9, urgentMessagesMax: 10 });
  let sent = 0;
  let seen = 0;
  for (let turn = 0; turn < 500; turn++) {
    for (let i = 0; i < 7; i++)
      queue.offerFrame(Uint8Array.of(sent & 255, (sent++ >> 8) & 255), false);
    for (let i = 0; i < (turn % 3) * 5; i++) {
      const frame = queue.take() as Uint8Array | null;
      if (frame !== null) expect(frame[0]! | (frame[1]! << 8)).toBe(seen++);
    }
  }
  for (let frame = queue.take(); frame !== null; frame = queue.take()) seen++;
  expect(seen).toBe(sent);
  expect(queue.bytes).toBe(0);
});
