/**
 * The quick way through the beginning of the oldest segment that a start-up needs: batches that hold nothing after
 * the index asked for are passed by their headers, and their bodies are not read. Called by recovery only; the
 * read-only check reads every byte.
 *
 * What must hold: the chain of headers is followed without a gap (from the first batch, or from the restart point),
 * so that what is read after it is what was written after it. A batch is passed only if an intact header stands behind
 * it, which proves that it was synced; the newest batch, which may be torn, never is. Damage in the body of a batch
 * that is passed concerns entries that the database has already; it is found by the check of the log.
 */
import { crc32c } from "../base/crc32c.ts";
import type { DiskFile } from "../io/index.ts";
import { type BodyDamage, checkBody, type RecordSink, visitRecords } from "./batch-body.ts";
import {
  type BatchHeader,
  type BatchIdentity,
  readBatchHeader,
  sameIdentity,
} from "./batch-header.ts";
import {
  BATCH_HEADER_BYTES,
  FLAG_MARK,
  KIND_HARD_STATE,
  RECORD,
  RECORD_HEADER_BYTES,
} from "./format.ts";
import { advance, type ChainState, checkPlace } from "./segment-reader.ts";

/** Small batches share a read, of large ones nearly nothing is read. */
const READ_BYTES = 4096;

class HeaderReader {
  readonly #file: DiskFile;
  readonly #bytes = new Uint8Array(READ_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  at(position: number): BatchHeader | null {
    if (position < this.#start || position + BATCH_HEADER_BYTES > this.#start + this.#length) {
      this.#length = this.#file.readAt(this.#bytes, 0, READ_BYTES, position);
      this.#start = position;
      if (this.#length < BATCH_HEADER_BYTES) return null;
    }
    return readBatchHeader(this.#bytes, position - this.#start);
  }
}

/** Moves the chain over batches after which the log ends at or before `throughIndex`. */
export function skipBatches(file: DiskFile, chain: ChainState, throughIndex: number): void {
  const headers = new HeaderReader(file);
  const after = { ...chain };
  let header = headers.at(chain.offset);
  while (header !== null && checkPlace(header, chain) === null) {
    if ((header.flags & FLAG_MARK) !== 0 || header.lastIndex > throughIndex) break;
    advance(after, header);
    const next = headers.at(after.offset);
    if (next === null || checkPlace(next, after) !== null) break;
    advance(chain, header);
    header = next;
  }
}

/**
 * Hands the hard state that counts at this place of the chain to the sink: that of the newest batch before it that
 * has one, but not those in the first `end` bytes of the segment. Every batch with a mark has one, so that this is not
 * a long way back. Answers what is wrong, or null.
 */
export function findHardState(
  file: DiskFile,
  chain: ChainState,
  end: number,
  sink: RecordSink,
): BodyDamage | null {
  let batch = chain.previous;
  while (batch.offset >= end) {
    const { offset } = batch;
    const header = readHeaderOf(file, batch);
    const directory = header === null ? null : readDirectory(file, header);
    if (header === null || directory === null) {
      return {
        offset,
        reason: "the header or the directory of a batch does not match its checksum",
      };
    }
    if (hasHardState(directory)) return handHardStates(file, header, sink);
    batch = header.previous;
  }
  return null;
}

function readHeaderOf(file: DiskFile, batch: BatchIdentity): BatchHeader | null {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  if (file.readAt(bytes, 0, bytes.length, batch.offset) < bytes.length) return null;
  const header = readBatchHeader(bytes, 0);
  return header !== null && sameIdentity(header, batch) ? header : null;
}

/** The second copy of the record headers, which ends the batch; null if it is not what was written. */
function readDirectory(file: DiskFile, header: BatchHeader): Uint8Array | null {
  const length = header.recordCount * RECORD_HEADER_BYTES;
  if (length > header.bytes - BATCH_HEADER_BYTES) return null;
  const bytes = new Uint8Array(length);
  if (file.readAt(bytes, 0, length, header.offset + header.bytes - length) < length) return null;
  return crc32c(bytes) === header.directoryCrc ? bytes : null;
}

function hasHardState(directory: Uint8Array): boolean {
  for (let at = RECORD.term + 7; at < directory.length; at += RECORD_HEADER_BYTES) {
    if (directory[at] === KIND_HARD_STATE) return true;
  }
  return false;
}

function handHardStates(file: DiskFile, header: BatchHeader, sink: RecordSink): BodyDamage | null {
  const { offset } = header;
  const bytes = new Uint8Array(header.bytes);
  if (file.readAt(bytes, 0, bytes.length, offset) < bytes.length) {
    return { offset, reason: "a batch reaches beyond the end of the file" };
  }
  const onlyHardStates: RecordSink = (all, record) =>
    record.kind === KIND_HARD_STATE ? sink(all, record) : null;
  const problem = checkBody(bytes, 0, header) ?? visitRecords(bytes, 0, header, onlyHardStates);
  return problem === null ? null : { offset: offset + problem.offset, reason: problem.reason };
}
