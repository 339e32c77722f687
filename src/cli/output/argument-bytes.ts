/**
 * Keys and values on the command line are bytes, but the runtime hands arguments over as text and damages what
 * is not UTF-8. Such bytes travel here as lone surrogates U+DC80..U+DCFF, one per byte, and are turned back where a
 * key or value is sent.
 */
import { concatBytes, utf8 } from "../../base/bytes.ts";

const ESCAPE_BASE = 0xdc00;

/** Text that stands for these bytes. */
export function argumentOfBytes(bytes: Uint8Array): string {
  const plain = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  if (!plain.includes("\ufffd")) return plain;
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) text += String.fromCharCode(ESCAPE_BASE + bytes[i++]!);
    else {
      text += Buffer.from(bytes.subarray(i, i + length)).toString("utf8");
      i += length;
    }
  }
  return text;
}

/** The bytes that an argument stands for; a plain array that belongs to the caller. */
export function bytesOfArgument(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0xd800 && code < 0xdc00) {
      i++; // the first half of a pair: its second half is no escape
      continue;
    }
    if (code < 0xdc80 || code > 0xdcff) continue;
    parts.push(utf8(text.slice(from, i)), Uint8Array.of(code - ESCAPE_BASE));
    from = i + 1;
  }
  if (from === 0) return utf8(text);
  parts.push(utf8(text.slice(from)));
  return concatBytes(parts);
}

/** Length of the well-formed UTF-8 sequence at `start`; 0 when there is none. */
export function sequenceLength(bytes: Uint8Array, start: number): number {
  const first = bytes[start]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || start + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[start + i]! & 0xc0) !== 0x80) return 0;
  const second = bytes[start + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0; // overlong
  if (first === 0xed && second > 0x9f) return 0; // surrogates
  if (first === 0xf0 && second < 0x90) return 0; // overlong
  if (first === 0xf4 && second > 0x8f) return 0; // beyond U+10FFFF
  return length;
}
