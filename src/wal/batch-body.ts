/**
 * Checks the body of a batch against its header and hands out the records. Nothing is handed out of a batch
 * that is not whole. Works on bytes only and never throws on them.
 */
import { CborError, type CborValue, decodeCbor } from "../base/cbor.ts";
import { crc32c } from "../base/crc32c.ts";
import type { BatchHeader } from "./batch-header.ts";
import {
  BATCH_HEADER_BYTES,
  KIND_ENTRY,
  paddedBytes,
  RECORD,
  RECORD_CRC_FROM,
  RECORD_HEADER_BYTES,
  TWO_32,
} from "./format.ts";

/** A record as it lies in the buffer; one object is used for all records of a batch. */
export interface RecordView {
  kind: number;
  term: number;
  index: number;
  /** Where the payload lies in the buffer that was handed in. */
  payloadStart: number;
  payloadEnd: number;
}

/** Returns what is wrong with the record, or null. */
export type RecordSink = (bytes: Uint8Array, record: RecordView) => string | null;

export interface BodyDamage {
  /** From the start of the batch. */
  readonly offset: number;
  readonly reason: string;
}

/** Checks directory, record headers and payload sums of the batch at bytes[start, start + header.bytes). */
export function checkBody(
  bytes: Uint8Array,
  start: number,
  header: BatchHeader,
): BodyDamage | null {
  const end = start + header.bytes;
  const directoryBytes = header.recordCount * RECORD_HEADER_BYTES;
  if (header.bytes % 8 !== 0 || BATCH_HEADER_BYTES + 2 * directoryBytes > header.bytes) {
    return { offset: 0, reason: "a header with impossible sizes" };
  }
  const directory = end - directoryBytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const directoryIntact = crc32c(bytes, 0, directory, end) === header.directoryCrc;
  let at = start + BATCH_HEADER_BYTES;
  for (let i = 0; i < header.recordCount; i++) {
    // Lengths come from the directory while it is intact: a damaged record then hides no other.
    const from = directoryIntact ? directory + i * RECORD_HEADER_BYTES : at;
    if (at + RECORD_HEADER_BYTES > directory) return badRecord(at - start, i, "starts too late");
    const length = view.getUint32(from + RECORD.length, true);
    const payloadEnd = at + RECORD_HEADER_BYTES + length;
    if (payloadEnd > directory) return badRecord(at - start, i, `claims ${length} bytes`);
    if (directoryIntact && !sameBytes(bytes, from, at, RECORD_HEADER_BYTES)) {
      return {
        offset: at - start,
        reason: `the header of ${describe(view, from)} differs from the directory`,
      };
    }
    const crc = view.getUint32(from + RECORD.crc, true);
    if (crc32c(bytes, length, at + RECORD_CRC_FROM, payloadEnd) !== crc) {
      const name = directoryIntact ? describe(view, from) : `record ${i}`;
      return { offset: at - start, reason: `${name} does not match its checksum` };
    }
    at = paddedBytes(payloadEnd - start) + start;
  }
  if (!directoryIntact) {
    return { offset: directory - start, reason: "the directory does not match its checksum" };
  }
  return at === directory
    ? null
    : { offset: at - start, reason: "bytes between records and directory" };
}

/** Hands the records of a checked batch to the sink; returns the first problem that the sink has. */
export function visitRecords(
  bytes: Uint8Array,
  start: number,
  header: BatchHeader,
  sink: RecordSink,
): BodyDamage | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const record: RecordView = { kind: 0, term: 0, index: 0, payloadStart: 0, payloadEnd: 0 };
  let at = start + BATCH_HEADER_BYTES;
  for (let i = 0; i < header.recordCount; i++) {
    const length = view.getUint32(at + RECORD.length, true);
    const termHigh = view.getUint32(at + RECORD.term + 4, true);
    record.kind = termHigh >>> 24;
    record.term = (termHigh & 0xffffff) * TWO_32 + view.getUint32(at + RECORD.term, true);
    record.index =
      view.getUint32(at + RECORD.index + 4, true) * TWO_32 +
      view.getUint32(at + RECORD.index, true);
    record.payloadStart = at + RECORD_HEADER_BYTES;
    record.payloadEnd = record.payloadStart + length;
    const problem = sink(bytes, record);
    if (problem !== null) return { offset: at - start, reason: problem };
    at = start + paddedBytes(record.payloadEnd - start);
  }
  return null;
}

export interface EntryPayload {
  kind: number;
  dataStart: number;
}

/** Reads the CBOR array [kind, data] of an entry in its one canonical form; false where it is anything else. */
export function readEntryPayload(
  bytes: Uint8Array,
  record: RecordView,
  out: EntryPayload,
): boolean {
  const at = record.payloadStart;
  const size = record.payloadEnd - at;
  if (size < 3 || bytes[at] !== 0x82 || bytes[at + 1]! > 23) return false;
  const head = bytes[at + 2]!;
  const headBytes = head < 0x58 ? 1 : head === 0x58 ? 2 : head === 0x59 ? 3 : 5;
  if (head < 0x40 || head > 0x5a || size < 2 + headBytes) return false;
  let length = head < 0x58 ? head - 0x40 : 0;
  for (let i = 1; i < headBytes; i++) length = length * 256 + bytes[at + 2 + i]!;
  out.kind = bytes[at + 1]!;
  out.dataStart = at + 2 + headBytes;
  return out.dataStart + length === record.payloadEnd;
}

/** The CBOR array in a record other than an entry; null if it is not an array of `count` items. */
export function readArrayPayload(
  bytes: Uint8Array,
  record: RecordView,
  count: number,
): readonly CborValue[] | null {
  try {
    const value = decodeCbor(bytes.slice(record.payloadStart, record.payloadEnd));
    return Array.isArray(value) && value.length === count ? value : null;
  } catch (error) {
    if (error instanceof CborError) return null;
    throw error;
  }
}

function badRecord(offset: number, position: number, what: string): BodyDamage {
  return { offset, reason: `record ${position} of the batch ${what}` };
}

function describe(view: DataView, at: number): string {
  const high = view.getUint32(at + RECORD.term + 4, true);
  const term = (high & 0xffffff) * TWO_32 + view.getUint32(at + RECORD.term, true);
  const index =
    view.getUint32(at + RECORD.index + 4, true) * TWO_32 + view.getUint32(at + RECORD.index, true);
  const kind = high >>> 24;
  return kind === KIND_ENTRY ? `entry ${index} of term ${term}` : `a record of kind ${kind}`;
}

function sameBytes(bytes: Uint8Array, a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}
