/**
 * The older revisions of keys (all but the newest), oldest first, in blocks. A key's blocks are
 * chained from the newest to the oldest; only the newest one grows, by doubling up to 512
 * revisions, so that a key with a million revisions costs neither a huge copy nor a long chain.
 *
 * Block layout in words: count, capacity class, reference of the older block; then three words per
 * revision: main low, main high, sub with TOMBSTONE_BIT. Reference 0 is "none".
 */
import { assert } from "../../base/assert.ts";

const CHUNK_BITS = 16;
const CHUNK_WORDS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_WORDS - 1;
const HEADER_WORDS = 3;
const REVISION_WORDS = 3;
/** Capacity of a block of class c is 2^c revisions. */
const CLASS_MAX = 9;
/** Class of the block that follows a full one of the largest class. */
const CLASS_NEXT = 6;
const HIGH = 2 ** 32;

export class RevisionHistory {
  readonly #chunks: Uint32Array[] = [new Uint32Array(CHUNK_WORDS)];
  readonly #freeHeads = new Uint32Array(CLASS_MAX + 1);
  #bump = 1;
  #revisions = 0;
  /** Answers of the last successful `findAtOrBefore` and `read`. */
  foundMain = 0;
  foundSub = 0;

  /** Appends a revision newer than all others; returns the reference to keep. */
  push(head: number, main: number, subAndTombstone: number): number {
    let block = head;
    if (block === 0) {
      block = this.#allocate(0, 0);
    } else {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      const sizeClass = chunk[at + 1]!;
      if (chunk[at]! === 1 << sizeClass) {
        block = sizeClass === CLASS_MAX ? this.#allocate(CLASS_NEXT, block) : this.#grow(block);
      }
    }
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    const count = chunk[at]!;
    const slot = at + HEADER_WORDS + count * REVISION_WORDS;
    chunk[slot] = main % HIGH;
    chunk[slot + 1] = Math.floor(main / HIGH);
    chunk[slot + 2] = subAndTombstone;
    chunk[at] = count + 1;
    this.#revisions++;
    return block;
  }

  /** Finds the newest revision whose main is at most `revision`; sets foundMain and foundSub. */
  findAtOrBefore(head: number, revision: number): boolean {
    for (let block = head; block !== 0; ) {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      const position = lastAtOrBefore(chunk, at, revision);
      if (position >= 0) {
        const slot = at + HEADER_WORDS + position * REVISION_WORDS;
        this.foundMain = chunk[slot + 1]! * HIGH + chunk[slot]!;
        this.foundSub = chunk[slot + 2]!;
        return true;
      }
      block = chunk[at + 2]!;
    }
    return false;
  }

  /** How many revisions hang on this reference. */
  count(head: number): number {
    let total = 0;
    for (let block = head; block !== 0; ) {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      total += chunk[at]!;
      block = chunk[at + 2]!;
    }
    return total;
  }

  /** Visits (main, sub with TOMBSTONE_BIT) from the newest to the oldest. */
  forEachDescending(head: number, visit: (main: number, subAndTombstone: number) => void): void {
    for (let block = head; block !== 0; ) {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      for (let i = chunk[at]! - 1; i >= 0; i--) {
        const slot = at + HEADER_WORDS + i * REVISION_WORDS;
        visit(chunk[slot + 1]! * HIGH + chunk[slot]!, chunk[slot + 2]!);
      }
      block = chunk[at + 2]!;
    }
  }

  /**
   * Drops all revisions older than the newest one at or before `revision`, and that one too if
   * `dropFound` says so of (main, sub). Returns the reference to keep, 0 if nothing is left.
   */
  trim(
    head: number,
    revision: number,
    dropFound: (main: number, subAndTombstone: number) => boolean,
  ): number {
    let newer = 0;
    for (let block = head; block !== 0; ) {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      const position = lastAtOrBefore(chunk, at, revision);
      if (position < 0) {
        newer = block;
        block = chunk[at + 2]!;
        continue;
      }
      this.freeAll(chunk[at + 2]!);
      chunk[at + 2] = 0;
      const slot = at + HEADER_WORDS + position * REVISION_WORDS;
      const main = chunk[slot + 1]! * HIGH + chunk[slot]!;
      const first = dropFound(main, chunk[slot + 2]!) ? position + 1 : position;
      return this.#keepFrom(head, newer, block, first);
    }
    return head;
  }

  /** Frees a block and all older ones. */
  freeAll(head: number): void {
    for (let block = head; block !== 0; ) {
      const chunk = this.#chunks[block >>> CHUNK_BITS]!;
      const at = block & CHUNK_MASK;
      const older = chunk[at + 2]!;
      this.#revisions -= chunk[at]!;
      this.#free(block);
      block = older;
    }
  }

  /** Revisions held for all keys. */
  revisionCount(): number {
    return this.#revisions;
  }

  allocatedBytes(): number {
    return this.#chunks.length * CHUNK_WORDS * 4;
  }

  #keepFrom(head: number, newer: number, block: number, first: number): number {
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    const left = chunk[at]! - first;
    this.#revisions -= first;
    if (left === 0) {
      this.#free(block);
      if (newer === 0) return 0;
      this.#chunks[newer >>> CHUNK_BITS]![(newer & CHUNK_MASK) + 2] = 0;
      return head;
    }
    if (first === 0) return head;
    const start = at + HEADER_WORDS;
    chunk.copyWithin(
      start,
      start + first * REVISION_WORDS,
      start + (first + left) * REVISION_WORDS,
    );
    chunk[at] = left;
    const kept = this.#shrunk(block);
    if (newer === 0) return kept;
    this.#chunks[newer >>> CHUNK_BITS]![(newer & CHUNK_MASK) + 2] = kept;
    return head;
  }

  /** Moves a block into the smallest class that holds its revisions. */
  #shrunk(block: number): number {
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    const count = chunk[at]!;
    const fitting = count <= 1 ? 0 : 32 - Math.clz32(count - 1);
    return fitting < chunk[at + 1]! ? this.#moved(block, fitting) : block;
  }

  #grow(block: number): number {
    const sizeClass = this.#chunks[block >>> CHUNK_BITS]![(block & CHUNK_MASK) + 1]!;
    return this.#moved(block, sizeClass + 1);
  }

  #moved(block: number, sizeClass: number): number {
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    const count = chunk[at]!;
    const target = this.#allocate(sizeClass, chunk[at + 2]!);
    const targetChunk = this.#chunks[target >>> CHUNK_BITS]!;
    const targetAt = target & CHUNK_MASK;
    targetChunk[targetAt] = count;
    const words = count * REVISION_WORDS;
    for (let i = HEADER_WORDS; i < HEADER_WORDS + words; i++) {
      targetChunk[targetAt + i] = chunk[at + i]!;
    }
    this.#free(block);
    return target;
  }

  #allocate(sizeClass: number, older: number): number {
    const block = this.#freeHeads[sizeClass]! || this.#bumpBlock(sizeClass);
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    if (block === this.#freeHeads[sizeClass]) this.#freeHeads[sizeClass] = chunk[at + 2]!;
    chunk[at] = 0;
    chunk[at + 1] = sizeClass;
    chunk[at + 2] = older;
    return block;
  }

  #bumpBlock(sizeClass: number): number {
    const words = HEADER_WORDS + (REVISION_WORDS << sizeClass);
    if ((this.#bump & CHUNK_MASK) + words > CHUNK_WORDS || this.#bump === this.#limit()) {
      assert(this.#chunks.length < 1 << (32 - CHUNK_BITS), "revision history is full");
      this.#bump = this.#limit();
      this.#chunks.push(new Uint32Array(CHUNK_WORDS));
    }
    const block = this.#bump;
    this.#bump += words;
    return block;
  }

  #limit(): number {
    return this.#chunks.length * CHUNK_WORDS;
  }

  #free(block: number): void {
    const chunk = this.#chunks[block >>> CHUNK_BITS]!;
    const at = block & CHUNK_MASK;
    const sizeClass = chunk[at + 1]!;
    chunk[at + 2] = this.#freeHeads[sizeClass]!;
    this.#freeHeads[sizeClass] = block;
  }
}

/** Position in the block at `at` of the newest revision with main <= revision, or -1. */
function lastAtOrBefore(chunk: Uint32Array, at: number, revision: number): number {
  let low = 0;
  let high = chunk[at]!;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const slot = at + HEADER_WORDS + middle * REVISION_WORDS;
    if (chunk[slot + 1]! * HIGH + chunk[slot]! <= revision) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
