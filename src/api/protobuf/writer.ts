/**
 * Writes protobuf's wire format into one growing buffer. Whoever owns the buffer (a connection's output, a
 * command) resets `position`; the encoders only append. Lengths of nested messages are patched afterwards:
 * one byte is reserved, and the body moves up in the rare case that its length needs more.
 */
const INITIAL_BYTES = 512;
const TWO_32 = 4294967296;
const TWO_63 = 2 ** 63;
const encoder = new TextEncoder();

export class ProtoWriter {
  bytes: Uint8Array;
  position = 0;

  constructor(initialBytes = INITIAL_BYTES) {
    this.bytes = new Uint8Array(initialBytes);
  }

  /** Makes room for `count` more bytes at `position`; may replace `bytes`. */
  reserve(count: number): void {
    const needed = this.position + count;
    if (needed <= this.bytes.length) return;
    let size = this.bytes.length * 2;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(
      this.position === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.position),
    );
    this.bytes = grown;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.position);
  }

  reset(): void {
    this.position = 0;
  }

  /** An unsigned integer below 2^32 as a varint; used for tags, lengths, enums and booleans. */
  varint32(value: number): void {
    this.reserve(5);
    const bytes = this.bytes;
    let position = this.position;
    while (value > 0x7f) {
      bytes[position++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[position++] = value;
    this.position = position;
  }

  /**
   * A signed or unsigned 64-bit integer given as a number, in two's complement. The number next to the largest
   * signed integer is 2^63, which as bits would be the smallest: what clients send as "no bound" must stay large.
   */
  int64(value: number): void {
    if (value >= 0 && value < TWO_32) {
      this.varint32(value);
      return;
    }
    if (value >= TWO_63) {
      this.#halves(0xffffffff, 0x7fffffff);
      return;
    }
    const high = Math.floor(value / TWO_32);
    this.#halves((value - high * TWO_32) >>> 0, high >>> 0);
  }

  /** A signed or unsigned 64-bit integer given as a bigint, in two's complement. */
  bigInt64(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    this.#halves(Number(bits & 0xffffffffn), Number(bits >> 32n));
  }

  #halves(low: number, high: number): void {
    this.reserve(10);
    const bytes = this.bytes;
    let position = this.position;
    while (high !== 0) {
      bytes[position++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    while (low > 0x7f) {
      bytes[position++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    bytes[position++] = low;
    this.position = position;
  }

  /** A tag, the length and the bytes. */
  bytesField(tag: number, value: Uint8Array): void {
    const length = value.length;
    this.reserve(length + 10);
    this.varint32(tag);
    this.varint32(length);
    if (length < 24) {
      const bytes = this.bytes;
      const position = this.position;
      for (let i = 0; i < length; i++) bytes[position + i] = value[i]!;
    } else {
      this.bytes.set(value, this.position);
    }
    this.position += length;
  }

  /** A tag, the length and the text as UTF-8. */
  stringField(tag: number, value: string): void {
    this.reserve(value.length * 3 + 10);
    this.varint32(tag);
    const start = this.beginNested();
    const { written } = encoder.encodeInto(value, this.bytes.subarray(this.position));
    this.position += written;
    this.endNested(start);
  }

  /** Bytes that are already encoded fields. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.position);
    this.position += value.length;
  }

  /** Starts a nested message after its tag; the result goes to endNested. */
  beginNested(): number {
    this.reserve(1);
    return this.position++;
  }

  endNested(start: number): void {
    const length = this.position - start - 1;
    if (length < 0x80) {
      this.bytes[start] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4;
    this.reserve(extra);
    this.bytes.copyWithin(start + 1 + extra, start + 1, this.position);
    const end = this.position + extra;
    this.position = start;
    this.varint32(length);
    this.position = end;
  }
}
