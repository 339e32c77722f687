/** Bodies of requests, answers and snapshot frames: round trips, and any bytes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FRAME_HEADER_BYTES, FRAME_RESUME } from "./frame.ts";
import { answerFrame, readAnswer, readRequest, requestFrame } from "./outstanding-requests.ts";
import {
  beginFrame,
  chunkFrame,
  endFrame,
  offsetFrame,
  readBegin,
  readChunk,
  readEnd,
  readOffset,
  readRefusal,
  readResult,
  refuseFrame,
  resultFrame,
} from "./snapshot-codec.ts";
import { arbitraryMessage, FROM, TO } from "./testing/arbitrary-message.ts";
import type { SnapshotMessage } from "./types.ts";

const bodyOf = (frame: Uint8Array): Uint8Array => frame.subarray(FRAME_HEADER_BYTES);
const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = fc.uint8Array({ maxLength: 100 });

test("requests and answers come back", () => {
  fc.assert(
    fc.property(
      uint32,
      fc.stringMatching(/^[a-z-]{0,64}$/),
      bytes,
      uint32,
      (id, name, body, status) => {
        expect(readRequest(bodyOf(requestFrame(id, name, body)))).toEqual({ id, name, body });
        const answer = { status, body };
        expect(readAnswer(bodyOf(answerFrame(id, answer)))).toEqual({ id, answer });
      },
    ),
  );
});

test("frames of a snapshot come back", () => {
  const snapshot = arbitraryMessage.filter(({ kind }) => kind === "snapshot");
  fc.assert(
    fc.property(snapshot, size, bytes, uint32, (message, sizeBytes, data, checksum) => {
      const transfer = { id: "0123456789abcdef", sizeBytes, message: message as SnapshotMessage };
      expect(readBegin(bodyOf(beginFrame(transfer)), FROM, TO)).toEqual(transfer);
      expect(readOffset(bodyOf(offsetFrame(FRAME_RESUME, sizeBytes)))).toBe(sizeBytes);
      expect(readEnd(bodyOf(endFrame(sizeBytes, checksum)))).toEqual({ sizeBytes, checksum });
      const chunk = chunkFrame(sizeBytes, data.length, (space) => {
        space.set(data);
        return data.length;
      })!;
      const read = readChunk(bodyOf(chunk.frame));
      expect(read).toEqual(data.length === 0 ? null : { offset: sizeBytes, data });
    }),
  );
  expect(chunkFrame(0, 5, () => 4)).toBeNull();
  for (const accepted of [true, false]) {
    expect(readResult(bodyOf(resultFrame(accepted)))).toBe(accepted);
  }
  expect(readRefusal(bodyOf(refuseFrame("no, größer")))).toBe("no, größer");
  expect(readRefusal(bodyOf(refuseFrame("x".repeat(5000)))).length).toBe(1024);
});

test("any bytes are read without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
      readRequest(body);
      readAnswer(body);
      readBegin(body, FROM, TO);
      readOffset(body);
      readChunk(body);
      readEnd(body);
      readResult(body);
      readRefusal(body);
    }),
    { numRuns: 3000 },
  );
});
