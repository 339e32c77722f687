/**
 * A set of page ids, one bit each, with one summary bit per 32 pages so that sparse sets are
 * skipped fast.
 */
const FIRST_WORDS = 64;

export class PageBitmap {
  #words = new Int32Array(FIRST_WORDS);
  #summary = new Int32Array(FIRST_WORDS >> 5);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has(pageId: number): boolean {
    const word = pageId >>> 5;
    return word < this.#words.length && (this.#words[word]! & (1 << (pageId & 31))) !== 0;
  }

  /** False when it was in already. */
  add(pageId: number): boolean {
    const word = pageId >>> 5;
    if (word >= this.#words.length) this.#grow(word + 1);
    const bit = 1 << (pageId & 31);
    if ((this.#words[word]! & bit) !== 0) return false;
    this.#words[word]! |= bit;
    this.#summary[word >>> 5]! |= 1 << (word & 31);
    this.#count++;
    return true;
  }

  /** False when it was not in. */
  remove(pageId: number): boolean {
    const word = pageId >>> 5;
    const bit = 1 << (pageId & 31);
    if (word >= this.#words.length || (this.#words[word]! & bit) === 0) return false;
    this.#words[word]! &= ~bit;
    if (this.#words[word] === 0) this.#summary[word >>> 5]! &= ~(1 << (word & 31));
    this.#count--;
    return true;
  }

  /** The first member at or after `from`, or -1. */
  next(from: number): number {
    let word = from >>> 5;
    if (word >= this.#words.length) return -1;
    const here = this.#words[word]! & (-1 << (from & 31));
    if (here !== 0) return (word << 5) + lowestBit(here);
    word++;
    let group = word >>> 5;
    if (group >= this.#summary.length) return -1;
    let summary = this.#summary[group]! & (-1 << (word & 31));
    while (summary === 0) {
      if (++group >= this.#summary.length) return -1;
      summary = this.#summary[group]!;
    }
    word = (group << 5) + lowestBit(summary);
    return (word << 5) + lowestBit(this.#words[word]!);
  }

  /** How many members follow each other from `from` on, counted up to `limit`. */
  runLength(from: number, limit: number): number {
    let at = from;
    const end = from + limit;
    while (at < end) {
      const word = at >>> 5;
      if (word >= this.#words.length) break;
      const missing = ~this.#words[word]! & (-1 << (at & 31));
      if (missing !== 0) {
        at = (word << 5) + lowestBit(missing);
        break;
      }
      at = (word + 1) << 5;
    }
    return Math.min(at, end) - from;
  }

  #grow(wordsMin: number): void {
    let length = this.#words.length;
    while (length < wordsMin) length *= 2;
    const words = new Int32Array(length);
    words.set(this.#words);
    const summary = new Int32Array(length >> 5);
    summary.set(this.#summary);
    this.#words = words;
    this.#summary = summary;
  }
}

function lowestBit(value: number): number {
  return 31 - Math.clz32(value & -value);
}
