/** Byte strings: order, equality, ranges, hex. Keys are ordered bytewise everywhere (etcd's order). */

export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

const NATIVE_COMPARE_BYTES_MIN = 24;

/** Negative, zero or positive as a sorts before, with or after b. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = a.length < b.length ? a.length : b.length;
  if (length >= NATIVE_COMPARE_BYTES_MIN) return Buffer.compare(a, b);
  for (let i = 0; i < length; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compareBytes(a, b) === 0;
}

/** A copy with memory of its own. (`slice` of a Buffer is a view, although it looks like a copy.) */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.length;
  const out = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * The end of the range of all keys with this prefix: the last byte that is not 0xff is incremented and
 * what follows is dropped; a prefix of only 0xff (or an empty one) gives the single byte 0x00, "to the end".
 */
export function prefixRangeEnd(prefix: Uint8Array): Uint8Array {
  for (let i = prefix.length - 1; i >= 0; i--) {
    if (prefix[i]! < 0xff) {
      const end = copyBytes(prefix.subarray(0, i + 1));
      end[i] = end[i]! + 1;
      return end;
    }
  }
  return new Uint8Array([0]);
}

/** etcd's marker for "every key from `key` on": the single byte 0x00. */
export function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

export function bytesToHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** Bytes of a string as UTF-8. */
export function utf8(text: string): Uint8Array {
  return textEncoder.encode(text);
}

/** Text of UTF-8 bytes; damaged sequences become U+FFFD. */
export function utf8Text(bytes: Uint8Array): string {
  return textDecoder.decode(bytes);
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

const latin1Slice = (
  Buffer.prototype as unknown as {
    latin1Slice(this: Uint8Array, start: number, end: number): string;
  }
).latin1Slice;

/** One character per byte: text that sorts and compares as its bytes do; for map keys. */
export function latin1Text(bytes: Uint8Array): string {
  return latin1Slice.call(bytes, 0, bytes.length);
}

/** The bytes of a text made by latin1Text. */
export function latin1Bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}
