/**
 * Asks the peer port of another member for a page (/members, /version), with this member's TLS identity: how a
 * member that joins learns whom it joins, before it has a transport. One request, one connection.
 */
import { concatBytes } from "../base/bytes.ts";
import type { TlsFiles } from "../tls/index.ts";
import { dialWith } from "./dial.ts";
import { parseResponseHead, type ResponseHead, requestHead } from "./http-head.ts";
import { DialFailure, type PeerSocket } from "./peer-socket.ts";
import { hostField, parsePeerUrl } from "./peer-url.ts";

export interface PeerPage {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface PeerPageFailure {
  readonly error: string;
}

const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export function fetchPeerPage(
  url: string,
  path: string,
  tlsFiles: TlsFiles | undefined,
  timeoutMs: number,
): Promise<PeerPage | PeerPageFailure> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    dialWith(tlsFiles)(url, timeoutMs, (outcome) => {
      if (outcome instanceof DialFailure) resolve({ error: outcome.reason });
      else ask(outcome, url, path, timeoutMs - (performance.now() - startMs), resolve);
    });
  });
}

function ask(
  socket: PeerSocket,
  url: string,
  path: string,
  timeoutMs: number,
  resolve: (outcome: PeerPage | PeerPageFailure) => void,
): void {
  let received: Uint8Array = new Uint8Array(0);
  const settle = (outcome: PeerPage | PeerPageFailure): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve(outcome);
  };
  const fail = (reason: string): void => settle({ error: `GET ${url}${path}: ${reason}` });
  const timer = setTimeout(() => fail("i/o timeout"), Math.max(timeoutMs, 0));
  const look = (isEnd: boolean): void => {
    const head = parseResponseHead(received);
    if (typeof head === "string") fail(head);
    else if (head !== null) {
      const body = bodyOf(head, received.subarray(head.bodyOffset), isEnd);
      if (typeof body === "string") settle({ status: head.status, headers: head.headers, body });
      else if (body !== null) fail(body.error);
      else if (isEnd) fail("connection closed within the answer");
    } else if (isEnd) fail("connection closed without an answer");
  };
  socket.on("data", (chunk) => {
    received = concatBytes([received, chunk]);
    if (received.length > PAGE_BYTES_MAX) fail(`the answer is longer than ${PAGE_BYTES_MAX} bytes`);
    else look(false);
  });
  socket.on("close", () => look(true));
  socket.on("error", (error) => fail(error.message));
  const target = parsePeerUrl(url);
  socket.write(
    requestHead(path, target === null ? "" : hostField(target), [["Connection", "close"]]),
  );
}

/** The whole body as text; null while there is more to come. */
function bodyOf(
  { headers }: ResponseHead,
  bytes: Uint8Array,
  isEnd: boolean,
): string | PeerPageFailure | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return unchunked(buffer);
  const length = headers.get("content-length");
  if (length === undefined) return isEnd ? buffer.toString() : null;
  if (!/^\d{1,9}$/.test(length)) return { error: `content length ${length}` };
  return buffer.length < Number(length) ? null : buffer.toString("utf8", 0, Number(length));
}

function unchunked(buffer: Buffer): string | PeerPageFailure | null {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = buffer.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = /^([0-9a-fA-F]{1,7})(?:;.*)?$/.exec(buffer.toString("latin1", at, lineEnd));
    if (size === null) return { error: "malformed chunk" };
    const bytes = Number.parseInt(size[1]!, 16);
    if (bytes === 0) return Buffer.concat(parts).toString();
    const begin = lineEnd + 2;
    if (buffer.length < begin + bytes + 2) return null;
    parts.push(buffer.subarray(begin, begin + bytes));
    at = begin + bytes + 2;
  }
}
