/**
 * JSON as Go's encoding/json writes it: no spaces, 64-bit integers as plain numbers, bytes as base64, `<`, `>` and
 * `&` escaped, fields of messages in the order of their numbers and left out when zero.
 */
import { type FieldRow, MESSAGE_FIELDS } from "../../api/index.ts";
import { assert } from "../../base/assert.ts";

/** A value that is ready to be placed into an object. */
export type JsonText = string;

export function jsonString(text: string): JsonText {
  return JSON.stringify(text.toWellFormed()).replace(/[<>&\u2028\u2029\u007f]/g, (character) =>
    character === "\u007f"
      ? character
      : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function jsonBytes(bytes: Uint8Array): JsonText {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64")}"`;
}

export function jsonList(items: readonly JsonText[]): JsonText {
  return `[${items.join(",")}]`;
}

/** An object of all entries that are not undefined. */
export function jsonObject(
  entries: readonly (readonly [string, JsonText | undefined])[],
): JsonText {
  const members: string[] = [];
  for (const [name, value] of entries) {
    if (value !== undefined) members.push(`${jsonString(name)}:${value}`);
  }
  return `{${members.join(",")}}`;
}

/** A message by its table of fields. */
export function messageJson(type: string, message: unknown): JsonText {
  return jsonObject(messageEntries(type, message));
}

/** The entries of a message, for structures that take its fields into their own. */
export function messageEntries(type: string, message: unknown): [string, JsonText | undefined][] {
  const fields = MESSAGE_FIELDS[type];
  assert(fields !== undefined, `no fields known of ${type}`);
  const values = message as Readonly<Record<string, unknown>>;
  return fields.map((field) => fieldEntry(field, values[field.name]));
}

function fieldEntry(field: FieldRow, value: unknown): [string, JsonText | undefined] {
  if (value === undefined) return [field.name, undefined];
  if (field.repeated) {
    const items = value as readonly unknown[];
    if (items.length === 0) return [field.name, undefined];
    return [field.name, jsonList(items.map((item) => valueJson(field.type, item)))];
  }
  if (field.oneof !== undefined) {
    const wrapper = field.oneof[0]!.toUpperCase() + field.oneof.slice(1);
    return [wrapper, jsonObject([[field.name, valueJson(field.type, value)]])];
  }
  return [field.name, isZero(value) ? undefined : valueJson(field.type, value)];
}

function isZero(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === 0 || value === 0n || value === "" || value === false;
}

function valueJson(type: string, value: unknown): JsonText {
  if (type.startsWith("message:")) return messageJson(type.slice("message:".length), value);
  if (value instanceof Uint8Array) return jsonBytes(value);
  return typeof value === "string" ? jsonString(value) : String(value);
}
