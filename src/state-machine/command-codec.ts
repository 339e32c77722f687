/**
 * Commands as CBOR: the array [kind, requestId, userName, authRevision, request]. Written by hand straight into
 * a reused buffer, because every write passes here; a test holds it against a general CBOR decoder.
 *
 * | bytes | meaning |
 * |---|---|
 * | 0x85 | array of five |
 * | unsigned | kind |
 * | unsigned | request id |
 * | text | user name |
 * | unsigned | auth revision |
 * | byte string | the protobuf request |
 */
import { assert } from "../base/assert.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import type { Command } from "./command.ts";

const ARRAY_OF_FIVE = 0x85;
const MAJOR_UNSIGNED = 0;
const MAJOR_BYTES = 2;
const MAJOR_TEXT = 3;
const TWO_32 = 4294967296;
const HEAD_BYTES_MAX = 9;

let scratch = new Uint8Array(4096);
let position = 0;

function reserve(count: number): void {
  if (position + count <= scratch.length) return;
  let size = scratch.length * 2;
  while (size < position + count) size *= 2;
  const grown = new Uint8Array(size);
  grown.set(scratch.subarray(0, position));
  scratch = grown;
}

function writeHead(major: number, value: number): void {
  reserve(HEAD_BYTES_MAX);
  const lead = major << 5;
  if (value < 24) {
    scratch[position++] = lead | value;
    return;
  }
  let size = 1;
  if (value >= TWO_32) size = 8;
  else if (value >= 0x10000) size = 4;
  else if (value >= 0x100) size = 2;
  scratch[position++] = lead | (size === 1 ? 24 : size === 2 ? 25 : size === 4 ? 26 : 27);
  let rest = value;
  for (let at = position + size - 1; at >= position; at--) {
    scratch[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  position += size;
}

function writeBytes(major: number, bytes: Uint8Array): void {
  writeHead(major, bytes.length);
  reserve(bytes.length);
  scratch.set(bytes, position);
  position += bytes.length;
}

/** Encodes one command into bytes of its own. `request` may be a view; it is copied here, once. */
export function encodeCommand(
  kind: number,
  requestId: number,
  userName: string,
  authRevision: number,
  request: Uint8Array,
): Uint8Array {
  assert(kind > 0 && Number.isSafeInteger(requestId), `command ${kind} with id ${requestId}`);
  position = 0;
  reserve(1);
  scratch[position++] = ARRAY_OF_FIVE;
  writeHead(MAJOR_UNSIGNED, kind);
  writeHead(MAJOR_UNSIGNED, requestId);
  if (userName === "") {
    writeHead(MAJOR_TEXT, 0);
  } else {
    writeBytes(MAJOR_TEXT, utf8(userName));
  }
  writeHead(MAJOR_UNSIGNED, authRevision);
  writeBytes(MAJOR_BYTES, request);
  return scratch.slice(0, position);
}

let readPosition = 0;

/** The value of a head of the wanted major type, or -1 when the bytes are something else or end early. */
function readHead(bytes: Uint8Array, major: number): number {
  if (readPosition >= bytes.length) return -1;
  const first = bytes[readPosition++]!;
  if (first >> 5 !== major) return -1;
  const info = first & 31;
  if (info < 24) return info;
  if (info > 27) return -1;
  const size = 1 << (info - 24);
  if (readPosition + size > bytes.length) return -1;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + bytes[readPosition++]!;
  return Number.isSafeInteger(value) ? value : -1;
}

function readBytes(bytes: Uint8Array, major: number): Uint8Array | null {
  const length = readHead(bytes, major);
  if (length < 0 || length > bytes.length - readPosition) return null;
  const value = bytes.subarray(readPosition, readPosition + length);
  readPosition += length;
  return value;
}

/** The command in these bytes; null when they are not one (damage or a newer version's log). */
export function decodeCommand(bytes: Uint8Array): Command | null {
  readPosition = 0;
  if (bytes[readPosition++] !== ARRAY_OF_FIVE) return null;
  const kind = readHead(bytes, MAJOR_UNSIGNED);
  const requestId = readHead(bytes, MAJOR_UNSIGNED);
  const userName = readBytes(bytes, MAJOR_TEXT);
  const authRevision = readHead(bytes, MAJOR_UNSIGNED);
  const request = readBytes(bytes, MAJOR_BYTES);
  if (kind <= 0 || requestId < 0 || authRevision < 0 || userName === null || request === null) {
    return null;
  }
  if (readPosition !== bytes.length) return null;
  const name = userName.length === 0 ? "" : utf8Text(userName);
  return { kind, requestId, userName: name, authRevision, request };
}
