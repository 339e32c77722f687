/**
 * The index checkpoint: the key index as of one revision, in a file of its own beside the database,
 * so that a restart need not read all rows. It is a cache: whoever reads it believes nothing that
 * the database does not confirm, and does without it when anything is wrong. Byte tables:
 * docs/formats/index-checkpoint.md.
 *
 * Header (40 bytes), blocks, and an end mark (a block of length 0). All numbers little-endian.
 */
import { crc32c } from "../../base/crc32c.ts";

export const MAGIC = "CAIRNIX2";
export const HEADER_BYTES = 40;
/** Payload bytes, entries, and CRC-32C of those two and the payload. */
export const BLOCK_HEADER_BYTES = 12;
/** A payload begins with the number of bytes of its keys. */
export const BLOCK_KEY_BYTES_FIELD = 4;
export const BLOCK_PAYLOAD_BYTES = 256 * 1024;
/** Nothing that we write comes near it; a damaged length must not make us ask for memory. */
export const BLOCK_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

export const FLAG_TOMBSTONE = 1;
export const FLAG_LEASED = 2;
export const FLAG_OLDER = 4;
export const FLAG_SUB = 8;

/** Where checkpoint bytes come from: an open file. */
export interface CheckpointSource {
  sizeBytes(): number;
  readAt(buffer: Uint8Array, offset: number, length: number, position: number): number;
}

/** Where they go, in order. */
export interface CheckpointSink {
  write(bytes: Uint8Array): void;
}

export interface CheckpointHeader {
  /** The index is as of this revision. */
  readonly revision: number;
  /** What was compacted away in the index already; -1 for nothing. */
  readonly compactRevision: number;
  /** CRC-32C over keys and values of the rows of that revision: says which history this is. */
  readonly revisionCrc: number;
  /** About how many entries follow; for people who look. */
  readonly entriesHint: number;
}

/** CRC-32C over the first two fields of a block header and `length` bytes of payload. */
export function blockCrc(
  header: Uint8Array,
  payload: Uint8Array,
  start: number,
  end: number,
): number {
  return crc32c(payload, crc32c(header, 0, 0, 8), start, end);
}

/** The end mark: a block of no bytes whose entries are those of all blocks together. */
export function encodeEndMark(entries: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, entries, true);
  view.setUint32(8, blockCrc(bytes, bytes, 0, 0), true);
  return bytes;
}

export function encodeHeader(header: CheckpointHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < MAGIC.length; i++) bytes[i] = MAGIC.charCodeAt(i);
  view.setFloat64(8, header.revision, true);
  view.setFloat64(16, header.entriesHint, true);
  view.setFloat64(24, header.compactRevision, true);
  view.setUint32(32, header.revisionCrc, true);
  view.setUint32(HEADER_BYTES - 4, crc32c(bytes, 0, 0, HEADER_BYTES - 4), true);
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): CheckpointHeader | string {
  if (bytes.length < HEADER_BYTES) return "is too short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let i = 0; i < MAGIC.length; i++) {
    if (bytes[i] !== MAGIC.charCodeAt(i)) return "is of another format";
  }
  if (crc32c(bytes, 0, 0, HEADER_BYTES - 4) !== view.getUint32(HEADER_BYTES - 4, true)) {
    return "has a damaged header";
  }
  return {
    revision: view.getFloat64(8, true),
    entriesHint: view.getFloat64(16, true),
    compactRevision: view.getFloat64(24, true),
    revisionCrc: view.getUint32(32, true),
  };
}
