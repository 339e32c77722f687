/**
 * The bytes of all keys, in large chunks and without one object per key. A key is known by a 32-bit
 * reference: chunk number and offset in units of eight bytes.
 *
 * Slot layout: length as 16 bits little-endian, or 0xffff and the length as 32 bits; then the
 * bytes. Slots are rounded up to a size class; a freed slot is chained in its class (reference of
 * the next one in its first four bytes) and given to the next key of that class. Reference 0 is
 * never handed out.
 */
import { assert } from "../../base/assert.ts";

const UNIT_BYTES = 8;
export const CHUNK_UNITS_BITS = 17;
export const CHUNK_UNITS: number = 1 << CHUNK_UNITS_BITS;
const CHUNK_BYTES = CHUNK_UNITS * UNIT_BYTES;
/** Up to here a loop beats the call. */
const SHORT_COPY_BYTES = 64;
const LONG_LENGTH = 0xffff;
/** Slots up to this size have a class per unit; larger ones a class per power of two. */
const EXACT_UNITS_MAX = 128;
/** Such keys lie in slots of just as many units as they need, behind two bytes of length. */
export const PLAIN_KEY_BYTES_MAX: number = EXACT_UNITS_MAX * UNIT_BYTES - 2;
const CLASS_COUNT = EXACT_UNITS_MAX + 1 + CHUNK_UNITS_BITS + 1;

export class KeyArena {
  readonly #chunks: Uint8Array[] = [];
  /** Chunks that hold one oversized key each, by index; they are dropped when the key goes. */
  readonly #freeChunkIndexes: number[] = [];
  readonly #freeHeads = new Uint32Array(CLASS_COUNT);
  #bumpChunk = 0;
  /**
   * Next unused unit of the bump chunk; unit 0 of chunk 0 stays unused so that no reference is 0.
   */
  #bumpUnit = 1;
  #allocatedBytes = 0;
  /** Bytes that agreed in the last `compareFrom`. */
  matched = 0;

  constructor() {
    this.#chunks.push(new Uint8Array(CHUNK_BYTES));
    this.#allocatedBytes = CHUNK_BYTES;
  }

  /** Copies a key in and returns its reference. */
  add(key: Uint8Array): number {
    const headerBytes = key.length < LONG_LENGTH ? 2 : 6;
    const units = (headerBytes + key.length + UNIT_BYTES - 1) >>> 3;
    const reference = units > CHUNK_UNITS ? this.#ownChunk(units) : this.#allocate(units);
    const chunk = this.#chunks[reference >>> CHUNK_UNITS_BITS]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    if (headerBytes === 2) {
      chunk[at] = key.length & 0xff;
      chunk[at + 1] = key.length >>> 8;
    } else {
      chunk[at] = 0xff;
      chunk[at + 1] = 0xff;
      writeUint32(chunk, at + 2, key.length);
    }
    const start = at + headerBytes;
    if (key.length <= SHORT_COPY_BYTES) {
      for (let i = 0; i < key.length; i++) chunk[start + i] = key[i]!;
    } else {
      chunk.set(key, start);
    }
    return reference;
  }

  free(reference: number): void {
    const chunkIndex = reference >>> CHUNK_UNITS_BITS;
    const chunk = this.#chunks[chunkIndex]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    if (chunk.length > CHUNK_BYTES) {
      this.#allocatedBytes -= chunk.length;
      this.#chunks[chunkIndex] = new Uint8Array(0);
      this.#freeChunkIndexes.push(chunkIndex);
      return;
    }
    const units = (this.#headerBytes(chunk, at) + this.length(reference) + UNIT_BYTES - 1) >>> 3;
    const sizeClass = classOf(units);
    writeUint32(chunk, at, this.#freeHeads[sizeClass]!);
    this.#freeHeads[sizeClass] = reference;
  }

  length(reference: number): number {
    const chunk = this.#chunks[reference >>> CHUNK_UNITS_BITS]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    const short = chunk[at]! | (chunk[at + 1]! << 8);
    return short < LONG_LENGTH ? short : readUint32(chunk, at + 2);
  }

  /** A copy of the key. */
  copy(reference: number): Uint8Array {
    const out = new Uint8Array(this.length(reference));
    this.copyInto(reference, out, 0);
    return out;
  }

  /**
   * Copies the key into `target` from `offset` on; the caller made room for `length(reference)`
   * bytes.
   */
  copyInto(reference: number, target: Uint8Array, offset: number): void {
    const chunk = this.#chunks[reference >>> CHUNK_UNITS_BITS]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    const length = this.length(reference);
    const start = at + this.#headerBytes(chunk, at);
    if (length <= SHORT_COPY_BYTES) {
      for (let i = 0; i < length; i++) target[offset + i] = chunk[start + i]!;
    } else {
      target.set(chunk.subarray(start, start + length), offset);
    }
  }

  equals(reference: number, key: Uint8Array): boolean {
    const chunk = this.#chunks[reference >>> CHUNK_UNITS_BITS]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    const length = key.length;
    let start = at + 2;
    const short = chunk[at]! | (chunk[at + 1]! << 8);
    if (short === LONG_LENGTH) {
      if (readUint32(chunk, at + 2) !== length) return false;
      start = at + 6;
    } else if (short !== length) {
      return false;
    }
    for (let i = length - 1; i >= 0; i--) {
      if (chunk[start + i] !== key[i]) return false;
    }
    return true;
  }

  /**
   * Order of the stored key against `key`, whose first `from` bytes are known to agree: negative
   * when the stored one sorts before. Leaves in `matched` how many bytes agree.
   */
  compareFrom(reference: number, key: Uint8Array, from: number): number {
    const chunk = this.#chunks[reference >>> CHUNK_UNITS_BITS]!;
    const at = (reference & (CHUNK_UNITS - 1)) * UNIT_BYTES;
    let storedLength = chunk[at]! | (chunk[at + 1]! << 8);
    let start = at + 2;
    if (storedLength === LONG_LENGTH) {
      storedLength = readUint32(chunk, at + 2);
      start = at + 6;
    }
    const keyLength = key.length;
    const length = Math.min(storedLength, keyLength);
    let i = from;
    while (i < length && chunk[start + i] === key[i]) i++;
    this.matched = i;
    return i < length ? chunk[start + i]! - key[i]! : storedLength - keyLength;
  }

  /**
   * For loading in bulk: the chunk that new slots are cut from, its number, and the next unused
   * unit. The caller lays plain keys there himself, one after the other, and notes the new end.
   */
  openChunk(): Uint8Array {
    return this.#chunks[this.#bumpChunk]!;
  }

  get openChunkIndex(): number {
    return this.#bumpChunk;
  }

  get openUnit(): number {
    return this.#bumpUnit;
  }

  noteLoaded(unit: number): void {
    assert(unit >= this.#bumpUnit && unit <= CHUNK_UNITS, "slots are loaded in order");
    this.#bumpUnit = unit;
  }

  /** Bytes held by the chunks. */
  allocatedBytes(): number {
    return this.#allocatedBytes;
  }

  #headerBytes(chunk: Uint8Array, at: number): number {
    return (chunk[at]! & chunk[at + 1]!) === 0xff ? 6 : 2;
  }

  #allocate(units: number): number {
    const sizeClass = classOf(units);
    const free = this.#freeHeads[sizeClass]!;
    if (free !== 0) {
      const chunk = this.#chunks[free >>> CHUNK_UNITS_BITS]!;
      const at = (free & (CHUNK_UNITS - 1)) * UNIT_BYTES;
      this.#freeHeads[sizeClass] = readUint32(chunk, at);
      return free;
    }
    const slotUnits = unitsOfClass(sizeClass);
    if (this.#bumpUnit + slotUnits > CHUNK_UNITS) {
      this.#bumpChunk = this.#addChunk(CHUNK_BYTES);
      this.#bumpUnit = 0;
    }
    const reference = ((this.#bumpChunk << CHUNK_UNITS_BITS) | this.#bumpUnit) >>> 0;
    this.#bumpUnit += slotUnits;
    return reference;
  }

  #ownChunk(units: number): number {
    return (this.#addChunk(units * UNIT_BYTES) << CHUNK_UNITS_BITS) >>> 0;
  }

  #addChunk(bytes: number): number {
    const index = this.#freeChunkIndexes.pop() ?? this.#chunks.length;
    assert(index < 1 << (32 - CHUNK_UNITS_BITS), "key arena is full");
    this.#chunks[index] = new Uint8Array(bytes);
    this.#allocatedBytes += bytes;
    return index;
  }
}

function classOf(units: number): number {
  if (units <= EXACT_UNITS_MAX) return units;
  return EXACT_UNITS_MAX + 32 - Math.clz32(units - 1);
}

function unitsOfClass(sizeClass: number): number {
  return sizeClass <= EXACT_UNITS_MAX ? sizeClass : 1 << (sizeClass - EXACT_UNITS_MAX);
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = (value >>> 8) & 0xff;
  bytes[at + 2] = (value >>> 16) & 0xff;
  bytes[at + 3] = value >>> 24;
}
