/**
 * The little of HTTP/1.1 that members speak among themselves: a request without a body, the head of its answer.
 * Pure; the limits are the callers'.
 */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case; of repeated fields the last one. */
  readonly headers: ReadonlyMap<string, string>;
  /** Where the body begins. */
  readonly bodyOffset: number;
}

export const HEAD_BYTES_MAX = 16 * 1024;

export function requestHead(
  path: string,
  host: string,
  fields: readonly (readonly [name: string, value: string])[],
): Uint8Array {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${lines.join("")}\r\n`, "latin1");
}

export function responseHead(
  status: string,
  fields: readonly (readonly [name: string, value: string])[],
  body = "",
): Uint8Array {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status}\r\n${lines.join("")}\r\n${body}`, "latin1");
}

/** Null while the head is not complete; a text when it is none. */
export function parseResponseHead(bytes: Uint8Array): ResponseHead | string | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES_MAX));
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) {
    if (bytes.length >= HEAD_BYTES_MAX) return "the answer's header section does not end";
    const begin = text.toString("latin1", 0, 5);
    return "HTTP/".startsWith(begin) ? null : "the answer is not HTTP";
  }
  const lines = text.toString("latin1", 0, end).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(lines[0]!);
  if (status === null) return "the answer is not HTTP/1.1";
  const headers = new Map<string, string>();
  for (let i = 1; i < lines.length; i++) {
    const colon = lines[i]!.indexOf(":");
    if (colon <= 0) return "the answer has a malformed header field";
    headers.set(lines[i]!.slice(0, colon).toLowerCase(), lines[i]!.slice(colon + 1).trim());
  }
  return { status: Number(status[1]), headers, bodyOffset: end + 4 };
}
