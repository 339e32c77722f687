/**
 * Sequential access to one segment in bounded memory: a window of a few MB that moves forward. A window that
 * was handed out is never written again, so entries may keep views into it.
 */
import type { DiskFile } from "../io/index.ts";

const WINDOW_BYTES = 4 << 20;
/** The first one is small, each further one twice as large: often only the first batch is wanted. */
const FIRST_WINDOW_BYTES = 64 << 10;
const SEARCH_CHUNK_BYTES = 1 << 20;

export class SegmentWindow {
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  /** Bytes [start, start + bytes.length) of the file. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  #windowBytes = FIRST_WINDOW_BYTES;

  constructor(file: DiskFile) {
    this.#file = file;
    this.sizeBytes = file.sizeBytes();
  }

  /** Makes [position, position + length) available and returns where it begins in `bytes`; -1 beyond the end. */
  locate(position: number, length: number): number {
    if (position < 0 || length > this.sizeBytes - position) return -1;
    const end = this.start + this.bytes.length;
    if (position < this.start || position + length > end) {
      const wanted = Math.min(Math.max(this.#windowBytes, length), this.sizeBytes - position);
      this.#windowBytes = Math.min(this.#windowBytes * 2, WINDOW_BYTES);
      const bytes = new Uint8Array(wanted);
      const got = this.#file.readAt(bytes, 0, wanted, position);
      this.bytes = got === wanted ? bytes : bytes.subarray(0, got);
      this.start = position;
      if (got < length) return -1;
    }
    return position - this.start;
  }

  /** The first position in [from, to) whose byte is not zero, or -1. */
  firstNonZero(from: number, to: number): number {
    const end = Math.min(to, this.sizeBytes);
    const chunk = new Uint8Array(Math.max(0, Math.min(SEARCH_CHUNK_BYTES, end - from)));
    for (let at = from; at < end; ) {
      const got = this.#file.readAt(chunk, 0, Math.min(chunk.length, end - at), at);
      if (got === 0) return -1;
      const found = firstNonZeroByte(chunk, got);
      if (found >= 0) return at + found;
      at += got;
    }
    return -1;
  }

  /** One past the last byte in [from, end of file) that is not zero; `from` if all are zero. */
  endOfNonZero(from: number): number {
    let last = from;
    for (let at = this.firstNonZero(from, this.sizeBytes); at >= 0; ) {
      last = at + 1;
      const chunkEnd = Math.min(at + SEARCH_CHUNK_BYTES, this.sizeBytes);
      const chunk = new Uint8Array(chunkEnd - at);
      const got = this.#file.readAt(chunk, 0, chunk.length, at);
      for (let i = got - 1; i >= 0; i--) {
        if (chunk[i] !== 0) {
          last = at + i + 1;
          break;
        }
      }
      at = this.firstNonZero(chunkEnd, this.sizeBytes);
    }
    return last;
  }
}

const ZEROS = new Uint8Array(4096);

function firstNonZeroByte(bytes: Uint8Array, length: number): number {
  for (let at = 0; at < length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, length);
    if (Buffer.compare(bytes.subarray(at, end), ZEROS.subarray(0, end - at)) === 0) continue;
    for (let i = at; i < end; i++) if (bytes[i] !== 0) return i;
  }
  return -1;
}
