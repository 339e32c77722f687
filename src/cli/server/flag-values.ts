/** The values of flags: what Go's flag package and etcd accept, and the texts of their refusals. */
import { parseDurationMs } from "../args/go-duration.ts";
import { clampToSafe, type Parsed, parseBool, parseInt64, parseUint64 } from "../args/go-number.ts";
import type { FlagKind, FlagRow } from "./flag-row.ts";
import { urlListFailure } from "./urls.ts";

/** Lists are split; durations are milliseconds. */
export type FlagValue = string | number | boolean | readonly string[];

const UINT32_MAX = 2 ** 32 - 1;
const BASE_BY_PREFIX = 0;
const TRAILING_WORD = /(invalid syntax|value out of range)$/;

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  "initial-cluster-state": ["new", "existing"],
  "discovery-fallback": ["exit", "proxy"],
  "v2-deprecation": [
    "not-yet",
    "write-only",
    "write-only-skip-check",
    "write-only-drop-data",
    "gone",
  ],
  "linearizable-read-mode": ["read-index", "leader-lease"],
  proxy: ["off", "readonly", "on"],
};

/** The value of a flag's text, or the end of etcd's message about it. */
export function readValue(flag: FlagRow, text: string): Parsed<FlagValue> {
  switch (flag.kind) {
    case "bool":
      return orParseError(parseBool(text));
    case "uint":
      return orParseError(numberOf(parseUint64(text, BASE_BY_PREFIX)));
    case "int":
      return orParseError(numberOf(parseInt64(text, BASE_BY_PREFIX)));
    case "uint32":
      return readUint32(text);
    case "share":
      return readShare(text);
    case "duration":
      return orParseError(parseDurationMs(text));
    case "urls":
    case "origins":
      return readUrls(flag.kind, text);
    case "list":
      return { value: [...new Set(splitList(text))] };
    case "string":
      return readWord(flag.name, text);
  }
}

function readWord(name: string, text: string): Parsed<FlagValue> {
  const choices = CHOICES[name];
  if (choices === undefined || choices.includes(text)) return { value: text };
  return { failure: name === "v2-deprecation" ? `invalid value "${text}"` : "invalid value" };
}

function readUrls(kind: FlagKind, text: string): Parsed<FlagValue> {
  if (kind === "urls" && text === "") return { value: [] };
  if (kind === "origins" && text === "*") return { value: ["*"] };
  const failure = urlListFailure(text);
  if (failure !== null) return { failure };
  return { value: [...new Set(splitList(text))].sort() };
}

function readUint32(text: string): Parsed<FlagValue> {
  const parsed = numberOf(parseUint64(text, BASE_BY_PREFIX));
  if ("failure" in parsed || parsed.value <= UINT32_MAX) return parsed;
  return { failure: `strconv.ParseUint: parsing ${JSON.stringify(text)}: value out of range` };
}

function readShare(text: string): Parsed<number> {
  const value = Number(text);
  if (/^(\d+\.?\d*|\.\d+)$/.test(text) && value < 1) return { value };
  return { failure: "must be a share: 0 or more, and less than 1" };
}

function splitList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function numberOf(parsed: Parsed<bigint>): Parsed<number> {
  return "failure" in parsed ? parsed : { value: clampToSafe(parsed.value) };
}

/** Go's flag package tells two failures apart and names the value itself. */
function orParseError<T>(parsed: Parsed<T>): Parsed<T> {
  if (!("failure" in parsed)) return parsed;
  const word = TRAILING_WORD.exec(parsed.failure)?.[0];
  return { failure: word === "value out of range" ? word : "parse error" };
}
