/**
 * HPACK encoding of our header blocks: one encoder per connection. Few header fields are worth an entry in the
 * peer's dynamic table (content-type and grpc-status 0); the caller marks those, everything else is a literal.
 * `generation` lets a caller keep the bytes of a block for as long as the table stands still.
 */
import type { ProtoWriter } from "../../api/index.ts";
import {
  STATIC_COUNT,
  STATIC_INDEX_OF_NAME,
  STATIC_NAMES,
  STATIC_VALUES,
} from "./hpack-static-table.ts";
import { huffmanBytes, huffmanEncode } from "./huffman.ts";

const ENTRY_OVERHEAD_BYTES = 32;
/** We never use more of the peer's table than this, whatever it offers. */
const TABLE_BYTES_MAX = 4096;

export class HpackEncoder {
  generation = 0;
  #tableBytesMax = TABLE_BYTES_MAX;
  #tableBytes = 0;
  /** Youngest first. */
  #entries: { name: string; value: string }[] = [];
  /** Table size updates owed at the start of the next block: the lowest point, then the last. */
  #lowestUpdate = -1;
  #lastUpdate = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerTableBytes(bytes: number): void {
    const size = Math.min(bytes, TABLE_BYTES_MAX);
    if (size === this.#tableBytesMax) return;
    this.#tableBytesMax = size;
    this.#evict(size);
    this.#lowestUpdate = this.#lowestUpdate < 0 ? size : Math.min(this.#lowestUpdate, size);
    this.#lastUpdate = size;
    this.generation++;
  }

  /** Must open every block. */
  beginBlock(writer: ProtoWriter): void {
    if (this.#lastUpdate < 0) return;
    if (this.#lowestUpdate < this.#lastUpdate) putInteger(writer, 0x20, 5, this.#lowestUpdate);
    putInteger(writer, 0x20, 5, this.#lastUpdate);
    this.#lowestUpdate = -1;
    this.#lastUpdate = -1;
    this.generation++;
  }

  /** One field; `name` is lower case, characters are below 256. `remember` puts it into the peer's table. */
  field(writer: ProtoWriter, name: string, value: string, remember = false): void {
    const nameIndex = STATIC_INDEX_OF_NAME.get(name) ?? 0;
    for (let i = nameIndex; i > 0 && i <= STATIC_COUNT && STATIC_NAMES[i] === name; i++) {
      if (STATIC_VALUES[i] === value) {
        putInteger(writer, 0x80, 7, i);
        return;
      }
    }
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (entry.name === name && entry.value === value) {
        putInteger(writer, 0x80, 7, STATIC_COUNT + 1 + i);
        return;
      }
    }
    const size = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    const indexed = remember && size <= this.#tableBytesMax;
    putInteger(writer, indexed ? 0x40 : 0, indexed ? 6 : 4, nameIndex);
    if (nameIndex === 0) putString(writer, name);
    putString(writer, value);
    if (!indexed) return;
    this.#evict(this.#tableBytesMax - size);
    this.#entries.unshift({ name, value });
    this.#tableBytes += size;
    this.generation++;
  }

  #evict(bytesMax: number): void {
    while (this.#tableBytes > bytesMax) {
      const oldest = this.#entries.pop()!;
      this.#tableBytes -= oldest.name.length + oldest.value.length + ENTRY_OVERHEAD_BYTES;
    }
  }
}

/**
 * A block that is sent again and again, such as the headers of a successful answer: its bytes are kept as long
 * as the encoder's table stands still. One per connection and block.
 */
export class RepeatedBlock {
  /** name, value, name, value, ...; all are remembered in the peer's table. */
  readonly #fields: readonly string[];
  #generation = -1;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  write(encoder: HpackEncoder, writer: ProtoWriter): void {
    if (this.#generation !== encoder.generation) {
      this.#encode(encoder, writer);
      return;
    }
    const bytes = this.#bytes;
    writer.reserve(bytes.length);
    const position = writer.position;
    for (let i = 0; i < bytes.length; i++) writer.bytes[position + i] = bytes[i]!;
    writer.position = position + bytes.length;
  }

  #encode(encoder: HpackEncoder, writer: ProtoWriter): void {
    const generation = encoder.generation;
    const start = writer.position;
    encoder.beginBlock(writer);
    for (let i = 0; i < this.#fields.length; i += 2) {
      encoder.field(writer, this.#fields[i]!, this.#fields[i + 1]!, true);
    }
    if (encoder.generation !== generation) return;
    this.#generation = generation;
    this.#bytes = writer.bytes.slice(start, writer.position);
  }
}

function putInteger(writer: ProtoWriter, pattern: number, prefixBits: number, value: number): void {
  writer.reserve(6);
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    writer.bytes[writer.position++] = pattern | value;
    return;
  }
  writer.bytes[writer.position++] = pattern | mask;
  // What is left uses the same seven-bit groups, lowest first, as a varint.
  writer.varint32(value - mask);
}

function putString(writer: ProtoWriter, text: string): void {
  const huffman = huffmanBytes(text);
  if (huffman < text.length) {
    putInteger(writer, 0x80, 7, huffman);
    writer.reserve(huffman + 8);
    writer.position = huffmanEncode(text, writer.bytes, writer.position);
    return;
  }
  putInteger(writer, 0, 7, text.length);
  writer.reserve(text.length);
  for (let i = 0; i < text.length; i++) {
    writer.bytes[writer.position++] = text.charCodeAt(i);
  }
}
