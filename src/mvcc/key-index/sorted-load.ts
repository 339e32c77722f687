/**
 * Room for entries that come in key order into a fresh index, written by the caller straight into
 * the memory of keys and entries: at a restart the code runs cold, and a call per key and field is
 * what takes the time. Entries get the ids 1, 2, 3, ...
 *
 * The caller lays a plain key (PLAIN_KEY_BYTES_MAX) at `unit` of the open chunk: two bytes of
 * length, the bytes, rounded up to units of eight. Any other key goes through `addKey`.
 */
import { ENTRY_CHUNK_MASK, ENTRY_WORDS, type EntryPool } from "./entry-pool.ts";
import { CHUNK_UNITS, CHUNK_UNITS_BITS, type KeyArena } from "./key-arena.ts";
import type { RevisionHistory } from "./revision-history.ts";

export class SortedLoad {
  readonly #keys: KeyArena;
  readonly #entries: EntryPool;
  readonly #history: RevisionHistory;
  /** The last id that was given. */
  id = 0;
  /** The open chunk of keys, as bytes and as words. */
  keyBytes!: Uint8Array;
  keyWords!: Uint32Array;
  /** Number of the open chunk, in the upper bits as references have it. */
  chunkReference = 0;
  /** Next unused unit of the open chunk. */
  unit = 0;
  /** Entries whose newest revision is a tombstone, ascending. */
  readonly dead: number[] = [];

  constructor(keys: KeyArena, entries: EntryPool, history: RevisionHistory) {
    this.#keys = keys;
    this.#entries = entries;
    this.#history = history;
    this.#open();
  }

  /** The words of the chunk in which the entry lies; chunks come in order. */
  entryChunk(id: number): Uint32Array {
    return this.#entries.chunkOf(id);
  }

  /** Adds a key of any length; afterwards the open chunk and the unit may be others. */
  addKey(key: Uint8Array): number {
    this.#keys.noteLoaded(this.unit);
    const reference = this.#keys.add(key);
    this.#open();
    return reference;
  }

  /** Copies the first `length` bytes of a key to the start of `target`. */
  copyKeyInto(reference: number, length: number, target: Uint8Array): void {
    target.set(this.#keys.copy(reference).subarray(0, length));
  }

  /** Byte offset of a key's slot in the open chunk, or -1 when it lies in another. */
  slotOf(reference: number): number {
    const isHere = reference >>> CHUNK_UNITS_BITS === this.#keys.openChunkIndex;
    return isHere ? (reference & (CHUNK_UNITS - 1)) * 8 : -1;
  }

  /** Adds an older revision to an entry: oldest first. */
  addOlder(id: number, main: number, subAndTombstone: number): void {
    const words = this.#entries.chunkOf(id);
    const at = (id & ENTRY_CHUNK_MASK) * ENTRY_WORDS + 6;
    words[at] = this.#history.push(words[at]!, main, subAndTombstone);
  }

  /** Nothing follows. */
  finish(): void {
    this.#keys.noteLoaded(this.unit);
    this.#entries.noteLoaded(this.id);
  }

  #open(): void {
    const chunk = this.#keys.openChunk();
    if (chunk !== this.keyBytes) {
      this.keyBytes = chunk;
      this.keyWords = new Uint32Array(chunk.buffer);
      this.chunkReference = (this.#keys.openChunkIndex << CHUNK_UNITS_BITS) >>> 0;
    }
    this.unit = this.#keys.openUnit;
  }
}
