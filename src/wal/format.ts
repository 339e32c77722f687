/**
 * Layout of a segment, see docs/formats/wal.md. All integers are little-endian; a 64-bit field is two u32,
 * low word first, and holds a safe integer. A segment is a row of batches, then zeros.
 *
 *   batch     = header (96 bytes) | records | directory
 *   record    = record header (24 bytes) | CBOR payload | zeros up to 8 bytes
 *   directory = the record headers once more, 24 bytes each
 */
export const BATCH_MAGIC = 0x31425743; // "CWB1"
export const FORMAT_VERSION = 1;
export const BATCH_HEADER_BYTES = 96;
export const RECORD_HEADER_BYTES = 24;
export const DEFAULT_SEGMENT_BYTES = 64_000_000;
/** The unit in which a crash keeps or loses written bytes. */
export const SECTOR_BYTES = 512;

/** Byte offsets in a batch header. */
export const HEADER = {
  magic: 0,
  crc: 4, // CRC-32C over bytes 8..95
  bodyBytes: 8, // records and directory
  recordCount: 12, // 0 in a mark
  number: 16, // u64, counts batches over the whole log, from 1
  segment: 24, // u64, sequence number of the segment
  offset: 32, // where this header stands in its segment
  flags: 36,
  directoryCrc: 40,
  logId: 44, // CRC-32C over the metadata: tells logs apart
  lastIndex: 48, // u64, the log's last entry after this batch
  lastTerm: 56, // u64
  previousOffset: 64, // the batch before, proven synced by this header's existence
  previousBytes: 68, // header and body
  previousCrc: 72, // its header's CRC: the chain
  previousRecordCount: 76,
  previousLastIndex: 80, // u64
  previousLastTerm: 88, // u64
} as const;

/** Byte offsets in a record header. The top byte of the term's high word is the record's kind. */
export const RECORD = { length: 0, crc: 4, term: 8, index: 16 } as const;
export const RECORD_CRC_FROM = 8;

export const FLAG_SEGMENT_START = 1;
export const FLAG_MARK = 2;
/** On a mark: the log was closed in good order. */
export const FLAG_CLOSED = 4;

export const KIND_SEGMENT_START = 1;
export const KIND_METADATA = 2;
export const KIND_ENTRY = 3;
export const KIND_HARD_STATE = 4;
export const KIND_SNAPSHOT_MARK = 5;

export const TWO_32 = 4294967296;

/** Bytes of padding after `length` bytes. */
export function paddedBytes(length: number): number {
  return (length + 7) & ~7;
}
