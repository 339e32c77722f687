/**
 * SHELL: the side file that tells a start-up where in a segment it may begin: the header of one batch, as it stands
 * in the segment. It is a cache, written over in place and never synced: whoever reads it believes nothing that the
 * segment does not hold byte for byte, and without it all headers of the segment are read.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Disk, DiskError, type DiskFile } from "../io/index.ts";
import { type BatchHeader, readBatchHeader } from "./batch-header.ts";
import { BATCH_HEADER_BYTES, FLAG_MARK } from "./format.ts";
import type { ChainState } from "./segment-reader.ts";

export const RESTART_POINT_FILE = "restart.point";

export class RestartPoint {
  readonly #disk: Disk;
  readonly #path: string;
  /** The header of the batch that holds the last mark, and where the log ended before it. */
  #candidate: Uint8Array | null = null;
  #candidateAfter = 0;
  #isMarkPending = false;

  constructor(disk: Disk, directory: string) {
    this.#disk = disk;
    this.#path = `${directory}/${RESTART_POINT_FILE}`;
  }

  /**
   * The database is durable up to `index`: the log before the last mark's batch is not needed if it ended there or
   * earlier. The batch that gets this mark is the next candidate.
   */
  noteMark(index: number): void {
    if (this.#candidate !== null && this.#candidateAfter <= index) this.#save(this.#candidate);
    this.#isMarkPending = true;
  }

  /** A batch was written at the end of the chain; `after` is where the log ended before it. */
  noteBatch(file: DiskFile, chain: ChainState, after: number): void {
    if (!this.#isMarkPending) return;
    this.#isMarkPending = false;
    this.#candidate = readHeaderBytes(file, chain.previous.offset);
    this.#candidateAfter = after;
  }

  /** The log was closed in good order: only its last batch matters to an owner who is up to date. */
  noteClosed(file: DiskFile, chain: ChainState): void {
    if (chain.previous.offset === 0) return;
    const header = readHeaderBytes(file, chain.previous.offset);
    if (header !== null) this.#save(header);
  }

  #save(header: Uint8Array): void {
    try {
      const file = this.#disk.open(this.#path, { create: true });
      try {
        file.writeAt(header, 0, header.length, 0);
      } finally {
        file.close();
      }
    } catch (error) {
      // A full disk, say, must not end a log that is written to its preallocated segment.
      if (!(error instanceof DiskError)) throw error;
    }
  }
}

/**
 * Moves the chain, which is behind the first batch of a segment, to the restart point if that lies in this segment
 * and everything after `fromIndex` was written there or later.
 */
export function goToRestartPoint(
  disk: Disk,
  directory: string,
  segment: DiskFile,
  chain: ChainState,
  fromIndex: number,
): boolean {
  const path = `${directory}/${RESTART_POINT_FILE}`;
  if (!disk.exists(path)) return false;
  const file = disk.open(path, { readOnly: true });
  let bytes: Uint8Array | null;
  try {
    bytes = readHeaderBytes(file, 0);
  } finally {
    file.close();
  }
  const header = bytes === null ? null : readBatchHeader(bytes, 0);
  if (header === null || bytes === null || !isAhead(header, chain, fromIndex)) return false;
  const found = readHeaderBytes(segment, header.offset);
  if (found === null || !equalBytes(found, bytes)) return false;
  chain.offset = header.offset;
  chain.nextNumber = header.number;
  chain.previous = header.previous;
  return true;
}

function isAhead(header: BatchHeader, chain: ChainState, fromIndex: number): boolean {
  return (
    (header.flags & FLAG_MARK) === 0 &&
    header.segment === chain.segment &&
    header.logId === chain.logId &&
    header.offset > chain.offset &&
    header.number > chain.nextNumber &&
    header.previous.lastIndex <= fromIndex
  );
}

function readHeaderBytes(file: DiskFile, position: number): Uint8Array | null {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  return file.readAt(bytes, 0, bytes.length, position) === bytes.length ? bytes : null;
}
