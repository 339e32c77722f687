/** Integers and booleans as Go's strconv reads them, with its error texts: scripts and runbooks quote them. */
import { goQuoteText } from "../output/go-quote.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export type Parsed<T> = { value: T } | { failure: string };

/** A signed 64-bit integer; base 0 means that a prefix chooses it (0x, 0o, 0b, 0) and underscores may stand. */
export function parseInt64(text: string, base: 0 | 10 | 16): Parsed<bigint> {
  const negative = text.startsWith("-");
  const magnitude = parseDigits(negative || text.startsWith("+") ? text.slice(1) : text, base);
  if (magnitude === null) return failure("ParseInt", text, "invalid syntax");
  const value = negative ? -magnitude : magnitude;
  if (value > INT64_MAX || value < INT64_MIN)
    return failure("ParseInt", text, "value out of range");
  return { value };
}

export function parseUint64(text: string, base: 0 | 10 | 16): Parsed<bigint> {
  const value = parseDigits(text, base);
  if (value === null) return failure("ParseUint", text, "invalid syntax");
  if (value > UINT64_MAX) return failure("ParseUint", text, "value out of range");
  return { value };
}

const TRUE_WORDS = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE_WORDS = ["0", "f", "F", "FALSE", "false", "False"];

export function parseBool(text: string): Parsed<boolean> {
  if (TRUE_WORDS.includes(text)) return { value: true };
  if (FALSE_WORDS.includes(text)) return { value: false };
  return failure("ParseBool", text, "invalid syntax");
}

/** A revision, limit or count for the wire: numbers stay exact, and beyond that every value means "far future". */
export function clampToSafe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}

function failure(operation: string, text: string, why: string): { failure: string } {
  return { failure: `strconv.${operation}: parsing ${goQuoteText(text)}: ${why}` };
}

function parseDigits(text: string, base: 0 | 10 | 16): bigint | null {
  if (base === 10) return /^[0-9]+$/.test(text) ? BigInt(text) : null;
  if (base === 16) return /^[0-9a-fA-F]+$/.test(text) ? BigInt(`0x${text}`) : null;
  const plain = text.replace(/(?<=[0-9a-fA-FxXoObB])_(?=[0-9a-fA-F])/g, "");
  if (/^0[xX][0-9a-fA-F]+$/.test(plain)) return BigInt(plain);
  if (/^0[oO]?[0-7]+$/.test(plain)) return BigInt(`0o${plain.replace(/^0[oO]?/, "")}`);
  if (/^0[bB][01]+$/.test(plain)) return BigInt(plain);
  return /^(0|[1-9][0-9]*)$/.test(plain) ? BigInt(plain) : null;
}
