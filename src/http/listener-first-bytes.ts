/**
 * What a new connection speaks, by its first bytes: HTTP/2 begins with its preface; an HTTP/1.1 request for the path
 * of a protocol of our own is an upgrade, and is read here to the end of its header section (node:http would have to
 * give the connection back); anything else is HTTP/1.1. Pure.
 */
import type { Socket } from "node:net";
import { CLIENT_PREFACE } from "./http2/index.ts";

/** Takes connections over from the listener. */
export interface UpgradeHandler {
  /** Requests for exactly this path are upgrades. */
  readonly path: string;
  /** `head` is what came behind the header section. Whoever accepts answers, or ends the connection. */
  accept(request: UpgradeRequest, socket: Socket, head: Uint8Array): void;
}

export interface UpgradeRequest {
  /** Names in lower case; of repeated fields the last one. */
  readonly headers: ReadonlyMap<string, string>;
  readonly peerAddress: string;
}

export type FirstBytes = "more" | "http1" | "http2" | Upgrade;

interface Upgrade {
  readonly headers: ReadonlyMap<string, string>;
  readonly bodyOffset: number;
}

const PREFACE_BYTES = Buffer.from(CLIENT_PREFACE, "latin1");
const HEADER_SECTION_BYTES_MAX = 16 * 1024;

export function protocolOf(seen: Buffer, upgradePath: string | null): FirstBytes {
  const isPreface = beginsAs(seen, PREFACE_BYTES);
  if (isPreface) return seen.length < PREFACE_BYTES.length ? "more" : "http2";
  if (upgradePath === null) return "http1";
  const requestLine = Buffer.from(`GET ${upgradePath} HTTP/1.1\r\n`, "latin1");
  if (!beginsAs(seen, requestLine)) return "http1";
  const end = seen.subarray(0, HEADER_SECTION_BYTES_MAX).indexOf("\r\n\r\n");
  if (end < 0) return seen.length < HEADER_SECTION_BYTES_MAX ? "more" : "http1";
  const headers = headersOf(
    seen.toString("latin1", requestLine.length, Math.max(end, requestLine.length)),
  );
  return headers === null ? "http1" : { headers, bodyOffset: end + 4 };
}

/** As far as there are bytes. */
function beginsAs(seen: Buffer, expected: Buffer): boolean {
  const count = Math.min(seen.length, expected.length);
  return seen.compare(expected, 0, count, 0, count) === 0;
}

/** Null where a line is no field; node:http then says what it thinks of it. */
function headersOf(text: string): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (const line of text === "" ? [] : text.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) return null;
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return headers;
}
