/** The fixed header of a batch: identity and extent of the batch, and those of the batch before it. */
import { crc32c } from "../base/crc32c.ts";
import { BATCH_HEADER_BYTES, BATCH_MAGIC, HEADER, TWO_32 } from "./format.ts";

/** Extent and identity of a complete batch: what the next batch repeats about it. */
export interface BatchIdentity {
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
  readonly recordCount: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface BatchHeader extends BatchIdentity {
  readonly number: number;
  readonly segment: number;
  readonly flags: number;
  readonly directoryCrc: number;
  readonly logId: number;
  readonly previous: BatchIdentity;
}

/** Before the first batch of a log. */
export const NO_BATCH: BatchIdentity = {
  offset: 0,
  bytes: 0,
  crc: 0,
  recordCount: 0,
  lastIndex: 0,
  lastTerm: 0,
};

/** Writes the header at bytes[at...] and returns its CRC. `header.crc` is ignored. */
export function writeBatchHeader(bytes: Uint8Array, at: number, header: BatchHeader): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  view.setUint32(HEADER.magic, BATCH_MAGIC, true);
  view.setUint32(HEADER.bodyBytes, header.bytes - BATCH_HEADER_BYTES, true);
  view.setUint32(HEADER.recordCount, header.recordCount, true);
  setUint64(view, HEADER.number, header.number);
  setUint64(view, HEADER.segment, header.segment);
  view.setUint32(HEADER.offset, header.offset, true);
  view.setUint32(HEADER.flags, header.flags, true);
  view.setUint32(HEADER.directoryCrc, header.directoryCrc, true);
  view.setUint32(HEADER.logId, header.logId, true);
  setUint64(view, HEADER.lastIndex, header.lastIndex);
  setUint64(view, HEADER.lastTerm, header.lastTerm);
  view.setUint32(HEADER.previousOffset, header.previous.offset, true);
  view.setUint32(HEADER.previousBytes, header.previous.bytes, true);
  view.setUint32(HEADER.previousCrc, header.previous.crc, true);
  view.setUint32(HEADER.previousRecordCount, header.previous.recordCount, true);
  setUint64(view, HEADER.previousLastIndex, header.previous.lastIndex);
  setUint64(view, HEADER.previousLastTerm, header.previous.lastTerm);
  const crc = crc32c(bytes, 0, at + HEADER.bodyBytes, at + BATCH_HEADER_BYTES);
  view.setUint32(HEADER.crc, crc, true);
  return crc;
}

/** The header at bytes[at...], or null where those 96 bytes are not an intact header. */
export function readBatchHeader(bytes: Uint8Array, at: number): BatchHeader | null {
  if (at + BATCH_HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BATCH_HEADER_BYTES);
  if (view.getUint32(HEADER.magic, true) !== BATCH_MAGIC) return null;
  const crc = view.getUint32(HEADER.crc, true);
  if (crc32c(bytes, 0, at + HEADER.bodyBytes, at + BATCH_HEADER_BYTES) !== crc) return null;
  return {
    crc,
    bytes: view.getUint32(HEADER.bodyBytes, true) + BATCH_HEADER_BYTES,
    recordCount: view.getUint32(HEADER.recordCount, true),
    number: getUint64(view, HEADER.number),
    segment: getUint64(view, HEADER.segment),
    offset: view.getUint32(HEADER.offset, true),
    flags: view.getUint32(HEADER.flags, true),
    directoryCrc: view.getUint32(HEADER.directoryCrc, true),
    logId: view.getUint32(HEADER.logId, true),
    lastIndex: getUint64(view, HEADER.lastIndex),
    lastTerm: getUint64(view, HEADER.lastTerm),
    previous: {
      offset: view.getUint32(HEADER.previousOffset, true),
      bytes: view.getUint32(HEADER.previousBytes, true),
      crc: view.getUint32(HEADER.previousCrc, true),
      recordCount: view.getUint32(HEADER.previousRecordCount, true),
      lastIndex: getUint64(view, HEADER.previousLastIndex),
      lastTerm: getUint64(view, HEADER.previousLastTerm),
    },
  };
}

export function sameIdentity(a: BatchIdentity, b: BatchIdentity): boolean {
  return (
    a.offset === b.offset &&
    a.bytes === b.bytes &&
    a.crc === b.crc &&
    a.recordCount === b.recordCount &&
    a.lastIndex === b.lastIndex &&
    a.lastTerm === b.lastTerm
  );
}

function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

function getUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}
