/**
 * Frames: what travels between members after the upgrade. All numbers little-endian.
 *
 *   offset  bytes  meaning
 *        0      4  length of the body
 *        4      4  CRC-32C of everything from offset 8 to the end of the body
 *        8      1  kind
 *        9      3  zero
 *       12         body
 *
 * 64-bit numbers are two 32-bit halves, the low one first; indexes, terms and sizes are safe integers. Pure. Frames
 * come from another process: reading never throws on bytes.
 */
import { crc32c } from "../base/crc32c.ts";

export const FRAME_HEADER_BYTES = 12;

/** Any raft message without entries, in CBOR. */
export const FRAME_MESSAGE = 1;
export const FRAME_APPEND = 2;
export const FRAME_PROPOSE = 3;
export const FRAME_PING = 4;
export const FRAME_PONG = 5;
export const FRAME_REQUEST = 6;
export const FRAME_ANSWER = 7;
/** Snapshot channels only. */
export const FRAME_BEGIN = 16;
export const FRAME_RESUME = 17;
export const FRAME_CHUNK = 18;
export const FRAME_ACKNOWLEDGE = 19;
export const FRAME_END = 20;
export const FRAME_RESULT = 21;
export const FRAME_REFUSE = 22;

const START_BYTES = 16 * 1024;
const HIGH = 0x1_0000_0000;

/** Frames one after the other in one growing buffer, to be written to a socket at once. */
export class FrameWriter {
  bytes: Uint8Array;
  length = 0;
  #view: DataView;
  #start = 0;

  constructor(startBytes = START_BYTES) {
    this.bytes = new Uint8Array(startBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  begin(kind: number): void {
    this.#reserve(FRAME_HEADER_BYTES);
    this.#start = this.length;
    this.length += FRAME_HEADER_BYTES;
    this.#view.setUint32(this.#start + 8, kind, true);
  }

  finish(): void {
    const start = this.#start;
    this.#view.setUint32(start, this.length - start - FRAME_HEADER_BYTES, true);
    this.#view.setUint32(start + 4, crc32c(this.bytes, 0, start + 8, this.length), true);
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A safe integer. */
  uint53(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.length, value >>> 0, true);
    this.#view.setUint32(this.length + 4, (value / HIGH) >>> 0, true);
    this.length += 8;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  put(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Room for `count` bytes that the caller fills. */
  space(count: number): Uint8Array {
    this.#reserve(count);
    this.length += count;
    return this.bytes.subarray(this.length - count, this.length);
  }

  /** Everything so far, as a view: for a writer that is not used again. */
  done(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** One frame in a buffer of its own. */
export function frameOf(kind: number, body: Uint8Array): Uint8Array {
  const writer = new FrameWriter(FRAME_HEADER_BYTES + body.length);
  writer.begin(kind);
  writer.put(body);
  writer.finish();
  return writer.bytes;
}

/** Reads what a body begins with; past the end everything is NaN, and `isWhole` false. */
export class BodyReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #isWhole = true;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Nothing was missing so far. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get isAtEnd(): boolean {
    return this.#isWhole && this.#at === this.bytes.length;
  }

  get remaining(): number {
    return this.bytes.length - this.#at;
  }

  uint8(): number {
    return this.#has(1) ? this.bytes[this.#at++]! : Number.NaN;
  }

  uint32(): number {
    if (!this.#has(4)) return Number.NaN;
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  /** Not a safe integer: counts as missing. */
  uint53(): number {
    if (!this.#has(8)) return Number.NaN;
    const low = this.#view.getUint32(this.#at, true);
    const high = this.#view.getUint32(this.#at + 4, true);
    this.#at += 8;
    if (high > 0x1f_ffff) {
      this.#isWhole = false;
      return Number.NaN;
    }
    return high * HIGH + low;
  }

  float64(): number {
    if (!this.#has(8)) return Number.NaN;
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** A view. */
  take(count: number): Uint8Array {
    if (!this.#has(count)) return this.bytes.subarray(0, 0);
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  #has(count: number): boolean {
    if (this.#isWhole && this.#at + count <= this.bytes.length) return true;
    this.#isWhole = false;
    return false;
  }
}
