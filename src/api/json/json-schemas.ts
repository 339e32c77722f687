/**
 * One zod schema per message, built from the generated tables when first asked for. A schema takes what
 * json-text.ts read and gives the message as the binary decoder would: every field there, defaults filled in,
 * fields of a oneof undefined unless set. Unknown fields are ignored and null is absence, as in etcd.
 * The message of an issue is one of the ISSUE words; json-decode.ts makes etcd's text of it.
 */
import { z } from "zod";
import { EMPTY_BYTES } from "../../base/bytes.ts";
import { ENUM_VALUES, type FieldRow, MESSAGE_FIELDS } from "../generated/tables.ts";
import { fieldsByName } from "./json-names.ts";
import {
  base64Bytes,
  enumNumber,
  INVALID,
  integerBig,
  integerNumber,
  integerRange,
} from "./json-scalars.ts";
import { NumberText, RepeatedName } from "./json-text.ts";

export const ISSUE = {
  /** A scalar that its field cannot hold. */
  value: "value",
  /** Not an object where a message is, or not an array where a list is. */
  token: "token",
  /** The same field twice, in one spelling or in both. */
  duplicate: "duplicate",
  /** Two fields of one oneof. */
  oneof: "oneof",
} as const;

const schemas = new Map<string, z.ZodType>();

export function schemaOf(type: string): z.ZodType {
  let schema = schemas.get(type);
  if (schema === undefined) {
    schema = buildSchema(type);
    schemas.set(type, schema);
  }
  return schema;
}

function buildSchema(type: string): z.ZodType {
  const shape: Record<string, z.ZodType> = {};
  for (const row of MESSAGE_FIELDS[type]!) shape[row.name] = fieldSchema(row);
  return z.unknown().transform(knownFields(type)).pipe(z.object(shape));
}

/** Keeps the known fields, under the names of the .proto file. */
function knownFields(type: string) {
  const fields = fieldsByName(type);
  return (value: unknown, context: z.RefinementCtx): Record<string, unknown> => {
    const known: Record<string, unknown> = {};
    if (!isObject(value)) {
      context.addIssue(ISSUE.token);
      return known;
    }
    let oneof: string | undefined;
    for (const name in value) {
      const row = fields.get(name);
      if (row === undefined) continue;
      const item = value[name];
      if (item instanceof RepeatedName || row.name in known) {
        context.addIssue({ code: "custom", message: ISSUE.duplicate, path: [row.name] });
      }
      known[row.name] = item === null ? undefined : item;
      if (row.oneof === undefined || item === null) continue;
      if (oneof !== undefined) {
        context.addIssue({ code: "custom", message: ISSUE.oneof, path: [row.name] });
      }
      oneof = row.oneof;
    }
    return known;
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof NumberText) &&
    !(value instanceof RepeatedName)
  );
}

function fieldSchema(row: FieldRow): z.ZodType {
  const isMessage = row.type.startsWith("message:");
  const item = isMessage
    ? z.lazy(() => schemaOf(row.type.slice("message:".length)))
    : scalarSchema(row, row.repeated || row.oneof !== undefined);
  if (row.repeated) {
    return z
      .array(item, ISSUE.token)
      .default([])
      .transform((items) => (items.includes(undefined) ? items.filter(isKnown) : items));
  }
  return isMessage ? item.optional() : item;
}

// An enum's name that is not known counts as not sent.
function isKnown(value: unknown): boolean {
  return value !== undefined;
}

function scalarSchema(row: FieldRow, isBare: boolean): z.ZodType {
  const { read, empty } = scalarOf(row.type);
  const absent = isBare ? undefined : empty;
  return z
    .unknown()
    .optional()
    .transform((value, context) => {
      if (value === undefined) return absent;
      const result = read(value);
      if (result !== INVALID) return result === undefined ? absent : result;
      context.addIssue(ISSUE.value);
      return z.NEVER;
    });
}

interface Scalar {
  read: (value: unknown) => unknown;
  empty: unknown;
}

function scalarOf(type: string): Scalar {
  switch (type) {
    case "bytes":
      return { read: base64Bytes, empty: EMPTY_BYTES };
    case "string":
      return { read: (value) => (typeof value === "string" ? value : INVALID), empty: "" };
    case "bool":
      return { read: (value) => (typeof value === "boolean" ? value : INVALID), empty: false };
  }
  const [kind, detail] = type.split(":") as [string, string];
  if (kind === "enum") {
    const names = ENUM_VALUES[detail]!;
    return { read: (value) => enumNumber(value, names), empty: 0 };
  }
  if (kind === "big") {
    const range = integerRange(detail);
    return { read: (value) => integerBig(value, range), empty: 0n };
  }
  const range = integerRange(type);
  return { read: (value) => integerNumber(value, range), empty: 0 };
}
