/**
 * Back over batches whose entries the database has already, for a member that may have to send them to others. Called
 * by recovery at the place from which it would read.
 *
 * What must hold: each header met is the one that its successor names, so that the way forward again is the same chain.
 * The log may have been shorter or longer for a while (raft overwrites); the way back ends where it was longer, so that
 * what is read from there on holds every entry after the place.
 */
import type { DiskFile } from "../io/index.ts";
import { type BatchHeader, readBatchHeader, sameIdentity } from "./batch-header.ts";
import { BATCH_HEADER_BYTES } from "./format.ts";
import type { ChainState } from "./segment-reader.ts";

/** Reading and checking so much takes about as many milliseconds. */
const BYTES_MAX = 8 << 20;
/** Headers of small batches share a read. */
const BLOCK_BYTES = 64 << 10;

/** Moves the chain back, behind `floor` in the segment, until the log ends at or before `fromIndex` there. */
export function stepBack(
  file: DiskFile,
  chain: ChainState,
  floor: number,
  fromIndex: number,
): void {
  const end = chain.offset;
  const reader = new BackwardReader(file);
  for (;;) {
    const { previous } = chain;
    if (previous.lastIndex <= fromIndex || previous.offset < floor) return;
    if (end - previous.offset > BYTES_MAX) return;
    const header = reader.at(previous.offset);
    if (header === null || !sameIdentity(header, previous)) return;
    if (header.previous.lastIndex > previous.lastIndex) return;
    chain.offset = header.offset;
    chain.nextNumber = header.number;
    chain.previous = header.previous;
  }
}

class BackwardReader {
  readonly #file: DiskFile;
  readonly #bytes = new Uint8Array(BLOCK_BYTES);
  #start = 0;
  #length = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  at(position: number): BatchHeader | null {
    const end = position + BATCH_HEADER_BYTES;
    if (position < this.#start || end > this.#start + this.#length) {
      this.#start = Math.max(0, end - BLOCK_BYTES);
      this.#length = this.#file.readAt(this.#bytes, 0, end - this.#start, this.#start);
      if (this.#length < end - this.#start) return null;
    }
    return readBatchHeader(this.#bytes, position - this.#start);
  }
}
