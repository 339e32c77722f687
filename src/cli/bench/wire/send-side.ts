/**
 * What one connection still wants to send: bytes ready for the socket, and requests that wait because the server
 * allows no more streams or window for now. The usual request goes straight into the bytes.
 *
 * Invariants: requests leave in order; only the first of the waiting ones can be partly sent; never more DATA than
 * the connection's and the stream's window, no frame above the server's limit.
 */
import {
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  putFrameHeader,
  STREAM_ID_MAX,
} from "./frame-bytes.ts";
import type { RequestHead } from "./request-head.ts";

const BUFFER_BYTES = 1 << 16;

interface Waiting {
  readonly slot: number;
  readonly message: Uint8Array;
  readonly isLast: boolean;
  /** 0 until its HEADERS went out. */
  streamId: number;
  sentBytes: number;
  windowBytes: number;
}

export class SendSide {
  /** The slot that each open stream answers to. */
  readonly streams = new Map<number, number>();
  head: RequestHead | null = null;
  streamsMax = Number.POSITIVE_INFINITY;
  frameBytesMax = DEFAULT_FRAME_BYTES;
  #streamWindowBytes = DEFAULT_WINDOW_BYTES;
  #windowBytes = DEFAULT_WINDOW_BYTES;
  #nextStreamId = 1;
  #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #length = 0;
  #waiting: Waiting[] = [];

  get isExhausted(): boolean {
    return this.#nextStreamId > STREAM_ID_MAX;
  }

  /** Requests that are not sent whole yet. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Every slot that still waits for its answer. */
  allSlots(): number[] {
    const unsent = this.#waiting.filter((each) => each.streamId === 0);
    return [...this.streams.values(), ...unsent.map((each) => each.slot)];
  }

  start(slot: number, message: Uint8Array, isLast: boolean): void {
    const length = message.length;
    const isFree = this.#waiting.length === 0 && this.streams.size < this.streamsMax;
    const fits =
      length <= this.#windowBytes &&
      length <= this.#streamWindowBytes &&
      length <= this.frameBytesMax;
    if (isFree && fits) {
      const streamId = this.#open(slot);
      this.#data(streamId, message, 0, length, isLast);
      return;
    }
    this.#waiting.push({
      slot,
      message: message.slice(),
      isLast,
      streamId: 0,
      sentBytes: 0,
      windowBytes: 0,
    });
    this.pump();
  }

  /** Sends what the windows allow of the waiting requests. */
  pump(): void {
    while (this.#waiting.length > 0) {
      const first = this.#waiting[0]!;
      if (first.streamId === 0) {
        if (this.streams.size >= this.streamsMax) return;
        first.streamId = this.#open(first.slot);
        first.windowBytes = this.#streamWindowBytes;
      }
      const left = first.message.length - first.sentBytes;
      const allowed = Math.min(this.#windowBytes, first.windowBytes, this.frameBytesMax);
      const count = Math.min(left, allowed);
      if (count <= 0) return;
      this.#data(
        first.streamId,
        first.message,
        first.sentBytes,
        count,
        first.isLast && count === left,
      );
      first.sentBytes += count;
      first.windowBytes -= count;
      if (count === left) this.#waiting.shift();
    }
  }

  /** A stream is over; true when its request was not sent whole, and the server must be told. */
  finish(streamId: number): boolean {
    this.streams.delete(streamId);
    if (this.#waiting[0]?.streamId !== streamId) return false;
    this.#waiting.shift();
    return true;
  }

  addWindow(streamId: number, increment: number): void {
    if (streamId === 0) this.#windowBytes += increment;
    else if (this.#waiting[0]?.streamId === streamId) this.#waiting[0].windowBytes += increment;
    this.pump();
  }

  setStreamWindow(bytes: number): void {
    const first = this.#waiting[0];
    if (first !== undefined) first.windowBytes += bytes - this.#streamWindowBytes;
    this.#streamWindowBytes = bytes;
  }

  raw(frame: Uint8Array): void {
    this.#reserve(frame.length);
    this.#bytes.set(frame, this.#length);
    this.#length += frame.length;
  }

  /** A copy of everything ready, or null; the socket may keep it. */
  take(): Buffer | null {
    if (this.#length === 0) return null;
    const bytes = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }

  #open(slot: number): number {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.streams.set(streamId, slot);
    const block = this.head!.next();
    this.#reserve(FRAME_HEADER_BYTES + block.length);
    putFrameHeader(
      this.#bytes,
      this.#length,
      block.length,
      FrameType.Headers,
      Flag.EndHeaders,
      streamId,
    );
    this.#bytes.set(block, this.#length + FRAME_HEADER_BYTES);
    this.#length += FRAME_HEADER_BYTES + block.length;
    return streamId;
  }

  #data(streamId: number, message: Uint8Array, from: number, count: number, isEnd: boolean): void {
    this.#reserve(FRAME_HEADER_BYTES + count);
    const flags = isEnd ? Flag.EndStream : 0;
    putFrameHeader(this.#bytes, this.#length, count, FrameType.Data, flags, streamId);
    const whole = count === message.length;
    this.#bytes.set(
      whole ? message : message.subarray(from, from + count),
      this.#length + FRAME_HEADER_BYTES,
    );
    this.#length += FRAME_HEADER_BYTES + count;
    this.#windowBytes -= count;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}
