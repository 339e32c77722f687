/**
 * Reads text in HPACK's Huffman code (RFC 7541, appendix B) bit by bit. Only for the rare strings that a report
 * quotes: header names and values of failed answers, which are printable ASCII. Any other symbol makes the
 * string unreadable (null).
 */

/** The code is canonical: within one length codes rise in this order. Lengths not named have no code. */
const SYMBOLS_OF_LENGTH: ReadonlyMap<number, string> = new Map([
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, '!"()?'],
  [11, "'+|"],
  [12, "#>"],
  [13, "\0$@[]~"],
  [14, "^}"],
  [15, "<`{"],
  [19, "\\\u00c3\u00d0"],
]);
const LENGTH_MAX = 19;
const PADDING_BITS_MAX = 7;

interface CodeRow {
  readonly first: number;
  readonly symbols: string;
}

/** By length in bits. */
const ROWS = canonicalRows();

function canonicalRows(): readonly CodeRow[] {
  const rows: CodeRow[] = [];
  let code = 0;
  for (let length = 0; length <= LENGTH_MAX; length++) {
    const symbols = SYMBOLS_OF_LENGTH.get(length) ?? "";
    rows.push({ first: code, symbols });
    code = (code + symbols.length) * 2;
  }
  return rows;
}

export function huffmanText(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let code = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((bytes[i]! >> bit) & 1);
      length++;
      if (length > LENGTH_MAX) return null;
      const row = ROWS[length]!;
      const offset = code - row.first;
      if (offset < 0 || offset >= row.symbols.length) continue;
      text += row.symbols[offset];
      code = 0;
      length = 0;
    }
  }
  // What is left is padding: fewer than eight ones.
  return length <= PADDING_BITS_MAX && code === 2 ** length - 1 ? text : null;
}
