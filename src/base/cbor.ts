/**
 * CBOR (RFC 8949) for what cairn itself stores and sends: positional arrays, no records, no tags, no maps.
 * This is the one place that names cbor-x. Its `encode` and `decode` entries are plain JavaScript; the
 * package's default entry would load a native addon from the build machine's path.
 *
 * Bytes are a function of the value alone. Integers above 2^32 - 1 are written as float64, so a safe integer
 * comes back as the same number; a bigint is always 9 bytes and always comes back as a bigint. A field must
 * therefore stay with one of the two types for ever.
 */
import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";

export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly CborValue[];

/** The bytes are not one well-formed value of the subset above. The only error decoding throws. */
export class CborError extends Error {
  override name = "CborError";
}

const NESTING_MAX = 32;
const OPTIONS = { useRecords: false, tagUint8Array: false, encodeUndefinedAsNil: true };

const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);

export function encodeCbor(value: CborValue): Uint8Array {
  return encoder.encode(value);
}

/** Decodes exactly one value that fills `bytes`. Byte strings are views of `bytes`: copy what must outlive it. */
export function decodeCbor(bytes: Uint8Array): CborValue {
  // The shape is checked first, so that what cbor-x gets can neither allocate more than the input
  // justifies, nor nest deeply, nor reach its tag extensions.
  const end = skipItem(bytes, 0, 0);
  if (end !== bytes.length) throw new CborError(`${bytes.length - end} bytes after the value`);
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CborError(`undecodable: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Returns the offset after the item at `at`; throws CborError where it leaves the subset or the bytes. */
function skipItem(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > NESTING_MAX) throw new CborError(`nested deeper than ${NESTING_MAX}`);
  if (at >= bytes.length) throw new CborError("ends within a value");
  const major = bytes[at]! >> 5;
  const info = bytes[at]! & 0x1f;
  if (info > 27) throw new CborError(`length form ${info} is not used here`);
  const extra = info < 24 ? 0 : 1 << (info - 24);
  const body = at + 1 + extra;
  if (body > bytes.length) throw new CborError("ends within a length");
  switch (major) {
    case 0:
    case 1:
      return body;
    case 2:
    case 3: {
      const length = readArgument(bytes, at, info);
      if (length > bytes.length - body) throw new CborError(`string of ${length} bytes is cut off`);
      return body + length;
    }
    case 4: {
      const count = readArgument(bytes, at, info);
      if (count > bytes.length - body) throw new CborError(`array of ${count} items is cut off`);
      let next = body;
      for (let i = 0; i < count; i++) next = skipItem(bytes, next, depth + 1);
      return next;
    }
    case 7:
      if ((info >= 20 && info <= 22) || (info >= 25 && info <= 27)) return body;
      throw new CborError(`simple value ${info} is not used here`);
    default:
      throw new CborError(major === 5 ? "maps are not used here" : "tags are not used here");
  }
}

function readArgument(bytes: Uint8Array, at: number, info: number): number {
  if (info < 24) return info;
  let value = 0;
  const end = at + 1 + (1 << (info - 24));
  for (let i = at + 1; i < end; i++) value = value * 256 + bytes[i]!;
  return value;
}
