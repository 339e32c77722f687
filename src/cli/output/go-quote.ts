/** Byte strings in Go's double-quoted form (%q): printable UTF-8 stays, everything else is escaped. */
import { bytesOfArgument, sequenceLength } from "./argument-bytes.ts";

const SHORT_ESCAPES: ReadonlyMap<number, string> = new Map([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x09, "\\t"],
  [0x0a, "\\n"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x22, '\\"'],
  [0x5c, "\\\\"],
]);

/** Letters, marks, numbers, punctuation and symbols; of the spaces only the ASCII one. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

export function goQuote(bytes: Uint8Array): string {
  let text = '"';
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length === 0) {
      text += `\\x${hex(bytes[i++]!, 2)}`;
      continue;
    }
    const character = Buffer.from(bytes.subarray(i, i + length)).toString("utf8");
    text += quoteCharacter(character);
    i += length;
  }
  return `${text}"`;
}

/** The same for an argument or another text. */
export function goQuoteText(text: string): string {
  return goQuote(bytesOfArgument(text));
}

function quoteCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  const short = SHORT_ESCAPES.get(code);
  if (short !== undefined) return short;
  if (PRINTABLE.test(character)) return character;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
