/**
 * Key bytes to entry id: open addressing with linear probing, in 256 segments that grow on their
 * own, so that growing never holds up the thread for longer than one segment takes. A slot is two
 * words: id (0 = empty) and the full hash, so that a miss or a growing segment touches no key.
 */
const SEGMENT_BITS = 8;
const SEGMENT_COUNT = 1 << SEGMENT_BITS;
const SEGMENT_SLOTS_MIN = 16;

/** Answers whether the entry has this key. */
export interface KeyEquality {
  hasKey(id: number, key: Uint8Array): boolean;
}

export class KeyHash {
  readonly #segments: Uint32Array[] = [];
  readonly #counts = new Uint32Array(SEGMENT_COUNT);
  readonly #seed: number;
  readonly #entries: KeyEquality;

  constructor(entries: KeyEquality, seed: number) {
    this.#entries = entries;
    this.#seed = seed >>> 0;
    for (let i = 0; i < SEGMENT_COUNT; i++) {
      this.#segments.push(new Uint32Array(SEGMENT_SLOTS_MIN * 2));
    }
  }

  /** The id of the key, or 0. */
  find(key: Uint8Array): number {
    const hash = this.#hashOf(key, key.length);
    const segment = this.#segments[hash >>> (32 - SEGMENT_BITS)]!;
    const mask = segment.length - 2;
    let at = (hash << 1) & mask;
    for (;;) {
      const id = segment[at]!;
      if (id === 0) return 0;
      if (segment[at + 1] === hash && this.#entries.hasKey(id, key)) return id;
      at = (at + 2) & mask;
    }
  }

  /** Adds a key that is not there yet. */
  insert(key: Uint8Array, id: number): void {
    this.insertFrom(key, key.length, id);
  }

  /** The same; the key is the first `length` bytes of `bytes`. */
  insertFrom(bytes: Uint8Array, length: number, id: number): void {
    const hash = this.#hashOf(bytes, length);
    const which = hash >>> (32 - SEGMENT_BITS);
    let segment = this.#segments[which]!;
    const count = ++this.#counts[which]!;
    if (count * 8 > segment.length * 3) {
      segment = grown(segment);
      this.#segments[which] = segment;
    }
    place(segment, id, hash);
  }

  /** Removes a key if it is there; the slots behind it move up so that no marker is needed. */
  remove(key: Uint8Array, id: number): void {
    const hash = this.#hashOf(key, key.length);
    const which = hash >>> (32 - SEGMENT_BITS);
    const segment = this.#segments[which]!;
    const mask = segment.length - 2;
    let at = (hash << 1) & mask;
    while (segment[at] !== id) {
      if (segment[at] === 0) return;
      at = (at + 2) & mask;
    }
    this.#counts[which]!--;
    let hole = at;
    for (;;) {
      at = (at + 2) & mask;
      if (segment[at] === 0) break;
      const home = (segment[at + 1]! << 1) & mask;
      // The slot may fill the hole only if its home does not lie after the hole (cyclically).
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      segment[hole] = segment[at]!;
      segment[hole + 1] = segment[at + 1]!;
      hole = at;
    }
    segment[hole] = 0;
    segment[hole + 1] = 0;
  }

  /** Keys in it. */
  count(): number {
    let total = 0;
    for (const count of this.#counts) total += count;
    return total;
  }

  allocatedBytes(): number {
    let total = 0;
    for (const segment of this.#segments) total += segment.byteLength;
    return total;
  }

  /** Multiplicative over bytes, finished as MurmurHash3 finishes. */
  #hashOf(bytes: Uint8Array, length: number): number {
    let hash = this.#seed ^ length;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

function place(segment: Uint32Array, id: number, hash: number): void {
  const mask = segment.length - 2;
  let at = (hash << 1) & mask;
  while (segment[at] !== 0) at = (at + 2) & mask;
  segment[at] = id;
  segment[at + 1] = hash;
}

function grown(segment: Uint32Array): Uint32Array {
  const larger = new Uint32Array(segment.length * 2);
  for (let at = 0; at < segment.length; at += 2) {
    if (segment[at] !== 0) place(larger, segment[at]!, segment[at + 1]!);
  }
  return larger;
}
