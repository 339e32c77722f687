import { expect, test } from "bun:test";
import fc from "fast-check";
import { FrameReader } from "./frame-reader.ts";

function framed(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    messages.map((message) => {
      const frame = Buffer.alloc(5 + message.length);
      frame.writeUInt32BE(message.length, 1);
      frame.set(message, 5);
      return frame;
    }),
  );
}

test("FrameReader gives the same messages however the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat({ max: 30 }), { minLength: 1, maxLength: 60 }),
      (messages, cuts) => {
        const bytes = framed(messages);
        const seen: Uint8Array[] = [];
        const reader = new FrameReader(40, (message) => seen.push(message));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = Math.max(1, cuts[i % cuts.length]!);
          expect(reader.push(bytes.slice(at, at + length))).toBeNull();
          at += length;
        }
        expect(seen.map((message) => [...message])).toEqual(messages.map((each) => [...each]));
        expect(reader.midMessage).toBe(false);
      },
    ),
  );
});

test("FrameReader refuses what it must not collect, and never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const reader = new FrameReader(64, (message) => expect(message.length).toBeLessThan(65));
      reader.push(bytes);
    }),
  );
  const reader = new FrameReader(64, () => {});
  expect(reader.push(Uint8Array.of(0, 0, 0, 0, 65))?.code).toBe(8);
  expect(new FrameReader(64, () => {}).push(Uint8Array.of(1, 0, 0, 0, 0))?.code).toBe(13);
});
