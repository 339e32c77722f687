/** A line of a transaction's first part: target("key") operator "value", such as ver("a") > "1". */
import { CompareCompareResult, CompareCompareTarget, type CompareInit } from "../../api/index.ts";
import { clampToSafe, parseInt64 } from "../args/index.ts";
import { argumentOfBytes, goQuote, goQuoteText, goUnquote } from "../output/index.ts";

const RESULTS: Readonly<Record<string, number>> = {
  "=": CompareCompareResult.EQUAL,
  "!=": CompareCompareResult.NOT_EQUAL,
  ">": CompareCompareResult.GREATER,
  "<": CompareCompareResult.LESS,
};

type Target = "version" | "create_revision" | "mod_revision" | "value" | "lease";

const TARGETS: Readonly<Record<string, Target>> = {
  ver: "version",
  version: "version",
  c: "create_revision",
  create: "create_revision",
  m: "mod_revision",
  mod: "mod_revision",
  val: "value",
  value: "value",
  lease: "lease",
};

const TARGET_NUMBERS: Readonly<Record<Target, number>> = {
  version: CompareCompareTarget.VERSION,
  create_revision: CompareCompareTarget.CREATE,
  mod_revision: CompareCompareTarget.MOD,
  value: CompareCompareTarget.VALUE,
  lease: CompareCompareTarget.LEASE,
};

/** The comparison, or what is wrong with the line. */
export function parseCompare(line: string): { compare: CompareInit } | { failure: string } {
  const parenthesis = line.indexOf("(");
  if (parenthesis < 0) return { failure: `malformed comparison: ${line}` };
  const word = line.slice(0, parenthesis);
  const parts = scan(line.slice(parenthesis + 1));
  if (parts.value === null) {
    const key = goQuote(parts.key ?? new Uint8Array(0));
    const got = `${word}(${key}) ${parts.operator ?? ""} ${goQuoteText("")}`;
    return { failure: `malformed comparison: ${line}; got ${got}` };
  }
  const target = TARGETS[word];
  if (target === undefined) {
    return { failure: `malformed comparison: ${line} (unknown target ${word})` };
  }
  const operand = operandOf(target, parts.value);
  if (operand === null) return { failure: `invalid txn compare request: ${line}` };
  const result = RESULTS[parts.operator];
  if (result === undefined) {
    return { failure: `malformed comparison: ${line} (unknown operator ${parts.operator})` };
  }
  return { compare: { key: parts.key, result, target: TARGET_NUMBERS[target], ...operand } };
}

function operandOf(target: Target, value: Uint8Array): CompareInit | null {
  if (target === "value") return { value };
  const parsed = parseInt64(argumentOfBytes(value), target === "lease" ? 16 : 10);
  if ("failure" in parsed) return null;
  if (target === "lease") return { lease: parsed.value };
  return { [target]: clampToSafe(parsed.value) };
}

type Scanned =
  | { key: Uint8Array; operator: string; value: Uint8Array }
  | { key: Uint8Array | null; operator: string | null; value: null };

/** Reads "key") operator "value" as far as it goes; spaces must stand around the operator. */
function scan(text: string): Scanned {
  const key = goUnquote(text.trimStart());
  if (key.kind !== "ok") return { key: null, operator: null, value: null };
  const rest = text.trimStart().slice(key.length);
  const middle = /^\)[ \t]+(\S+)(.*)$/s.exec(rest);
  if (middle === null) return { key: key.bytes, operator: null, value: null };
  const operator = middle[1]!;
  const value = /^[ \t]/.test(middle[2]!) ? goUnquote(middle[2]!.trimStart()) : null;
  if (value?.kind !== "ok") return { key: key.bytes, operator, value: null };
  return { key: key.bytes, operator, value: value.bytes };
}
