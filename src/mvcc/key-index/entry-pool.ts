/**
 * One entry per key: its newest revision and where the rest is. Eight 32-bit words, in chunks.
 *
 * | word | meaning |
 * |---|---|
 * | 0 | reference of the key bytes; in a free entry the id of the next free one |
 * | 1 | newest revision, low 32 bits |
 * | 2 | create revision, low 32 bits (0 for a tombstone) |
 * | 3 | bits 0-15: newest revision, high; bits 16-31: create revision, high |
 * | 4 | sub of the newest revision; bit 31: it is a tombstone |
 * | 5 | version, low 32 bits |
 * | 6 | reference of the newest block of older revisions, 0 for none |
 * | 7 | bits 0-15: version, high; bit 30: the entry is free; bit 31: the newest record has a lease |
 *
 * So revisions and versions stay below 2^48. Id 0 is never handed out.
 */
import { assert } from "../../base/assert.ts";

const CHUNK_BITS = 13;
const CHUNK_MASK = (1 << CHUNK_BITS) - 1;
const WORDS = 8;
export const ENTRY_WORDS: number = WORDS;
/** An id's place in its chunk. */
export const ENTRY_CHUNK_MASK: number = CHUNK_MASK;
const HIGH = 2 ** 32;
export const REVISION_LIMIT: number = 2 ** 48;
export const TOMBSTONE_BIT = 0x80000000;
export const LEASED_BIT = 0x80000000;
const FREE_BIT = 0x40000000;
/** Ids keep bit 31 free: the tree marks living keys with it. */
const ID_LIMIT = 2 ** 31;

export class EntryPool {
  readonly #chunks: Uint32Array[] = [];
  #freeHead = 0;
  /** One above the highest id ever used. */
  #limit = 1;
  #count = 0;

  /** A new entry; the caller calls setNewest next. */
  add(keyReference: number): number {
    let id = this.#freeHead;
    if (id !== 0) {
      this.#freeHead = this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS]!;
    } else {
      id = this.#limit++;
      assert(id < ID_LIMIT, "too many keys");
      if (id >>> CHUNK_BITS >= this.#chunks.length) {
        this.#chunks.push(new Uint32Array(WORDS << CHUNK_BITS));
      }
    }
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    // The other words come with setNewest, which follows always.
    chunk[at] = keyReference;
    chunk[at + 6] = 0;
    this.#count++;
    return id;
  }

  remove(id: number): void {
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    chunk[at] = this.#freeHead;
    chunk[at + 7] = FREE_BIT;
    this.#freeHead = id;
    this.#count--;
  }

  count(): number {
    return this.#count;
  }

  /** Of an id that was handed out once: nobody has it now. */
  isFree(id: number): boolean {
    return (this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 7]! & FREE_BIT) !== 0;
  }

  /** For loading in bulk: the words of the chunk in which the next ids lie. */
  chunkOf(id: number): Uint32Array {
    assert(
      id >>> CHUNK_BITS <= this.#chunks.length && id < ID_LIMIT,
      "entries are loaded in order",
    );
    this.#chunks[id >>> CHUNK_BITS] ??= new Uint32Array(WORDS << CHUNK_BITS);
    return this.#chunks[id >>> CHUNK_BITS]!;
  }

  /** The caller wrote all words of the entries up to `id`, which follow those that there were. */
  noteLoaded(id: number): void {
    assert(this.#freeHead === 0 && id >= this.#count, "entries are loaded into a fresh pool");
    this.#limit = id + 1;
    this.#count = id;
  }

  keyReference(id: number): number {
    return this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS]!;
  }

  mod(id: number): number {
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    return (chunk[at + 3]! & 0xffff) * HIGH + chunk[at + 1]!;
  }

  create(id: number): number {
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    return (chunk[at + 3]! >>> 16) * HIGH + chunk[at + 2]!;
  }

  /** The sub of the newest revision with TOMBSTONE_BIT. */
  subAndTombstone(id: number): number {
    return this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 4]!;
  }

  isTombstone(id: number): boolean {
    return this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 4]! >= TOMBSTONE_BIT;
  }

  version(id: number): number {
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    return (chunk[at + 7]! & 0xffff) * HIGH + chunk[at + 5]!;
  }

  isLeased(id: number): boolean {
    return this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 7]! >= LEASED_BIT;
  }

  history(id: number): number {
    return this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 6]!;
  }

  setHistory(id: number, reference: number): void {
    this.#chunks[id >>> CHUNK_BITS]![(id & CHUNK_MASK) * WORDS + 6] = reference;
  }

  /** Replaces the newest revision; a tombstone has create and version 0. */
  setNewest(
    id: number,
    mod: number,
    subAndTombstone: number,
    create: number,
    version: number,
    leased: boolean,
  ): void {
    assert(mod < REVISION_LIMIT && version < REVISION_LIMIT, "revision or version beyond 2^48");
    const chunk = this.#chunks[id >>> CHUNK_BITS]!;
    const at = (id & CHUNK_MASK) * WORDS;
    chunk[at + 1] = mod % HIGH;
    chunk[at + 2] = create % HIGH;
    chunk[at + 3] = Math.floor(mod / HIGH) | (Math.floor(create / HIGH) << 16);
    chunk[at + 4] = subAndTombstone;
    chunk[at + 5] = version % HIGH;
    chunk[at + 7] = Math.floor(version / HIGH) | (leased ? LEASED_BIT : 0);
  }

  allocatedBytes(): number {
    return this.#chunks.length * ((WORDS * 4) << CHUNK_BITS);
  }
}
