/**
 * Encodes one batch into a buffer that is used again and again: room for the header, the records as they
 * come, and beside them the directory, which `seal` puts behind the records. No I/O here; the log writes
 * the sealed bytes with one call and then calls `reset`.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../base/crc32c.ts";
import { type BatchIdentity, writeBatchHeader } from "./batch-header.ts";
import {
  BATCH_HEADER_BYTES,
  KIND_ENTRY,
  paddedBytes,
  RECORD_CRC_FROM,
  RECORD_HEADER_BYTES,
  TWO_32,
} from "./format.ts";

const INITIAL_BYTES = 1 << 18;
const KEPT_BYTES_MAX = 8 << 20;
const RECORD_WORDS = RECORD_HEADER_BYTES / 4;
const ENTRY_KIND_MAX = 23; // one CBOR byte
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Where and as what a batch is sealed. */
export interface BatchPlace {
  readonly number: number;
  readonly segment: number;
  readonly offset: number;
  readonly flags: number;
  readonly logId: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly previous: BatchIdentity;
}

export class BatchBuilder {
  /** The sealed batch is bytes[0, sealed length). */
  bytes = new Uint8Array(INITIAL_BYTES);
  #words = new Uint32Array(this.bytes.buffer);
  #directory = new Uint32Array(1024 * RECORD_WORDS);
  #length = BATCH_HEADER_BYTES;
  #count = 0;

  constructor() {
    assert(
      LITTLE_ENDIAN,
      "the write-ahead log is encoded through views that need a little-endian CPU",
    );
  }

  get recordCount(): number {
    return this.#count;
  }

  /** Length of the batch if it were sealed now. */
  get sealedBytes(): number {
    return this.#length + this.#count * RECORD_HEADER_BYTES;
  }

  /** An entry's payload is the CBOR array [kind, data], laid by hand: this runs once per write of a client. */
  addEntry(term: number, index: number, kind: number, data: Uint8Array): void {
    // Texts are made only where they are needed: this runs once per entry.
    if (kind < 0 || kind > ENTRY_KIND_MAX) assert(false, `entry kind ${kind}`);
    const size = data.length;
    this.#reserve(RECORD_HEADER_BYTES + 8 + size + 8);
    const bytes = this.bytes;
    const start = this.#length;
    let at = start + RECORD_HEADER_BYTES;
    bytes[at++] = 0x82;
    bytes[at++] = kind;
    if (size < 24) {
      bytes[at++] = 0x40 | size;
    } else if (size < 0x100) {
      bytes[at++] = 0x58;
      bytes[at++] = size;
    } else if (size < 0x10000) {
      bytes[at++] = 0x59;
      bytes[at++] = size >>> 8;
      bytes[at++] = size;
    } else {
      bytes[at++] = 0x5a;
      bytes[at++] = size >>> 24;
      bytes[at++] = size >>> 16;
      bytes[at++] = size >>> 8;
      bytes[at++] = size;
    }
    bytes.set(data, at);
    this.#finish(KIND_ENTRY, term, index, at + size);
  }

  addRecord(kind: number, term: number, index: number, payload: Uint8Array): void {
    this.#reserve(RECORD_HEADER_BYTES + payload.length + 8);
    const at = this.#length + RECORD_HEADER_BYTES;
    this.bytes.set(payload, at);
    this.#finish(kind, term, index, at + payload.length);
  }

  #finish(kind: number, term: number, index: number, end: number): void {
    if (!Number.isSafeInteger(term) || term < 0) assert(false, `term ${term}`);
    if (!Number.isSafeInteger(index) || index < 0) assert(false, `index ${index}`);
    const bytes = this.bytes;
    const words = this.#words;
    const start = this.#length;
    const length = end - start - RECORD_HEADER_BYTES;
    const word = start >>> 2;
    words[word] = length;
    words[word + 2] = term >>> 0;
    words[word + 3] = Math.floor(term / TWO_32) | (kind << 24);
    words[word + 4] = index >>> 0;
    words[word + 5] = Math.floor(index / TWO_32);
    words[word + 1] = crc32c(bytes, length, start + RECORD_CRC_FROM, end);
    const next = paddedBytes(end);
    for (let i = end; i < next; i++) bytes[i] = 0;
    this.#length = next;
    this.#noteInDirectory(words, word);
  }

  #noteInDirectory(words: Uint32Array, word: number): void {
    let at = this.#count * RECORD_WORDS;
    if (at + RECORD_WORDS > this.#directory.length) {
      const grown = new Uint32Array(this.#directory.length * 2);
      grown.set(this.#directory);
      this.#directory = grown;
    }
    const directory = this.#directory;
    for (let i = word; i < word + RECORD_WORDS; i++) directory[at++] = words[i]!;
    this.#count++;
  }

  /** Adds directory and header; bytes[0, result.bytes) is then the batch. */
  seal(place: BatchPlace): BatchIdentity {
    const directoryBytes = this.#count * RECORD_HEADER_BYTES;
    this.#reserve(directoryBytes);
    const from = this.#length;
    this.#words.set(this.#directory.subarray(0, this.#count * RECORD_WORDS), from >>> 2);
    const directoryCrc = crc32c(this.bytes, 0, from, from + directoryBytes);
    const bytes = from + directoryBytes;
    const header = { ...place, bytes, crc: 0, recordCount: this.#count, directoryCrc };
    const crc = writeBatchHeader(this.bytes, 0, header);
    const { offset, lastIndex, lastTerm } = place;
    return { offset, bytes, crc, recordCount: this.#count, lastIndex, lastTerm };
  }

  reset(): void {
    this.#length = BATCH_HEADER_BYTES;
    this.#count = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) {
      this.bytes = new Uint8Array(INITIAL_BYTES);
      this.#words = new Uint32Array(this.bytes.buffer);
      this.#directory = new Uint32Array(1024 * RECORD_WORDS);
    }
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.bytes.length) return;
    let size = this.bytes.length;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.bytes.subarray(0, this.#length));
    this.bytes = grown;
    this.#words = new Uint32Array(grown.buffer);
  }
}
