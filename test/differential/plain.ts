// Requests and responses as plain JSON: bytes are latin-1 strings (one character per byte), so a test
// writes key: "a" and a difference prints readably.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

/** Fields that are `bytes` in the messages tests send. */
const byteFields = new Set(["key", "value", "range_end"]);

/** A request for proto-loader: byte fields become buffers. */
export function wire(request: Json): unknown {
  if (Array.isArray(request)) return request.map(wire);
  if (request === null || typeof request !== "object") return request;
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    const isBytes = byteFields.has(name) && typeof value === "string";
    result[name] = isBytes ? Buffer.from(value, "latin1") : wire(value);
  }
  return result;
}

/** A decoded response as JSON: buffers become latin-1 strings. */
export function plain(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object") {
    const result: JsonObject = {};
    for (const [name, item] of Object.entries(value)) result[name] = plain(item);
    return result;
  }
  if (typeof value === "bigint") return value.toString();
  return value as Json;
}

export function base64(text: string): string {
  return Buffer.from(text, "latin1").toString("base64");
}
