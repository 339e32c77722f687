/** The grpc-timeout header: up to eight digits and a unit. */
import { goQuote } from "./status.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
const TEXT_LENGTH_MAX = 9;

/** Milliseconds, or grpc-go's text for what is wrong. */
export function parseTimeout(text: string): number | string {
  if (text.length < 2) return `transport: timeout string is too short: ${goQuote(text)}`;
  if (text.length > TEXT_LENGTH_MAX) {
    return `transport: timeout string is too long: ${goQuote(text)}`;
  }
  const unitMs = UNIT_MS[text[text.length - 1]!];
  if (unitMs === undefined) {
    return `transport: timeout unit is not recognized: ${goQuote(text)}`;
  }
  const digits = text.slice(0, -1);
  if (!/^[0-9]+$/.test(digits)) {
    return `strconv.ParseUint: parsing ${goQuote(digits)}: invalid syntax`;
  }
  return Number(digits) * unitMs;
}
