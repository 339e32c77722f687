import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseFrames } from "../../../../test/http2-peer.ts";
import { RequestHead } from "./request-head.ts";
import { SendSide } from "./send-side.ts";

const FIELDS = { path: "/p", authority: "a", tls: false, token: null };

function newSide(): SendSide {
  const side = new SendSide();
  side.head = new RequestHead(FIELDS, 4096);
  return side;
}

test("a request that fits goes out as one HEADERS and one DATA frame", () => {
  const side = newSide();
  side.start(7, Uint8Array.of(1, 2, 3), true);
  const frames = parseFrames(side.take()!);
  expect(frames.map(({ type, flags, streamId }) => [type, flags, streamId])).toEqual([
    [1, 4, 1],
    [0, 1, 1],
  ]);
  expect([...frames[1]!.payload]).toEqual([1, 2, 3]);
  expect(side.streams.get(1)).toBe(7);
  expect(side.take()).toBeNull();
});

test("whatever the windows are, all bytes leave in order and never more than allowed", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 6 });
  const grants = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      sizes,
      grants,
      fc.integer({ min: 1, max: 3 }),
      (messageBytes, steps, streamsMax) => {
        const side = newSide();
        side.streamsMax = streamsMax;
        const sent = new Map<number, number>();
        const window = new Map<number, number>([[0, 65_535]]);
        const ended: number[] = [];
        const look = () => {
          for (const { type, flags, streamId, payload } of parseFrames(
            side.take() ?? Buffer.alloc(0),
          )) {
            if (type === 1) window.set(streamId, 65_535);
            if (type !== 0) continue;
            expect(payload.length).toBeLessThanOrEqual(16_384);
            sent.set(streamId, (sent.get(streamId) ?? 0) + payload.length);
            for (const id of [0, streamId]) window.set(id, window.get(id)! - payload.length);
            if (flags & 1) ended.push(streamId);
          }
          for (const left of window.values()) expect(left).toBeGreaterThanOrEqual(0);
          expect(side.streams.size).toBeLessThanOrEqual(streamsMax);
        };
        for (const [slot, count] of messageBytes.entries())
          side.start(slot, new Uint8Array(count), true);
        look();
        for (let i = 0; ended.length < messageBytes.length; i++) {
          expect(i).toBeLessThan(100_000);
          const grant = steps[i % steps.length]!;
          for (const id of [0, ...side.streams.keys()]) {
            window.set(id, window.get(id)! + grant);
            side.addWindow(id, grant);
            look();
          }
          for (const id of ended) side.finish(id);
          side.pump();
          look();
        }
        expect([...sent.values()]).toEqual(messageBytes);
      },
    ),
    { numRuns: 30 },
  );
});

test("a stream that ends before its request was sent is to be reset, and the next one starts", () => {
  const side = newSide();
  side.start(0, new Uint8Array(70_000), true);
  side.start(1, new Uint8Array(10), true);
  side.take();
  expect(side.allSlots()).toEqual([0, 1]);
  expect(side.finish(1)).toBe(true);
  side.addWindow(0, 100);
  expect(parseFrames(side.take()!).map(({ streamId }) => streamId)).toEqual([3, 3]);
  expect(side.finish(3)).toBe(false);
});
