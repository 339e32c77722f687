/**
 * Reads gRPC status and message out of the header block that ends an answer. We announce a header table of size
 * zero, so a block stands for itself: nothing has to be decoded in order, and blocks nobody asks about are
 * skipped. Damaged bytes give a status of -1, never an exception.
 */
import { huffmanText } from "./huffman-text.ts";

const INTEGER_GROUPS_MAX = 4;
const STATUS_FIELD = "grpc-status";
const MESSAGE_FIELD = "grpc-message";

export interface AnswerStatus {
  /** The gRPC code; -1 when the block has none or cannot be read. */
  readonly code: number;
  readonly message: string;
}

export function readTrailers(bytes: Uint8Array, start: number, end: number): AnswerStatus {
  const reader = new FieldReader(bytes, start, end);
  let code = -1;
  let message = "";
  for (;;) {
    const field = reader.next();
    if (field === null) break;
    if (field.name === STATUS_FIELD && /^[0-9]{1,3}$/.test(field.value)) code = Number(field.value);
    else if (field.name === MESSAGE_FIELD) message = decodePercent(field.value);
  }
  return reader.damaged ? { code: -1, message: "" } : { code, message };
}

interface Field {
  readonly name: string;
  readonly value: string;
}

class FieldReader {
  damaged = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** The next field with a literal value; fields of the static table are passed over. Null at the end. */
  next(): Field | null {
    while (this.#at < this.#end && !this.damaged) {
      const first = this.#bytes[this.#at]!;
      if (first >= 0x80) this.#integer(7);
      else if (first >= 0x40) return this.#literal(6);
      else if (first >= 0x20) this.#integer(5);
      else return this.#literal(4);
    }
    return null;
  }

  #literal(prefixBits: number): Field | null {
    // A name from the static table is none of the two we look for.
    const index = this.#integer(prefixBits);
    const name = index === 0 ? this.#string() : "";
    const value = this.#string();
    return this.damaged ? null : { name, value };
  }

  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#bytes[this.#at++]! & mask;
    if (value < mask) return value;
    for (let group = 0; group < INTEGER_GROUPS_MAX && this.#at < this.#end; group++) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) << (group * 7);
      if (byte < 0x80) return value;
    }
    this.damaged = true;
    return 0;
  }

  #string(): string {
    if (this.damaged || this.#at >= this.#end) return this.#fail();
    const isHuffman = this.#bytes[this.#at]! >= 0x80;
    const length = this.#integer(7);
    const start = this.#at;
    if (this.damaged || length > this.#end - start) return this.#fail();
    this.#at += length;
    if (isHuffman) return huffmanText(this.#bytes, start, this.#at) ?? this.#fail();
    return Buffer.from(this.#bytes.subarray(start, this.#at)).toString("latin1");
  }

  #fail(): string {
    this.damaged = true;
    return "";
  }
}

/** gRPC percent-encodes messages; a wrong sequence is shown as it came. */
function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
