/**
 * Reads protobuf's wire format from foreign bytes. Every length is checked against the end of the enclosing
 * message; anything wrong throws ProtoError, which edges turn into a gRPC error. Byte fields are views of the
 * source, not copies.
 */
const TWO_32 = 4294967296;
const DEPTH_MAX = 100;

/** The bytes are not a message of the expected kind. */
export class ProtoError extends Error {
  override name = "ProtoError";
}

const strictText = new TextDecoder("utf-8", { fatal: true });

export class ProtoReader {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  #low = 0;
  #high = 0;
  #depth = 0;

  reset(bytes: Uint8Array, start: number): void {
    this.bytes = bytes;
    this.position = start;
    this.#depth = 0;
  }

  /** A tag: field number * 8 + wire type. */
  tag(end: number): number {
    const first = this.bytes[this.position]!;
    if (first < 0x80 && this.position < end) {
      this.position++;
      if (first < 8) throw new ProtoError("illegal tag 0");
      return first;
    }
    const tag = this.varint32(end);
    if (tag >>> 3 === 0) throw new ProtoError("illegal tag 0");
    return tag;
  }

  #varint(end: number): void {
    const bytes = this.bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= end) throw new ProtoError("unexpected EOF");
      const byte = bytes[this.position++]!;
      const part = byte & 0x7f;
      if (shift < 28) low |= part << shift;
      else if (shift === 28) {
        low |= part << 28;
        high = part >>> 4;
      } else if (shift < 63) high |= part << (shift - 32);
      else high |= (part & 1) << 31;
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw new ProtoError("variable length integer overflow");
  }

  /** The low 32 bits of a varint, unsigned. */
  varint32(end: number): number {
    const first = this.bytes[this.position]!;
    if (this.position < end && first < 0x80) {
      this.position++;
      return first;
    }
    this.#varint(end);
    return this.#low;
  }

  /** An enum or int32: the low 32 bits, signed. */
  int32(end: number): number {
    return this.varint32(end) | 0;
  }

  bool(end: number): boolean {
    this.#varint(end);
    return this.#low !== 0 || this.#high !== 0;
  }

  /** A signed 64-bit integer; exact below 2^53, rounded beyond (only ever compared there). */
  int64(end: number): number {
    const first = this.bytes[this.position]!;
    if (this.position < end && first < 0x80) {
      this.position++;
      return first;
    }
    this.#varint(end);
    return (this.#high | 0) * TWO_32 + this.#low;
  }

  uint64(end: number): number {
    this.#varint(end);
    return this.#high * TWO_32 + this.#low;
  }

  bigInt64(end: number): bigint {
    this.#varint(end);
    if (this.#high === 0) return this.#low === 0 ? 0n : BigInt(this.#low);
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  bigUint64(end: number): bigint {
    this.#varint(end);
    if (this.#high === 0) return this.#low === 0 ? 0n : BigInt(this.#low);
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }

  /** The end of a length-delimited field that starts here. */
  lengthEnd(end: number): number {
    const length = this.varint32(end);
    if (length > end - this.position) throw new ProtoError("unexpected EOF");
    return this.position + length;
  }

  byteString(end: number): Uint8Array {
    const stop = this.lengthEnd(end);
    const value = this.bytes.subarray(this.position, stop);
    this.position = stop;
    return value;
  }

  text(end: number): string {
    const value = this.byteString(end);
    try {
      return strictText.decode(value);
    } catch {
      throw new ProtoError("string field contains invalid UTF-8");
    }
  }

  /** Enters a nested message; bounds how deep they go. */
  enter(): void {
    if (++this.#depth > DEPTH_MAX) throw new ProtoError("exceeded max recursion depth");
  }

  leave(): void {
    this.#depth--;
  }

  /** Steps over an unknown field. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case 0:
        this.#varint(end);
        return;
      case 1:
        this.#advance(8, end);
        return;
      case 2:
        this.position = this.lengthEnd(end);
        return;
      case 5:
        this.#advance(4, end);
        return;
      case 3:
        this.#skipGroup(tag, end);
        return;
      default:
        throw new ProtoError("cannot parse invalid wire-format data");
    }
  }

  #skipGroup(startTag: number, end: number): void {
    this.enter();
    for (;;) {
      const tag = this.tag(end);
      if ((tag & 7) === 4) {
        if (tag >>> 3 !== startTag >>> 3) throw new ProtoError("mismatching end group marker");
        break;
      }
      this.skip(tag, end);
    }
    this.leave();
  }

  #advance(count: number, end: number): void {
    if (count > end - this.position) throw new ProtoError("unexpected EOF");
    this.position += count;
  }
}
