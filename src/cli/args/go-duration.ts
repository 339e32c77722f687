/** Durations in Go's notation: 5s, 1h30m, 100ms, 883.061µs. */
import { goQuoteText } from "../output/go-quote.ts";
import type { Parsed } from "./go-number.ts";

const UNIT_NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Milliseconds, with fractions. */
export function parseDurationMs(text: string): Parsed<number> {
  const invalid = { failure: `time: invalid duration ${goQuoteText(text)}` };
  const signed = /^([+-]?)(.*)$/s.exec(text)!;
  let rest = signed[2]!;
  if (rest === "0") return { value: 0 };
  if (rest === "") return invalid;
  let nanoseconds = 0;
  while (rest !== "") {
    const number = /^([0-9]*)(?:\.([0-9]*))?/.exec(rest)!;
    const digits = `${number[1]}${number[2] ?? ""}`;
    if (digits === "") return invalid;
    rest = rest.slice(number[0].length);
    const unit = /^[^0-9.]*/.exec(rest)![0];
    if (unit === "") return { failure: `time: missing unit in duration ${goQuoteText(text)}` };
    const size = UNIT_NANOSECONDS[unit];
    if (size === undefined) {
      return {
        failure: `time: unknown unit ${goQuoteText(unit)} in duration ${goQuoteText(text)}`,
      };
    }
    rest = rest.slice(unit.length);
    nanoseconds += Number(`${number[1] || "0"}.${number[2] || "0"}`) * size;
  }
  if (nanoseconds >= 2 ** 63) return invalid;
  return { value: (signed[1] === "-" ? -nanoseconds : nanoseconds) / 1e6 };
}

/** As Go's Duration.String prints it. */
export function durationText(milliseconds: number): string {
  const total = Math.round(Math.abs(milliseconds) * 1e6);
  const sign = milliseconds < 0 ? "-" : "";
  if (total === 0) return "0s";
  if (total < 1e3) return `${sign}${total}ns`;
  if (total < 1e6) return `${sign}${fraction(total, 1e3)}µs`;
  if (total < 1e9) return `${sign}${fraction(total, 1e6)}ms`;
  const seconds = Math.floor(total / 1e9);
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const tail = fraction(total - (hours * 3600 + minutes * 60) * 1e9, 1e9);
  if (hours > 0) return `${sign}${hours}h${minutes}m${tail}s`;
  return minutes > 0 ? `${sign}${minutes}m${tail}s` : `${sign}${tail}s`;
}

/** total/unit with all its decimals and no trailing zeros. */
function fraction(total: number, unit: number): string {
  const whole = Math.floor(total / unit);
  const rest = total - whole * unit;
  if (rest === 0) return String(whole);
  const decimals = String(rest).padStart(Math.log10(unit), "0").replace(/0+$/, "");
  return `${whole}.${decimals}`;
}
