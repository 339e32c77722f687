/** The two spellings of a field in JSON: as in the .proto file, and the lower camel case made from it. */
import { type FieldRow, MESSAGE_FIELDS } from "../generated/tables.ts";

/** What follows an underscore becomes upper case, the underscore goes: range_end is rangeEnd. */
export function camelName(name: string): string {
  return name.replace(/_([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

const byType = new Map<string, ReadonlyMap<string, FieldRow>>();

/** The fields of a message by both spellings. */
export function fieldsByName(type: string): ReadonlyMap<string, FieldRow> {
  let fields = byType.get(type);
  if (fields === undefined) {
    const rows = MESSAGE_FIELDS[type]!;
    fields = new Map([
      ...rows.map((row) => [camelName(row.name), row] as const),
      ...rows.map((row) => [row.name, row] as const),
    ]);
    byType.set(type, fields);
  }
  return fields;
}
