/**
 * HPACK decoding (RFC 7541) of a client's header blocks: one decoder per connection, blocks in wire order.
 * Bounds: the dynamic table never exceeds what we advertised; a list above `listBytesMax` is decoded on (the
 * table must stay in step) but no longer stored, and a list above four times that is refused altogether.
 */

import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES } from "./hpack-static-table.ts";
import { huffmanDecode } from "./huffman.ts";

/** Bun and Node have this on every Buffer; the types leave it out. toString("latin1") is slower. */
interface LatinBuffer extends Buffer {
  latin1Slice(start: number, end: number): string;
}

const ENTRY_OVERHEAD_BYTES = 32;
const HOPELESS_LIST_FACTOR = 4;

export const HpackResult = { Ok: 0, Damaged: 1, TooLarge: 2 } as const;

/** The fields of one block: name, value, name, value, ... Strings are Latin-1: one character per byte. */
export class HeaderList {
  fields: string[] = [];
  sizeBytes = 0;
  /** The list went over the limit; `fields` holds the beginning. */
  truncated = false;
}

export class HpackDecoder {
  /** Rises with every change of the dynamic table: equal bytes mean equal headers while it stands still. */
  generation = 0;
  readonly #tableBytesLimit: number;
  readonly #listBytesMax: number;
  #tableBytesMax: number;
  #tableBytes = 0;
  // A ring; #newest is the slot of the youngest entry.
  readonly #names: string[];
  readonly #values: string[];
  readonly #slotMask: number;
  #newest = 0;
  #count = 0;
  #scratch = Buffer.allocUnsafeSlow(1024);
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  constructor(tableBytesLimit: number, listBytesMax: number) {
    this.#tableBytesLimit = tableBytesLimit;
    this.#tableBytesMax = tableBytesLimit;
    this.#listBytesMax = listBytesMax;
    let slots = 1;
    while (slots < tableBytesLimit / ENTRY_OVERHEAD_BYTES + 1) slots *= 2;
    this.#slotMask = slots - 1;
    this.#names = new Array<string>(slots).fill("");
    this.#values = new Array<string>(slots).fill("");
  }

  /** Decodes the block bytes[start, end) into `list`; a result other than Ok ends the connection. */
  decode(bytes: Buffer, start: number, end: number, list: HeaderList): number {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    const result = this.#decodeBlock(list);
    this.#bytes = this.#scratch;
    return result;
  }

  #decodeBlock(list: HeaderList): number {
    let updates = 0;
    let fieldSeen = false;
    while (this.#at < this.#end) {
      const first = this.#bytes[this.#at]!;
      if (first >= 0x80) {
        const index = this.#integer(7);
        if (!this.#emitIndexed(index, list)) return HpackResult.Damaged;
      } else if (first >= 0x40) {
        if (!this.#literal(6, true, list)) return HpackResult.Damaged;
      } else if (first >= 0x20) {
        // Allowed at the start of a block only, and two at most (the lowest point, then the last).
        const size = this.#integer(5);
        if (fieldSeen || ++updates > 2 || size < 0 || size > this.#tableBytesLimit) {
          return HpackResult.Damaged;
        }
        this.#tableBytesMax = size;
        this.#evict(size);
        this.generation++;
        continue;
      } else if (!this.#literal(4, false, list)) {
        return HpackResult.Damaged;
      }
      fieldSeen = true;
      if (list.sizeBytes > this.#listBytesMax * HOPELESS_LIST_FACTOR) return HpackResult.TooLarge;
    }
    return HpackResult.Ok;
  }

  #emitIndexed(index: number, list: HeaderList): boolean {
    if (index <= 0) return false;
    if (index <= STATIC_COUNT) {
      this.#emit(STATIC_NAMES[index]!, STATIC_VALUES[index]!, list);
      return true;
    }
    const back = index - STATIC_COUNT - 1;
    if (back >= this.#count) return false;
    const slot = (this.#newest - back) & this.#slotMask;
    this.#emit(this.#names[slot]!, this.#values[slot]!, list);
    return true;
  }

  #literal(prefixBits: number, remember: boolean, list: HeaderList): boolean {
    const index = this.#integer(prefixBits);
    if (index < 0) return false;
    let name: string | null;
    if (index === 0) {
      name = this.#string();
    } else if (index <= STATIC_COUNT) {
      name = STATIC_NAMES[index]!;
    } else {
      const back = index - STATIC_COUNT - 1;
      name = back < this.#count ? this.#names[(this.#newest - back) & this.#slotMask]! : null;
    }
    if (name === null) return false;
    const value = this.#string();
    if (value === null) return false;
    if (remember) this.#remember(name, value);
    this.#emit(name, value, list);
    return true;
  }

  #emit(name: string, value: string, list: HeaderList): void {
    list.sizeBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (list.sizeBytes > this.#listBytesMax) list.truncated = true;
    else list.fields.push(name, value);
  }

  #remember(name: string, value: string): void {
    this.generation++;
    const size = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    if (size > this.#tableBytesMax) {
      this.#evict(0);
      return;
    }
    this.#evict(this.#tableBytesMax - size);
    this.#newest = (this.#newest + 1) & this.#slotMask;
    this.#names[this.#newest] = name;
    this.#values[this.#newest] = value;
    this.#count++;
    this.#tableBytes += size;
  }

  #evict(bytesMax: number): void {
    while (this.#tableBytes > bytesMax) {
      const oldest = (this.#newest - this.#count + 1) & this.#slotMask;
      this.#tableBytes -=
        this.#names[oldest]!.length + this.#values[oldest]!.length + ENTRY_OVERHEAD_BYTES;
      this.#names[oldest] = "";
      this.#values[oldest] = "";
      this.#count--;
    }
  }

  /** A prefixed integer below 2^28, or -1. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    const bytes = this.#bytes;
    let value = bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return -1;
  }

  #string(): string | null {
    if (this.#at >= this.#end) return null;
    const huffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    if (length < 0 || length > this.#end - this.#at) return null;
    const start = this.#at;
    this.#at += length;
    if (!huffman) return latin1(this.#bytes, start, start + length);
    if (this.#scratch.length < length * 2) this.#scratch = Buffer.allocUnsafeSlow(length * 2);
    const count = huffmanDecode(this.#bytes, start, start + length, this.#scratch);
    return count < 0 ? null : latin1(this.#scratch, 0, count);
  }
}

function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as LatinBuffer).latin1Slice(start, end);
}
