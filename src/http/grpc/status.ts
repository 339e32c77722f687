/** gRPC's way of saying how a call ended: status code, percent-encoded message, and Go's quoting in its texts. */
import { utf8 } from "../../base/bytes.ts";

export const GRPC_CONTENT_TYPE = "application/grpc";

/** Trailers after headers were sent. */
export function statusTrailers(code: number, message: string): string[] {
  return ["grpc-status", String(code), "grpc-message", percentEncode(message)];
}

/** The whole answer in one header block. */
export function trailersOnly(
  httpStatus: number,
  contentType: string,
  code: number,
  message: string,
): string[] {
  const head = [":status", String(httpStatus), "content-type", contentType];
  return head.concat(statusTrailers(code, message));
}

const HEX = "0123456789ABCDEF";

/** grpc-message: bytes of UTF-8 outside of printable ASCII, and the percent sign, as %XX. */
export function percentEncode(text: string): string {
  if (/^[ -$&-~]*$/.test(text)) return text;
  let encoded = "";
  for (const byte of utf8(text)) {
    if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) encoded += String.fromCharCode(byte);
    else encoded += `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return encoded;
}

/** Go's %q for a string of Latin-1 characters, one per byte. */
export function goQuote(text: string): string {
  let quoted = '"';
  for (const character of Buffer.from(text, "latin1").toString("utf8")) {
    const code = character.codePointAt(0)!;
    if (character === '"' || character === "\\") quoted += `\\${character}`;
    else if (character === "\t") quoted += "\\t";
    else if (code < 0x20 || code === 0x7f) quoted += `\\x${code.toString(16).padStart(2, "0")}`;
    else quoted += character;
  }
  return `${quoted}"`;
}
