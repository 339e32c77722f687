/**
 * The scalars of messages as etcd's gateway reads them from JSON: 64-bit integers as number or string,
 * enums by name or number, bytes as base64 of either alphabet, padded or not. Each function gives
 * INVALID for a value that has no such meaning; nothing throws.
 */
import { NumberText } from "./json-text.ts";

export const INVALID: unique symbol = Symbol("invalid");
export type Invalid = typeof INVALID;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

export interface IntegerRange {
  readonly min: bigint;
  readonly max: bigint;
  /** The same bounds for integers that are exact as numbers. */
  readonly smallMin: number;
  readonly smallMax: number;
}

function range(min: bigint, max: bigint): IntegerRange {
  return { min, max, smallMin: Number(min), smallMax: Number(max) };
}

const RANGES: Record<string, IntegerRange> = {
  int32: range(-(2n ** 31n), 2n ** 31n - 1n),
  uint32: range(0n, 2n ** 32n - 1n),
  int64: range(INT64_MIN, INT64_MAX),
  uint64: range(0n, UINT64_MAX),
};

export function integerRange(type: string): IntegerRange {
  return RANGES[type]!;
}

const SMALL_INTEGER = /^-?(?:0|[1-9][0-9]{0,14})$/;
// A number inside a string ends where no character that could go on with it follows; etcd ignores the rest.
const NUMBER_PREFIX =
  /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?(?![-+._a-zA-Z0-9])/;
/** An exponent that could only make a number too large, or nothing. */
const EXPONENT_DIGITS_MAX = 9;
const DIGITS_MAX = 20;

/** An integer within a range, given as number or as text; rounded beyond 2^53, as every such number is here. */
export function integerNumber(value: unknown, range: IntegerRange): number | Invalid {
  const small = smallInteger(value);
  if (small !== null) return isSmallIn(small, range) ? small : INVALID;
  const big = largeInteger(value);
  return big !== INVALID && big >= range.min && big <= range.max ? Number(big) : INVALID;
}

/** The same, exact, for identities. */
export function integerBig(value: unknown, range: IntegerRange): bigint | Invalid {
  const small = smallInteger(value);
  if (small !== null) return isSmallIn(small, range) ? BigInt(small) : INVALID;
  const big = largeInteger(value);
  return big !== INVALID && big >= range.min && big <= range.max ? big : INVALID;
}

function isSmallIn(value: number, range: IntegerRange): boolean {
  return value >= range.smallMin && value <= range.smallMax;
}

// Adding zero makes nothing of a minus before zero.
function smallInteger(value: unknown): number | null {
  if (typeof value === "number") return value + 0;
  if (typeof value === "string" && SMALL_INTEGER.test(value)) return Number(value) + 0;
  return null;
}

function largeInteger(value: unknown): bigint | Invalid {
  const text = value instanceof NumberText ? value.text : value;
  if (typeof text !== "string") return INVALID;
  const parts = NUMBER_PREFIX.exec(text);
  // Outer space is refused in a string that is otherwise read only to the end of its number.
  if (parts === null || text !== text.trim()) return INVALID;
  const [, sign, whole, fraction, exponent] = parts;
  const digits = integerDigits(whole!, (fraction ?? "").replace(/0+$/, ""), exponent ?? "0");
  return digits === null ? INVALID : BigInt(`${sign}${digits}`.replace(/^-0$/, "0"));
}

/** The digits of whole.fraction * 10^exponent when that is an integer of a bearable size. */
function integerDigits(whole: string, fraction: string, exponentText: string): string | null {
  if (exponentText.replace(/^[+-]?0*/, "").length > EXPONENT_DIGITS_MAX) return null;
  const exponent = Number(exponentText);
  if (fraction.length > Math.max(exponent, 0)) return null;
  const trimmed = whole === "0" ? "" : whole;
  if (exponent >= 0) {
    if (trimmed.length + exponent > DIGITS_MAX && exponent > 0) return null;
    if (trimmed.length > DIGITS_MAX) return null;
    return trimmed + fraction.padEnd(exponent, "0") || "0";
  }
  const keep = trimmed.length + exponent;
  if (keep < 0 || /[^0]/.test(trimmed.slice(keep))) return null;
  return trimmed.slice(0, keep) || "0";
}

/** Base64 as Go reads it: line breaks inside are ignored, left-over bits too. */
export function base64Bytes(value: unknown): Uint8Array | Invalid {
  if (typeof value !== "string") return INVALID;
  const url = value.includes("-") || value.includes("_");
  const padded = value.length % 4 === 0;
  const text = value.includes("\n") || value.includes("\r") ? value.replace(/[\r\n]/g, "") : value;
  const digits = padded ? unpadded(text) : text;
  if (digits === null || digits.length % 4 === 1) return INVALID;
  if (!(url ? URL_DIGITS : STANDARD_DIGITS).test(digits)) return INVALID;
  return new Uint8Array(Buffer.from(digits, url ? "base64url" : "base64"));
}

const STANDARD_DIGITS = /^[A-Za-z0-9+/]*$/;
const URL_DIGITS = /^[A-Za-z0-9_-]*$/;

function unpadded(text: string): string | null {
  if (text.length % 4 !== 0) return null;
  if (text.endsWith("==")) return text.slice(0, -2);
  return text.endsWith("=") ? text.slice(0, -1) : text;
}

/** An enum's number; undefined for a name that is not known, which etcd ignores. */
export function enumNumber(
  value: unknown,
  names: Record<string, number>,
): number | undefined | Invalid {
  if (typeof value === "string") return Object.hasOwn(names, value) ? names[value] : undefined;
  if (typeof value === "number" || value instanceof NumberText) {
    return integerNumber(value, RANGES.int32!);
  }
  return INVALID;
}
