/** Checks of numbers that flags carry. All failures are ExitErrors that name the flag. */
import { ExitCode, ExitError, type FlagSet, type FlagSpec } from "../args/index.ts";

export function countFlag(name: string, usage: string, value: number): FlagSpec {
  return { name, kind: "int64", default: String(value), usage };
}

/** The value of a flag that must lie within these bounds. */
export function boundedNumber(flags: FlagSet, name: string, least: number, most: number): number {
  const value = flags.number(name);
  if (value < least || value > most) {
    badFlag(`--${name} must be between ${least} and ${most} (got ${value})`);
  }
  return value;
}

export function badFlag(message: string): never {
  throw new ExitError(ExitCode.error, message);
}
