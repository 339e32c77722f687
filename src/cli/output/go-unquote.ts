/** Reads a string literal of Go, "..." with escapes or `...` without, from the start of a text. */
import { bytesOfArgument } from "./argument-bytes.ts";

export type Unquoted =
  | { kind: "ok"; bytes: Uint8Array; length: number }
  /** No quote at the start. */
  | { kind: "absent" }
  /** The text ends inside the literal. */
  | { kind: "open" }
  /** An escape that Go does not know. */
  | { kind: "bad" };

export function goUnquote(text: string): Unquoted {
  if (text[0] === "`") {
    const end = text.indexOf("`", 1);
    if (end < 0) return { kind: "open" };
    const bytes = bytesOfArgument(text.slice(1, end).replaceAll("\r", ""));
    return { kind: "ok", bytes, length: end + 1 };
  }
  if (text[0] !== '"') return { kind: "absent" };
  let end = 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  if (end >= text.length) return { kind: "open" };
  const bytes = readEscapes(text.slice(1, end));
  return bytes === null ? { kind: "bad" } : { kind: "ok", bytes, length: end + 1 };
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 0x5c,
  '"': 0x22,
};

function readEscapes(body: string): Uint8Array | null {
  if (body.includes("\n")) return null;
  const parts: Uint8Array[] = [];
  let from = 0;
  for (let i = body.indexOf("\\"); i >= 0; i = body.indexOf("\\", from)) {
    parts.push(bytesOfArgument(body.slice(from, i)));
    const read = readEscape(body, i + 1);
    if (read === null) return null;
    parts.push(read.bytes);
    from = i + 1 + read.length;
  }
  parts.push(bytesOfArgument(body.slice(from)));
  return Buffer.concat(parts);
}

function readEscape(body: string, at: number): { bytes: Uint8Array; length: number } | null {
  const letter = body[at] ?? "";
  const simple = SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return { bytes: Uint8Array.of(simple), length: 1 };
  if (letter === "x") {
    const digits = body.slice(at + 1, at + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) return null;
    return { bytes: Uint8Array.of(Number.parseInt(digits, 16)), length: 3 };
  }
  if (letter === "u" || letter === "U") {
    const count = letter === "u" ? 4 : 8;
    const digits = body.slice(at + 1, at + 1 + count);
    if (digits.length !== count || !/^[0-9a-fA-F]+$/.test(digits)) return null;
    const code = Number.parseInt(digits, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
    return { bytes: Buffer.from(String.fromCodePoint(code), "utf8"), length: 1 + count };
  }
  const octal = body.slice(at, at + 3);
  if (!/^[0-7]{3}$/.test(octal) || Number.parseInt(octal, 8) > 255) return null;
  return { bytes: Uint8Array.of(Number.parseInt(octal, 8)), length: 3 };
}
