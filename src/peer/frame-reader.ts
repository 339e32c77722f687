/**
 * Cuts the bytes of a connection into frames. A frame that lies within one chunk is a view of it; one that spans
 * chunks is put together in a buffer of its own, so every byte is copied at most once. What a peer merely claims to
 * send costs nothing beyond `PREALLOCATED_BYTES_MAX`.
 */
import { crc32c } from "../base/crc32c.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";

/** Larger frames get their buffer in steps, as their bytes arrive. */
const PREALLOCATED_BYTES_MAX = 2 * 1024 * 1024;

/** Null to go on, or why the connection must end. */
export type OnFrame = (kind: number, body: Uint8Array) => string | null;

export class FrameReader {
  readonly #bodyBytesMax: number;
  readonly #onFrame: OnFrame;
  /** The beginning of a frame; empty between frames. */
  #partial: Uint8Array = new Uint8Array(0);
  #partialLength = 0;

  constructor(bodyBytesMax: number, onFrame: OnFrame) {
    this.#bodyBytesMax = bodyBytesMax;
    this.#onFrame = onFrame;
  }

  /** Hands over every frame that is complete. After a problem the reader must not be used again. */
  feed(chunk: Uint8Array): string | null {
    let at = 0;
    if (this.#partialLength > 0) {
      at = this.#complete(chunk);
      if (at < 0) return this.#problem;
    }
    while (at < chunk.length) {
      if (chunk.length - at < FRAME_HEADER_BYTES) break;
      const frameBytes = this.#frameBytes(chunk, at);
      if (frameBytes < 0) return this.#problem;
      if (chunk.length - at < frameBytes) break;
      const problem = this.#deliver(chunk, at, at + frameBytes);
      if (problem !== null) return problem;
      at += frameBytes;
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length);
    return null;
  }

  #problem: string | null = null;

  /** Goes on with the partial frame; returns how much of the chunk it took, or -1 after a problem. */
  #complete(chunk: Uint8Array): number {
    let at = 0;
    if (this.#partialLength < FRAME_HEADER_BYTES) {
      at = Math.min(FRAME_HEADER_BYTES - this.#partialLength, chunk.length);
      this.#keep(chunk, 0, at);
      if (this.#partialLength < FRAME_HEADER_BYTES) return at;
    }
    const frameBytes = this.#frameBytes(this.#partial, 0);
    if (frameBytes < 0) return -1;
    const end = at + Math.min(frameBytes - this.#partialLength, chunk.length - at);
    this.#keep(chunk, at, end);
    if (this.#partialLength < frameBytes) return end;
    const whole = this.#partial;
    this.#partial = new Uint8Array(0);
    this.#partialLength = 0;
    this.#problem = this.#deliver(whole, 0, frameBytes);
    return this.#problem === null ? end : -1;
  }

  /** Of the frame whose header begins at `at`; -1 after a problem. */
  #frameBytes(bytes: Uint8Array, at: number): number {
    const bodyBytes = uint32At(bytes, at);
    if (bodyBytes <= this.#bodyBytesMax) return FRAME_HEADER_BYTES + bodyBytes;
    this.#problem = `a frame of ${bodyBytes} bytes, more than ${this.#bodyBytesMax}`;
    return -1;
  }

  #deliver(bytes: Uint8Array, start: number, end: number): string | null {
    if (crc32c(bytes, 0, start + 8, end) !== uint32At(bytes, start + 4)) {
      return "a frame does not have the checksum it states";
    }
    if (bytes[start + 9] !== 0 || bytes[start + 10] !== 0 || bytes[start + 11] !== 0) {
      return "a frame's reserved bytes are not zero";
    }
    return this.#onFrame(bytes[start + 8]!, bytes.subarray(start + FRAME_HEADER_BYTES, end));
  }

  #keep(chunk: Uint8Array, start: number, end: number): void {
    const needed = this.#partialLength + end - start;
    if (needed > this.#partial.length) this.#grow(chunk, start, needed);
    this.#partial.set(chunk.subarray(start, end), this.#partialLength);
    this.#partialLength = needed;
  }

  #grow(chunk: Uint8Array, start: number, needed: number): void {
    const have = this.#partialLength;
    // Where the header is known, the whole frame's buffer is made at once if it is not large.
    const header = have >= FRAME_HEADER_BYTES ? this.#partial : chunk.subarray(start);
    const isKnown = have >= FRAME_HEADER_BYTES || (have === 0 && needed >= FRAME_HEADER_BYTES);
    const frameBytes = isKnown ? FRAME_HEADER_BYTES + uint32At(header, 0) : FRAME_HEADER_BYTES;
    const step = Math.max(needed, PREALLOCATED_BYTES_MAX, this.#partial.length * 2);
    const grown = new Uint8Array(Math.max(needed, Math.min(frameBytes, step)));
    grown.set(this.#partial.subarray(0, have));
    this.#partial = grown;
  }
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}
