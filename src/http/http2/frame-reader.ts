/**
 * Cuts a client's byte stream into frames. Called by the connection with every chunk the socket delivers.
 * A frame that lies whole within a chunk is handed on in place; only one that straddles chunks is copied,
 * into a buffer of its own that is never used again, so that consumers may keep views of it.
 * Memory: at most one frame (max frame size) is held.
 */
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, uint31At } from "./frame.ts";

export interface FrameSink {
  /** One whole frame; its payload is bytes[start, end). False stops the reading for good. */
  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean;
  onFrameTooLarge(payloadBytes: number): void;
  onBadPreface(): void;
}

const PREFACE_BYTES = Buffer.from(CLIENT_PREFACE, "latin1");

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  /** Bytes of the preface, then of a straddling frame's header, seen so far. */
  #prefaceCount = 0;
  #headerCount = 0;
  #frame: Buffer | null = null;
  #frameCount = 0;
  #stopped = false;

  constructor(sink: FrameSink, maxFrameBytes: number) {
    this.#sink = sink;
    this.#maxFrameBytes = maxFrameBytes;
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    let at = 0;
    if (this.#prefaceCount < PREFACE_BYTES.length) {
      at = this.#matchPreface(chunk);
      if (this.#stopped) return;
    }
    if (this.#headerCount > 0) {
      at = this.#resume(chunk, at);
      if (this.#stopped) return;
    }
    const length = chunk.length;
    while (length - at >= FRAME_HEADER_BYTES) {
      const payloadBytes = (chunk[at]! << 16) | (chunk[at + 1]! << 8) | chunk[at + 2]!;
      if (payloadBytes > this.#maxFrameBytes) {
        this.#refuse(payloadBytes);
        return;
      }
      const start = at + FRAME_HEADER_BYTES;
      const end = start + payloadBytes;
      if (end > length) break;
      const type = chunk[at + 3]!;
      const flags = chunk[at + 4]!;
      if (!this.#sink.onFrame(type, flags, uint31At(chunk, at + 5), chunk, start, end)) {
        this.stop();
        return;
      }
      at = end;
    }
    if (at < length) this.#resume(chunk, at);
  }

  /** Drops everything from here on. */
  stop(): void {
    this.#stopped = true;
    this.#frame = null;
  }

  #matchPreface(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#prefaceCount < PREFACE_BYTES.length) {
      if (chunk[at] !== PREFACE_BYTES[this.#prefaceCount]) {
        this.#sink.onBadPreface();
        this.stop();
        return at;
      }
      at++;
      this.#prefaceCount++;
    }
    return at;
  }

  /** Goes on with, or begins, a frame that does not lie whole within one chunk. Returns how far the chunk was used. */
  #resume(chunk: Buffer, from: number): number {
    let at = from;
    while (this.#headerCount < FRAME_HEADER_BYTES) {
      if (at === chunk.length) return at;
      this.#header[this.#headerCount++] = chunk[at++]!;
    }
    const header = this.#header;
    const payloadBytes = (header[0]! << 16) | (header[1]! << 8) | header[2]!;
    if (this.#frame === null) {
      if (payloadBytes > this.#maxFrameBytes) {
        this.#refuse(payloadBytes);
        return at;
      }
      this.#frame = Buffer.allocUnsafeSlow(payloadBytes);
      this.#frameCount = 0;
    }
    const frame = this.#frame;
    const count = Math.min(payloadBytes - this.#frameCount, chunk.length - at);
    chunk.copy(frame, this.#frameCount, at, at + count);
    this.#frameCount += count;
    at += count;
    if (this.#frameCount < payloadBytes) return at;
    this.#frame = null;
    this.#headerCount = 0;
    if (!this.#sink.onFrame(header[3]!, header[4]!, uint31At(header, 5), frame, 0, payloadBytes)) {
      this.stop();
    }
    return at;
  }

  #refuse(payloadBytes: number): void {
    this.stop();
    this.#sink.onFrameTooLarge(payloadBytes);
  }
}
