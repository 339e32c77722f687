/**
 * The header block of a connection's requests. They are all alike, so the first one puts its fields into the
 * server's table and the others are a few index bytes; a server with a smaller table gets literals each time.
 */
const TABLE_BYTES_DEFAULT = 4096;
const ENTRY_OVERHEAD_BYTES = 32;
const FIRST_DYNAMIC_INDEX = 62;
const STATIC_POST = 0x83;
const STATIC_SCHEME_HTTP = 0x86;
const STATIC_SCHEME_HTTPS = 0x87;
const INDEXED = 0x80;
const LITERAL_REMEMBERED = 0x40;
const LITERAL_FORGOTTEN = 0x00;
const TABLE_SIZE_ZERO = 0x20;

export interface RequestHeadFields {
  readonly path: string;
  readonly authority: string;
  readonly tls: boolean;
  /** A token of an authenticated user, or null. */
  readonly token: string | null;
}

export class RequestHead {
  readonly #first: Uint8Array;
  readonly #repeated: Uint8Array;
  #sent = false;

  /** `tableBytes` is what the server's SETTINGS_HEADER_TABLE_SIZE allows. */
  constructor(fields: RequestHeadFields, tableBytes: number) {
    const literals = literalFields(fields);
    const start = [STATIC_POST, fields.tls ? STATIC_SCHEME_HTTPS : STATIC_SCHEME_HTTP];
    if (tableBytes >= TABLE_BYTES_DEFAULT && entryBytes(literals) <= TABLE_BYTES_DEFAULT) {
      // The youngest entry has the lowest index; the order of the fields stays.
      const last = FIRST_DYNAMIC_INDEX + literals.length - 1;
      const indexes = literals.map((_, i) => INDEXED | (last - i));
      this.#first = Uint8Array.from([...start, ...literals.flatMap(remembered)]);
      this.#repeated = Uint8Array.from([...start, ...indexes]);
    } else {
      const block = [...start, ...literals.flatMap(forgotten)];
      this.#first = Uint8Array.from(
        tableBytes >= TABLE_BYTES_DEFAULT ? block : [TABLE_SIZE_ZERO, ...block],
      );
      this.#repeated = Uint8Array.from(block);
    }
  }

  /** The block of the next request. */
  next(): Uint8Array {
    if (this.#sent) return this.#repeated;
    this.#sent = true;
    return this.#first;
  }
}

function literalFields(fields: RequestHeadFields): [string, string][] {
  const list: [string, string][] = [
    [":path", fields.path],
    [":authority", fields.authority],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["user-agent", "cairn-bench"],
  ];
  if (fields.token !== null) list.push(["token", fields.token]);
  return list;
}

function entryBytes(fields: readonly [string, string][]): number {
  return fields.reduce((sum, [name, value]) => {
    return sum + name.length + value.length + ENTRY_OVERHEAD_BYTES;
  }, 0);
}

function remembered([name, value]: [string, string]): number[] {
  return [LITERAL_REMEMBERED, ...plainString(name), ...plainString(value)];
}

function forgotten([name, value]: [string, string]): number[] {
  return [LITERAL_FORGOTTEN, ...plainString(name), ...plainString(value)];
}

/** A string without Huffman code; its length as a prefixed integer of seven bits. */
function plainString(text: string): number[] {
  const bytes = [...Buffer.from(text, "latin1")];
  if (bytes.length < 0x7f) return [bytes.length, ...bytes];
  const length = [0x7f];
  let rest = bytes.length - 0x7f;
  for (; rest > 0x7f; rest >>= 7) length.push((rest & 0x7f) | 0x80);
  return [...length, rest, ...bytes];
}
