/**
 * One page (with its overflow pages) as read from the file: immutable bytes and the header fields
 * that the hot path needs. A Page exists only after its bytes were validated, so element access is
 * unchecked.
 *
 *   offset size  header                 leaf element (16 bytes)      branch element (16 bytes)
 *   0      8     page id                0  4  flags (1 = bucket)     0  4  key position
 *   8      2     flags                  4  4  key position           4  4  key bytes
 *   10     2     count of elements      8  4  key bytes              8  8  child page id
 *   12     4     overflow pages         12 4  value bytes
 *
 * Elements follow the header; positions count from the element's own start; all little-endian.
 */
export const PAGE_HEADER_BYTES = 16;
export const ELEMENT_BYTES = 16;
export const FLAG_BRANCH = 0x01;
export const FLAG_LEAF = 0x02;
export const FLAG_META = 0x04;
export const FLAG_FREELIST = 0x10;
export const ELEMENT_FLAG_BUCKET = 0x01;
export const COUNT_MAX = 0xffff;
/** Page ids are kept in 32-bit signed arrays: 8 TiB at 4096 bytes a page. */
export const PAGE_ID_LIMIT = 0x7fffffff;
/** Deeper than any tree this format can hold in 2^31 pages: a longer way down is a loop. */
export const DEPTH_MAX = 48;
/** What the objects around a page's bytes cost, for the cache's account. */
export const PAGE_OVERHEAD_BYTES = 320;
export const KEY_BYTES_MAX = 32768;

const HEADER_WORDS = 4;
const PREFIX_COUNT_MIN = 32;

export class Page {
  readonly pageId: number;
  /** The whole run: (1 + overflow) pages; an inline page is shorter. */
  readonly bytes: Uint8Array;
  /** The same memory as 32-bit words: headers and elements are aligned. */
  readonly words: Uint32Array;
  readonly isLeaf: boolean;
  readonly count: number;
  /** Pages in the run; 0 for an inline page, which owns none. */
  readonly pageCount: number;
  /** Bytes that all keys of the page begin with, as far as searching is to know. */
  readonly prefixBytes: number;
  /** Index of the word with the first element's key position. */
  readonly #positionWord: number;

  constructor(pageId: number, pageCount: number, memory: ArrayBuffer) {
    this.pageId = pageId;
    this.pageCount = pageCount;
    this.bytes = new Uint8Array(memory);
    this.words = new Uint32Array(memory);
    this.isLeaf = (this.bytes[8]! & FLAG_LEAF) !== 0;
    this.count = this.bytes[10]! | (this.bytes[11]! << 8);
    this.#positionWord = this.isLeaf ? HEADER_WORDS + 1 : HEADER_WORDS;
    this.prefixBytes = this.#sharedPrefix();
  }

  keyAt(index: number): number {
    return PAGE_HEADER_BYTES + index * ELEMENT_BYTES + this.words[this.#positionWord + index * 4]!;
  }

  keyBytes(index: number): number {
    return this.words[this.#positionWord + index * 4 + 1]!;
  }

  valueAt(index: number): number {
    return this.keyAt(index) + this.keyBytes(index);
  }

  valueBytes(index: number): number {
    return this.words[HEADER_WORDS + index * 4 + 3]!;
  }

  isBucket(index: number): boolean {
    return (this.words[HEADER_WORDS + index * 4]! & ELEMENT_FLAG_BUCKET) !== 0;
  }

  /** The child of a branch element; validated to be a page of the file. */
  child(index: number): number {
    return this.words[HEADER_WORDS + index * 4 + 2]!;
  }

  key(index: number): Uint8Array {
    const at = this.keyAt(index);
    return this.bytes.subarray(at, at + this.keyBytes(index));
  }

  value(index: number): Uint8Array {
    const at = this.valueAt(index);
    return this.bytes.subarray(at, at + this.valueBytes(index));
  }

  /**
   * The index of the element with this key, or the complement (~) of where it would be inserted.
   */
  search(key: Uint8Array): number {
    if (this.count === 0) return ~0;
    const prefix = this.prefixBytes;
    if (prefix > 0) {
      const outside = this.#comparePrefix(key);
      if (outside !== 0) return outside < 0 ? ~0 : ~this.count;
    }
    const bytes = this.bytes;
    const words = this.words;
    const length = key.length;
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const word = this.#positionWord + middle * 4;
      const start = PAGE_HEADER_BYTES + middle * ELEMENT_BYTES + words[word]!;
      const present = words[word + 1]!;
      const shared = Math.min(length, present);
      let i = prefix;
      while (i < shared && key[i]! === bytes[start + i]!) i++;
      const order = i < shared ? key[i]! - bytes[start + i]! : length - present;
      if (order === 0) return middle;
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return ~low;
  }

  /**
   * Negative when the key sorts before every key of the page because of the shared prefix, positive
   * after.
   */
  #comparePrefix(key: Uint8Array): number {
    const prefix = this.prefixBytes;
    const start = this.keyAt(0);
    const shared = Math.min(key.length, prefix);
    for (let i = 0; i < shared; i++) {
      const order = key[i]! - this.bytes[start + i]!;
      if (order !== 0) return order;
    }
    return key.length < prefix ? -1 : 0;
  }

  #sharedPrefix(): number {
    // With few keys, comparing the prefix once costs a cache line more than it saves.
    if (this.count < PREFIX_COUNT_MIN) return 0;
    const first = this.keyAt(0);
    const last = this.keyAt(this.count - 1);
    const limit = Math.min(this.keyBytes(0), this.keyBytes(this.count - 1));
    let i = 0;
    while (i < limit && this.bytes[first + i] === this.bytes[last + i]) i++;
    return i;
  }
}
