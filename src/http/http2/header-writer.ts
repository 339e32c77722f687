/** Writes a header block as HEADERS, and as CONTINUATION frames where the peer's frame size demands it. */
import type { ProtoWriter } from "../../api/index.ts";
import { Flag, FRAME_HEADER_BYTES, FrameType, putFrameHeader } from "./frame.ts";
import { type HpackEncoder, RepeatedBlock } from "./hpack-encoder.ts";

export function writeHeaders(
  out: ProtoWriter,
  encoder: HpackEncoder,
  streamId: number,
  fields: readonly string[] | RepeatedBlock,
  endStream: boolean,
  maxFrameBytes: number,
): void {
  out.reserve(FRAME_HEADER_BYTES);
  const frameStart = out.position;
  out.position += FRAME_HEADER_BYTES;
  if (fields instanceof RepeatedBlock) {
    fields.write(encoder, out);
  } else {
    encoder.beginBlock(out);
    for (let i = 0; i < fields.length; i += 2) encoder.field(out, fields[i]!, fields[i + 1]!);
  }
  const endFlag = endStream ? Flag.EndStream : 0;
  const length = out.position - frameStart - FRAME_HEADER_BYTES;
  if (length <= maxFrameBytes) {
    const flags = Flag.EndHeaders | endFlag;
    putFrameHeader(out.bytes, frameStart, length, FrameType.Headers, flags, streamId);
    return;
  }
  const block = out.bytes.slice(frameStart + FRAME_HEADER_BYTES, out.position);
  out.position = frameStart;
  for (let at = 0; at < block.length; at += maxFrameBytes) {
    const part = block.subarray(at, at + maxFrameBytes);
    const type = at === 0 ? FrameType.Headers : FrameType.Continuation;
    const last = at + maxFrameBytes >= block.length;
    const flags = (last ? Flag.EndHeaders : 0) | (at === 0 ? endFlag : 0);
    out.reserve(FRAME_HEADER_BYTES);
    putFrameHeader(out.bytes, out.position, part.length, type, flags, streamId);
    out.position += FRAME_HEADER_BYTES;
    out.raw(part);
  }
}
