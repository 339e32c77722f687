/**
 * Decodes the payload of a checkpoint block straight into the memory of a fresh index: first all
 * keys, then all numbers. Plain loops over local variables, hardly a call: a restart runs them a
 * million times in code that has never run before.
 */
import {
  CHUNK_UNITS,
  ENTRY_CHUNK_MASK,
  ENTRY_WORDS,
  LEASED_BIT,
  PLAIN_KEY_BYTES_MAX,
  REVISION_LIMIT,
  type SortedLoad,
  TOMBSTONE_BIT,
} from "../key-index/index.ts";
import type { LeasesByEntry } from "../restore.ts";
import {
  BLOCK_KEY_BYTES_FIELD,
  FLAG_LEASED,
  FLAG_OLDER,
  FLAG_SUB,
  FLAG_TOMBSTONE,
} from "./format.ts";

const HIGH = 2 ** 32;
/** The slot of a key that does not lie in the open chunk. */
const ELSEWHERE = -1;
const WRONG = -1;

export class BlockDecoder {
  /** Entries that a compaction since may have taken something from. */
  readonly prunable: number[] = [];
  readonly #load: SortedLoad;
  readonly #revision: number;
  readonly #leases: LeasesByEntry;
  /** Payload, and the end of the part that is read. */
  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  /** Where the number that `#more` read ended. */
  #at = 0;
  #key = new Uint8Array(1024);
  readonly #older: number[] = [];

  constructor(load: SortedLoad, revision: number, leases: LeasesByEntry) {
    this.#load = load;
    this.#revision = revision;
    this.#leases = leases;
  }

  /** False when bytes[0, end) are not `entries` entries. */
  decode(bytes: Uint8Array, end: number, entries: number): boolean {
    if (end < BLOCK_KEY_BYTES_FIELD) return false;
    const keysEnd =
      BLOCK_KEY_BYTES_FIELD + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    if (keysEnd > end) return false;
    this.#bytes = bytes;
    this.#end = keysEnd;
    if (this.#readKeys(BLOCK_KEY_BYTES_FIELD, entries) !== keysEnd) return false;
    this.#end = end;
    return this.#readNumbers(keysEnd, entries) === end;
  }

  /** Lays the keys into the arena and notes where in the entries; answers where it stopped. */
  #readKeys(start: number, entries: number): number {
    const load = this.#load;
    const bytes = this.#bytes;
    let { keyBytes, keyWords, unit, chunkReference } = load;
    let entryWords = load.entryChunk(load.id + 1);
    let at = start;
    let reference = 0;
    let length = 0;
    let slot = ELSEWHERE;
    for (let id = load.id + 1, last = load.id + entries; id <= last; id++) {
      let shared = bytes[at++]!;
      if (shared >= 128) {
        shared = this.#more(at, shared);
        at = this.#at;
      }
      let suffix = bytes[at++]!;
      if (suffix >= 128) {
        suffix = this.#more(at, suffix);
        at = this.#at;
      }
      if (shared > length || shared + suffix === 0 || at + suffix > this.#end) return WRONG;
      length = shared + suffix;
      const units = (length + 9) >>> 3;
      const isPlain = length <= PLAIN_KEY_BYTES_MAX && unit + units <= CHUNK_UNITS;
      if (isPlain && (slot !== ELSEWHERE || shared === 0)) {
        const from = slot >> 2;
        slot = unit << 3;
        const to = slot >>> 2;
        // In whole words; length and suffix are then written over what was copied too much.
        const words = shared === 0 ? 0 : (shared + 5) >>> 2;
        for (let i = 0; i < words; i++) keyWords[to + i] = keyWords[from + i]!;
        keyBytes[slot] = length;
        keyBytes[slot + 1] = length >>> 8;
        const rest = slot + 2 + shared;
        for (let i = 0; i < suffix; i++) keyBytes[rest + i] = bytes[at + i]!;
        reference = (chunkReference | unit) >>> 0;
        unit += units;
      } else {
        load.unit = unit;
        reference = this.#addKey(reference, shared, at, suffix);
        ({ keyBytes, keyWords, unit, chunkReference } = load);
        slot = length <= PLAIN_KEY_BYTES_MAX ? load.slotOf(reference) : ELSEWHERE;
      }
      at += suffix;
      if ((id & ENTRY_CHUNK_MASK) === 0) entryWords = load.entryChunk(id);
      entryWords[(id & ENTRY_CHUNK_MASK) * ENTRY_WORDS] = reference;
    }
    load.unit = unit;
    return at;
  }

  /** The way of long keys, and of the first key in another chunk. */
  #addKey(previous: number, shared: number, at: number, suffix: number): number {
    const length = shared + suffix;
    if (length > this.#key.length) this.#key = new Uint8Array(length * 2);
    if (shared > 0) this.#load.copyKeyInto(previous, shared, this.#key);
    this.#key.set(this.#bytes.subarray(at, at + suffix), shared);
    return this.#load.addKey(this.#key.subarray(0, length));
  }

  #readNumbers(start: number, entries: number): number {
    const load = this.#load;
    const bytes = this.#bytes;
    const revision = this.#revision;
    let words = load.entryChunk(load.id + 1);
    let at = start;
    for (let id = load.id + 1, last = load.id + entries; id <= last; id++) {
      if ((id & ENTRY_CHUNK_MASK) === 0) words = load.entryChunk(id);
      const entry = (id & ENTRY_CHUNK_MASK) * ENTRY_WORDS;
      const flags = bytes[at++]!;
      let back = bytes[at++]!;
      if (back >= 128) {
        back = this.#more(at, back);
        at = this.#at;
      }
      const main = revision - back;
      if (flags !== 0 || main >= HIGH) {
        at = this.#readRare(at, id, flags, main);
        if (at === WRONG) return WRONG;
        continue;
      }
      let age = bytes[at++]!;
      if (age >= 128) {
        age = this.#more(at, age);
        at = this.#at;
      }
      let version = bytes[at++]!;
      if (version >= 128) {
        version = this.#more(at, version);
        at = this.#at;
      }
      if (at > this.#end || age > main || version >= HIGH) return WRONG;
      words[entry + 1] = main;
      words[entry + 2] = main - age;
      words[entry + 3] = 0;
      words[entry + 4] = 0;
      words[entry + 5] = version;
      words[entry + 6] = 0;
      words[entry + 7] = 0;
    }
    load.id += entries;
    return at;
  }

  /** An entry with a flag or large numbers; answers where it ends, or WRONG. */
  #readRare(start: number, id: number, flags: number, main: number): number {
    this.#at = start;
    const isDead = (flags & FLAG_TOMBSTONE) !== 0;
    const sub = (flags & FLAG_SUB) === 0 ? 0 : this.#number();
    const create = isDead ? 0 : main - this.#number();
    const version = isDead ? 0 : this.#number();
    const isLeased = (flags & FLAG_LEASED) !== 0;
    if (isLeased) {
      if (this.#at + 8 > this.#end) return WRONG;
      this.#leases.set(
        id,
        new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getBigInt64(this.#at, true),
      );
      this.#at += 8;
    }
    const inRange = main >= 0 && create >= 0 && main < REVISION_LIMIT && version < REVISION_LIMIT;
    if (!inRange || sub >= TOMBSTONE_BIT || this.#at > this.#end) return WRONG;
    const words = this.#load.entryChunk(id);
    const entry = (id & ENTRY_CHUNK_MASK) * ENTRY_WORDS;
    words[entry + 1] = main % HIGH;
    words[entry + 2] = create % HIGH;
    words[entry + 3] = Math.floor(main / HIGH) | (Math.floor(create / HIGH) << 16);
    words[entry + 4] = isDead ? sub | TOMBSTONE_BIT : sub;
    words[entry + 5] = version % HIGH;
    words[entry + 6] = 0;
    words[entry + 7] = Math.floor(version / HIGH) | (isLeased ? LEASED_BIT : 0);
    if (isDead) this.#load.dead.push(id);
    if (isDead || (flags & FLAG_OLDER) !== 0) this.prunable.push(id);
    if ((flags & FLAG_OLDER) !== 0 && !this.#readOlder(id, main)) return WRONG;
    return this.#at;
  }

  /** The file has them from the newest to the oldest; the index takes them the other way round. */
  #readOlder(id: number, newest: number): boolean {
    const older = this.#older;
    const count = this.#number();
    let main = newest;
    older.length = 0;
    for (let i = 0; i < count; i++) {
      if (this.#at >= this.#end) return false;
      main -= this.#number();
      const sub = this.#number();
      const bit = sub % 2 === 1 ? TOMBSTONE_BIT : 0;
      older.push(main, (Math.floor(sub / 2) | bit) >>> 0);
    }
    for (let i = older.length - 2; i >= 0; i -= 2) {
      this.#load.addOlder(id, older[i]!, older[i + 1]!);
    }
    return this.#at <= this.#end && main >= 0;
  }

  #number(): number {
    const byte = this.#bytes[this.#at++]!;
    return byte < 128 ? byte : this.#more(this.#at, byte);
  }

  /** The rest of a number whose first byte says that there is one; `#at` is then behind it. */
  #more(start: number, first: number): number {
    let at = start;
    let value = first & 0x7f;
    let byte: number;
    let factor = 128;
    do {
      // Behind the end the number is over; every caller then sees that `#at` went too far.
      byte = at < this.#end ? this.#bytes[at]! : 0;
      at++;
      value += (byte & 0x7f) * factor;
      factor *= 128;
    } while (byte >= 128);
    this.#at = at;
    return value;
  }
}
