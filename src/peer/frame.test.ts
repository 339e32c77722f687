/** Frames and messages: whatever is written is read again, however it is cut; whatever else comes is refused. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Message } from "../raft/index.ts";
import { FRAME_HEADER_BYTES, FrameWriter, frameOf } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { isBulk, messageBytes, readMessage, writeMessage } from "./message-codec.ts";
import { arbitraryMessage, FROM, TO } from "./testing/arbitrary-message.ts";

const BODY_BYTES_MAX = 8 * 1024 * 1024;

function framesOf(messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter(16);
  for (const message of messages) writeMessage(message, writer);
  return writer.done();
}

interface Read {
  readonly messages: (Message | null)[];
  problem: string | null;
}

function readAll(chunks: readonly Uint8Array[], bodyBytesMax = BODY_BYTES_MAX): Read {
  const read: Read = { messages: [], problem: null };
  const reader = new FrameReader(bodyBytesMax, (kind, body) => {
    read.messages.push(readMessage(kind, body, FROM, TO));
    return null;
  });
  for (const chunk of chunks) {
    read.problem = reader.feed(chunk);
    if (read.problem !== null) break;
  }
  return read;
}

/** Cuts at these places, in any order, repeated or beyond the end. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => bytes.slice(start, at[i] ?? bytes.length));
}

describe("messages in frames", () => {
  test("every message comes back, however the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryMessage, { maxLength: 8 }),
        fc.array(fc.nat(4000), { maxLength: 12 }),
        (messages, places) => {
          const read = readAll(cut(framesOf(messages), places));
          expect(read).toEqual({ messages, problem: null });
        },
      ),
      { numRuns: 600 },
    );
  });

  test("the example of docs/formats/peer-messages.md", () => {
    const beat = { commit: 9, readRound: 0, tick: 5 };
    const bytes = framesOf([{ kind: "heartbeat", from: FROM, to: TO, term: 2, ...beat }]);
    expect(Buffer.from(bytes).toString("hex")).toBe("0600000014f5b6d601000000850702090005");
  });

  test("one byte at a time", () => {
    fc.assert(
      fc.property(fc.array(arbitraryMessage, { maxLength: 3 }), (messages) => {
        const bytes = framesOf(messages);
        const chunks = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(readAll(chunks)).toEqual({ messages, problem: null });
      }),
      { numRuns: 60 },
    );
  });

  test("random bytes and damaged frames are problems or missing messages, never exceptions", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (chunks) => {
        readAll(chunks);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(
        arbitraryMessage,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (message, at, by) => {
          const bytes = framesOf([message]);
          bytes[at % bytes.length]! ^= by;
          const { messages, problem } = readAll([bytes]);
          // A changed length asks for more than there is, or cuts the frame short.
          expect(problem !== null || messages.length === 0).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("bodies that are not what their kind says are no messages", () => {
    fc.assert(
      fc.property(fc.nat(30), fc.uint8Array({ maxLength: 120 }), (kind, body) => {
        const message = readMessage(kind, body, FROM, TO);
        if (message !== null) expect(message.from).toBe(FROM);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(arbitraryMessage, fc.nat(), (message, length) => {
        const frame = framesOf([message]);
        const body = frame.subarray(FRAME_HEADER_BYTES);
        const short = body.subarray(0, length % body.length);
        expect(readMessage(frame[8]!, short, FROM, TO)).toBeNull();
        const long = new Uint8Array([...body, 0]);
        expect(readMessage(frame[8]!, long, FROM, TO)).toBeNull();
      }),
      { numRuns: 500 },
    );
  });

  test("the estimate of a bulk message is its frame without the header", () => {
    fc.assert(
      fc.property(arbitraryMessage, (message) => {
        const bytes = framesOf([message]).length - FRAME_HEADER_BYTES;
        if (isBulk(message)) expect(messageBytes(message)).toBe(bytes);
      }),
    );
  });
});

describe("FrameReader", () => {
  test("a frame within one chunk is a view of it", () => {
    const chunk = frameOf(1, new Uint8Array(1000));
    const reader = new FrameReader(1000, (_kind, body) => {
      expect(body.buffer).toBe(chunk.buffer);
      return null;
    });
    expect(reader.feed(chunk)).toBeNull();
    expect.assertions(2);
  });

  test("a frame above the limit is refused by its header alone", () => {
    const chunk = frameOf(1, new Uint8Array(1001));
    expect(readAll([chunk.subarray(0, 12)], 1000).problem).toContain("1001 bytes");
    expect(readAll([chunk.subarray(0, 5), chunk.subarray(5, 12)], 1000).problem).toContain("1001");
    expect(readAll([chunk.subarray(0, 11)], 1000).problem).toBeNull();
  });

  test("large frames in small chunks", () => {
    const body = new Uint8Array(5 * 1024 * 1024).map((_, i) => i * 31);
    const frame = frameOf(1, body);
    let got: Uint8Array | null = null;
    const reader = new FrameReader(body.length, (_kind, bytes) => {
      got = bytes;
      return null;
    });
    for (let at = 0; at < frame.length; at += 70_001) {
      expect(reader.feed(frame.subarray(at, at + 70_001))).toBeNull();
    }
    expect(Buffer.compare(got!, body)).toBe(0);
  });

  test("what the handler objects to ends the reading", () => {
    const reader = new FrameReader(1000, () => "not wanted");
    expect(reader.feed(frameOf(1, new Uint8Array(3)))).toBe("not wanted");
  });
});
