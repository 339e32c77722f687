/** One value of a configuration file: whether it has the type that its flag has in etcd, and its text as a flag. */
import type { FlagKind, FlagRow } from "./flag-row.ts";

/** Go's types where the kind alone does not tell them. */
const GO_TYPES: Readonly<Record<string, string>> = {
  "snapshot-count": "uint64",
  "snapshot-catchup-entries": "uint64",
  "quota-backend-bytes": "int64",
};
const KIND_TYPES: Readonly<Record<FlagKind, string>> = {
  string: "string",
  uint: "uint",
  uint32: "uint32",
  int: "int",
  bool: "bool",
  share: "float64",
  duration: "time.Duration",
  urls: "string",
  origins: "string",
  list: "[]string",
};
const TWO_63 = 2 ** 63;
/** Booleans of YAML 1.1, which etcd's files are; the parser here follows 1.2 and leaves them words. */
const YAML_TRUE = /^(yes|Yes|YES|on|On|ON|y|Y)$/;
const YAML_FALSE = /^(no|No|NO|off|Off|OFF|n|N)$/;

/** What Go's decoder says about a value that does not fit, without its opening words; null when it does. */
export function goTypeProblem(flag: FlagRow, value: unknown, where: string): string | null {
  const type = typeOf(flag);
  const into = `into Go struct field ${where} of type`;
  if (type === "[]string") {
    if (!Array.isArray(value)) return `${kindOf(value)} ${into} []string`;
    const wrong = value.find((item) => typeof item !== "string");
    return wrong === undefined ? null : `${kindOf(wrong)} ${into} string`;
  }
  if (type === "string")
    return typeof value === "string" ? null : `${kindOf(value)} ${into} string`;
  if (type === "bool") return asBoolean(value) !== null ? null : `${kindOf(value)} ${into} bool`;
  if (typeof value !== "number") return `${kindOf(value)} ${into} ${type}`;
  return fits(value, type) ? null : `number ${value} ${into} ${type}`;
}

/** The same value as a flag's text. */
export function wireText(flag: FlagRow, value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  if (flag.kind === "bool") return String(asBoolean(value));
  return flag.kind === "duration" ? `${value}ns` : String(value);
}

function typeOf(flag: FlagRow): string {
  if (flag.name === "host-whitelist") return "string";
  return GO_TYPES[flag.name] ?? KIND_TYPES[flag.kind];
}

function asBoolean(value: unknown): boolean | null {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return null;
  if (YAML_TRUE.test(value)) return true;
  return YAML_FALSE.test(value) ? false : null;
}

function fits(value: number, type: string): boolean {
  if (type === "float64") return true;
  if (!Number.isInteger(value)) return false;
  if (type === "uint32") return value >= 0 && value < 2 ** 32;
  return type.startsWith("uint") ? value >= 0 && value < 2 * TWO_63 : Math.abs(value) < TWO_63;
}

/** What Go calls a value of JSON. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
