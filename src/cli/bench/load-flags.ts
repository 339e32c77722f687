/** The flags of put, range and txn: how much load, and which keys. */
import { boolFlag, durationFlag, type FlagSet, type FlagSpec } from "../args/index.ts";
import { CLIENTS_MAX, CONNECTIONS_MAX } from "./connection-flags.ts";
import { ASCII_FLAG } from "./context.ts";
import type { LoadPlan } from "./load/load-run.ts";
import type { KeyChoice } from "./load/request-source.ts";
import { badFlag, boundedNumber, countFlag } from "./number-flags.ts";

export const RATE_MAX = 10_000_000;
export const KEY_BYTES_MAX = 1 << 20;
export const VALUE_BYTES_MAX = 16 << 20;
const TOTAL_MAX = 1e12;
const KEY_SPACE_MAX = 1e15;

export const LOAD_FLAGS: readonly FlagSpec[] = [
  countFlag("clients", "how many callers, each with one request under way", 1),
  countFlag("total", "how many requests to send", 10_000),
  durationFlag("duration", "send for so long (then --total bounds only when given)", "0s"),
  countFlag("rate", "requests per second, timed from their intended start; 0: no limit", 0),
  boolFlag("json", "print the report as JSON"),
  ASCII_FLAG,
];

export const KEY_FLAGS: readonly FlagSpec[] = [
  countFlag("key-size", "bytes per key", 8),
  countFlag("key-space-size", "how many different keys", 1),
  boolFlag("sequential-keys", "take the keys in order instead of at random"),
];

export const VALUE_FLAG: FlagSpec = countFlag("val-size", "bytes per value", 8);

export function loadPlan(flags: FlagSet): LoadPlan {
  const clients = boundedNumber(flags, "clients", 1, CLIENTS_MAX);
  const connections = boundedNumber(flags, "conns", 1, CONNECTIONS_MAX);
  if (connections > clients) badFlag("--conns must not be more than --clients");
  const durationMs = flags.number("duration");
  if (durationMs < 0) badFlag("--duration must not be negative");
  const isTimed = durationMs > 0;
  const total = boundedNumber(flags, "total", 1, TOTAL_MAX);
  return {
    clients,
    connections,
    total: isTimed && !flags.changed("total") ? Number.POSITIVE_INFINITY : total,
    durationMs: isTimed ? durationMs : Number.POSITIVE_INFINITY,
    ratePerSecond: boundedNumber(flags, "rate", 0, RATE_MAX),
  };
}

export function keyChoice(flags: FlagSet, random: () => number): KeyChoice {
  const keyBytes = boundedNumber(flags, "key-size", 1, KEY_BYTES_MAX);
  const keySpaceSize = boundedNumber(flags, "key-space-size", 1, KEY_SPACE_MAX);
  if (String(keySpaceSize - 1).length > keyBytes) {
    badFlag(`--key-size ${keyBytes} is too small for ${keySpaceSize} different keys`);
  }
  return { keyBytes, keySpaceSize, isSequential: flags.flag("sequential-keys"), random };
}
