/**
 * Words for what a message's zod schema found wrong, as etcd's gateway says it: the first fault of the text,
 * with line and column from the beginning of the value, columns counted in characters. Only called for
 * refused bodies; reads the text a second time, now with places.
 */
import type { z } from "zod";
import type { FieldRow } from "../generated/tables.ts";
import { camelName, fieldsByName } from "./json-names.ts";
import { ISSUE } from "./json-schemas.ts";
import { type JsonPlaces, JsonText } from "./json-text.ts";

/** Where an issue is: the field and message it belongs to, and its places in the text. */
interface Located {
  readonly kind: string;
  readonly owner: string;
  readonly row: FieldRow | undefined;
  /** What the error's position and quoted token are. */
  readonly at: number;
}

export function explainIssues(
  type: string,
  issues: readonly z.core.$ZodIssue[],
  text: string,
  start: number,
): string {
  const places: JsonPlaces = new Map();
  new JsonText(text, start, places).value();
  let first: Located | null = null;
  for (const issue of issues) {
    const located = locate(type, issue, places, start);
    if (first === null || located.at < first.at) first = located;
  }
  return tell(first!, text, start);
}

/** `(line L:C)` of an index, counted from the beginning of the value. */
export function position(text: string, start: number, at: number): string {
  const before = text.slice(start, at);
  const line = before.split("\n").length;
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  return `(line ${line}:${column})`;
}

function tell({ kind, owner, row, at }: Located, text: string, start: number): string {
  const where = position(text, start, at);
  const token = tokenAt(text, at);
  if (row !== undefined) {
    if (kind === ISSUE.duplicate) return `${where}: duplicate field ${token}`;
    if (kind === ISSUE.oneof) {
      const name = `etcdserverpb.${owner}.${row.oneof}`;
      return `${where}: error parsing ${token}, oneof ${name} is already set`;
    }
    if (kind === ISSUE.value) {
      const name = camelName(row.name);
      return `${where}: invalid value for ${wireKind(row.type)} field ${name}: ${token}`;
    }
  }
  return `syntax error ${where}: unexpected token ${token}`;
}

function locate(type: string, issue: z.core.$ZodIssue, places: JsonPlaces, start: number): Located {
  let owner = type;
  let row: FieldRow | undefined;
  let path = "";
  let nameAt = start;
  let at = start;
  for (const step of issue.path) {
    if (typeof step === "number") {
      path = `${path}/${step}`;
      at = places.get(path)!.valueAt;
      continue;
    }
    if (row !== undefined) owner = row.type.slice("message:".length);
    row = fieldsByName(owner).get(String(step))!;
    const spellings = [`${path}/${row.name}`, `${path}/${camelName(row.name)}`];
    path = places.has(spellings[0]!) ? spellings[0]! : spellings[1]!;
    at = places.get(path)!.valueAt;
    nameAt = Math.max(...spellings.map((name) => places.get(name)?.lastNameAt ?? -1));
  }
  const isAboutName = issue.message === ISSUE.duplicate || issue.message === ISSUE.oneof;
  return { kind: issue.message, owner, row, at: isAboutName ? nameAt : at };
}

/** The token that begins here, as it stands in the text; an opening bracket stands for the rest. */
function tokenAt(text: string, at: number): string {
  const first = text[at]!;
  if (first === "{" || first === "[") return first;
  const reader = new JsonText(text, at);
  reader.value();
  return text.slice(at, reader.at);
}

function wireKind(type: string): string {
  const [kind, detail] = type.split(":") as [string, string | undefined];
  return kind === "big" ? detail! : kind;
}
