/**
 * Frames of a snapshot's own connection. The sender begins, the receiver says how much it has, chunks go one way and
 * acknowledgements the other, and the sender ends with the checksum of the whole:
 *
 *   begin        CBOR [id, size, message]   message: the fields of message-fields.ts
 *   resume       received 8
 *   chunk        offset 8, data
 *   acknowledge  received 8
 *   end          size 8, CRC-32C of everything 4
 *   result       accepted 1
 *   refuse       reason (UTF-8)
 */

import { utf8, utf8Text } from "../base/bytes.ts";
import { encodeCbor } from "../base/cbor.ts";
import {
  BodyReader,
  type FRAME_ACKNOWLEDGE,
  FRAME_BEGIN,
  FRAME_CHUNK,
  FRAME_END,
  FRAME_REFUSE,
  FRAME_RESULT,
  type FRAME_RESUME,
  FrameWriter,
  frameOf,
} from "./frame.ts";
import { decodeOrNull } from "./message-codec.ts";
import { fieldsOf, messageOfFields } from "./message-fields.ts";
import type { SnapshotTransfer } from "./types.ts";

const ID_PATTERN = /^[0-9a-f]{16,64}$/;
const REASON_LENGTH_MAX = 1024;

export function beginFrame({ id, sizeBytes, message }: SnapshotTransfer): Uint8Array {
  return frameOf(FRAME_BEGIN, encodeCbor([id, sizeBytes, fieldsOf(message)]));
}

export function readBegin(body: Uint8Array, from: bigint, to: bigint): SnapshotTransfer | null {
  const value = decodeOrNull(body);
  if (!Array.isArray(value) || value.length !== 3) return null;
  const [id, sizeBytes, fields] = value;
  if (typeof id !== "string" || !ID_PATTERN.test(id)) return null;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || !Array.isArray(fields)) return null;
  const message = messageOfFields(fields, from, to);
  return message?.kind === "snapshot" ? { id, sizeBytes, message } : null;
}

export function offsetFrame(
  kind: typeof FRAME_RESUME | typeof FRAME_ACKNOWLEDGE,
  offset: number,
): Uint8Array {
  const writer = new FrameWriter(32);
  writer.begin(kind);
  writer.uint53(offset);
  writer.finish();
  return writer.done();
}

/** Null when it is malformed. */
export function readOffset(body: Uint8Array): number | null {
  const reader = new BodyReader(body);
  const offset = reader.uint53();
  return reader.isAtEnd ? offset : null;
}

/** `fill` writes the data where it will leave from, and returns how much it wrote. */
export function chunkFrame(
  offset: number,
  length: number,
  fill: (space: Uint8Array) => number,
): { frame: Uint8Array; data: Uint8Array } | null {
  const writer = new FrameWriter(32 + length);
  writer.begin(FRAME_CHUNK);
  writer.uint53(offset);
  const data = writer.space(length);
  if (fill(data) !== length) return null;
  writer.finish();
  return { frame: writer.done(), data };
}

export function readChunk(body: Uint8Array): { offset: number; data: Uint8Array } | null {
  const reader = new BodyReader(body);
  const offset = reader.uint53();
  const data = reader.rest();
  return reader.isAtEnd && data.length > 0 ? { offset, data } : null;
}

export function endFrame(sizeBytes: number, checksum: number): Uint8Array {
  const writer = new FrameWriter(32);
  writer.begin(FRAME_END);
  writer.uint53(sizeBytes);
  writer.uint32(checksum);
  writer.finish();
  return writer.done();
}

export function readEnd(body: Uint8Array): { sizeBytes: number; checksum: number } | null {
  const reader = new BodyReader(body);
  const sizeBytes = reader.uint53();
  const checksum = reader.uint32();
  return reader.isAtEnd ? { sizeBytes, checksum } : null;
}

export function resultFrame(accepted: boolean): Uint8Array {
  return frameOf(FRAME_RESULT, Uint8Array.of(accepted ? 1 : 0));
}

export function readResult(body: Uint8Array): boolean | null {
  return body.length === 1 && body[0]! <= 1 ? body[0] === 1 : null;
}

export function refuseFrame(reason: string): Uint8Array {
  return frameOf(FRAME_REFUSE, utf8(reason.slice(0, REASON_LENGTH_MAX)));
}

export function readRefusal(body: Uint8Array): string {
  return utf8Text(body).slice(0, REASON_LENGTH_MAX);
}
