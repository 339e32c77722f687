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
import type { DiskFile } from "../io/index.ts";
import { checkBody, type RecordSink, visitRecords } from "./batch-body.ts";
import { type BatchHeader, readBatchHeader } from "./batch-header.ts";
import { BATCH_HEADER_BYTES, FLAG_MARK, KIND_HARD_STATE } from "./format.ts";
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
 * has one, but not those in the first `end` bytes of the segment. Answers what is wrong, or null.
 */
export function findHardState(
  file: DiskFile,
  chain: ChainState,
  end: number,
  sink: RecordSink,
): { readonly offset: number; readonly reason: string } | null {
  let found = false;
  const onlyHardStates: RecordSink = (bytes, record) => {
    if (record.kind !== KIND_HARD_STATE) return null;
    found = true;
    return sink(bytes, record);
  };
  let batch = chain.previous;
  while (!found && batch.offset >= end) {
    const { offset } = batch;
    const bytes = new Uint8Array(batch.bytes);
    const length = file.readAt(bytes, 0, bytes.length, offset);
    const header = length < bytes.length ? null : readBatchHeader(bytes, 0);
    if (header === null || header.crc !== batch.crc || header.bytes !== batch.bytes) {
      return { offset, reason: "a batch changed while it was read" };
    }
    const problem = checkBody(bytes, 0, header) ?? visitRecords(bytes, 0, header, onlyHardStates);
    if (problem !== null) return { offset: offset + problem.offset, reason: problem.reason };
    batch = header.previous;
  }
  return null;
}
