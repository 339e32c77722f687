/**
 * Commands as CBOR: the array [kind, origin, requestId, userName, authRevision, request]. Written by hand straight into
 * a reused buffer, because every write passes here; a test holds it against a general CBOR decoder.
 *
 * | bytes | meaning |
 * |---|---|
 * | 0x86 | array of six |
 * | unsigned | kind |
 * | unsigned | origin |
 * | unsigned | request id |
 * | text | user name |
 * | unsigned | auth revision |
 * | byte string | the protobuf request |
 *
 * Logs of earlier versions hold arrays of five, without the origin: nobody waits for those any more.
 */
import { assert } from "../base/assert.ts";
import { EMPTY_BYTES, utf8, utf8Text } from "../base/bytes.ts";
import type { Command } from "./command.ts";

const ARRAY_OF_FIVE = 0x85;
const ARRAY_OF_SIX = 0x86;
const MAJOR_UNSIGNED = 0;
const MAJOR_BYTES = 2;
const MAJOR_TEXT = 3;
const TWO_32 = 4294967296;
const HEAD_BYTES_MAX = 9;

/**
 * Commands lie one behind the other in slabs: a view of a shared buffer costs far less than a buffer of its own, as
 * do the views that are taken of it when the command is applied. A slab goes when its last command was applied.
 */
const SLAB_BYTES = 64 * 1024;
/** Larger commands get memory of their own, so that little of a slab is left unused. */
const SHARED_BYTES_MAX = 8 * 1024;

let slab = new Uint8Array(SLAB_BYTES);
let slabPosition = 0;
let target = slab;
let position = 0;

/** Finds memory for one command of at most so many bytes. */
function beginCommand(bytesMax: number): void {
  if (bytesMax > SHARED_BYTES_MAX) {
    target = new Uint8Array(bytesMax);
    position = 0;
    return;
  }
  if (slabPosition + bytesMax > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabPosition = 0;
  }
  target = slab;
  position = slabPosition;
}

function writeHead(major: number, value: number): void {
  const lead = major << 5;
  if (value < 24) {
    target[position++] = lead | value;
    return;
  }
  let size = 1;
  if (value >= TWO_32) size = 8;
  else if (value >= 0x10000) size = 4;
  else if (value >= 0x100) size = 2;
  target[position++] = lead | (size === 1 ? 24 : size === 2 ? 25 : size === 4 ? 26 : 27);
  let rest = value;
  for (let at = position + size - 1; at >= position; at--) {
    target[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  position += size;
}

function writeBytes(major: number, bytes: Uint8Array): void {
  writeHead(major, bytes.length);
  target.set(bytes, position);
  position += bytes.length;
}

/** Encodes one command into memory that is never written again. `request` may be a view; it is copied. */
export function encodeCommand(
  kind: number,
  origin: number,
  requestId: number,
  userName: string,
  authRevision: number,
  request: Uint8Array,
): Uint8Array {
  assert(kind > 0 && Number.isSafeInteger(requestId), "a command has a kind and a safe id");
  const name = userName === "" ? EMPTY_BYTES : utf8(userName);
  beginCommand(1 + 6 * HEAD_BYTES_MAX + name.length + request.length);
  const start = position;
  target[position++] = ARRAY_OF_SIX;
  writeHead(MAJOR_UNSIGNED, kind);
  writeHead(MAJOR_UNSIGNED, origin);
  writeHead(MAJOR_UNSIGNED, requestId);
  writeBytes(MAJOR_TEXT, name);
  writeHead(MAJOR_UNSIGNED, authRevision);
  writeBytes(MAJOR_BYTES, request);
  if (target === slab) slabPosition = position;
  return target.subarray(start, position);
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
  if (length === 0) return EMPTY_BYTES;
  const value = bytes.subarray(readPosition, readPosition + length);
  readPosition += length;
  return value;
}

/** The command in these bytes; null when they are not one (damage or a newer version's log). */
export function decodeCommand(bytes: Uint8Array): Command | null {
  readPosition = 0;
  const shape = bytes[readPosition++];
  if (shape !== ARRAY_OF_SIX && shape !== ARRAY_OF_FIVE) return null;
  const kind = readHead(bytes, MAJOR_UNSIGNED);
  const origin = shape === ARRAY_OF_SIX ? readHead(bytes, MAJOR_UNSIGNED) : 0;
  const requestId = readHead(bytes, MAJOR_UNSIGNED);
  const userName = readBytes(bytes, MAJOR_TEXT);
  const authRevision = readHead(bytes, MAJOR_UNSIGNED);
  const request = readBytes(bytes, MAJOR_BYTES);
  if (
    kind <= 0 ||
    origin < 0 ||
    requestId < 0 ||
    authRevision < 0 ||
    userName === null ||
    request === null
  ) {
    return null;
  }
  if (readPosition !== bytes.length) return null;
  const name = userName.length === 0 ? "" : utf8Text(userName);
  return { kind, origin, requestId, userName: name, authRevision, request };
}
