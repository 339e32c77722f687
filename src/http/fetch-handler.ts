/** What serves everything that is not gRPC: the shape of Hono's fetch, with facts about the connection. */
export interface RequestInfo {
  readonly peerAddress: string;
  /** Common name of the verified client certificate, or "". */
  readonly peerName: string;
  readonly isTls: boolean;
  readonly httpVersion: "1.1" | "2";
}

export type FetchHandler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

/** Fields that belong to one connection and must not be passed on (RFC 9110, 7.6.1). */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

export function isConnectionField(name: string): boolean {
  return CONNECTION_FIELDS.has(name);
}

/** The request's URL, or null if its target is none. Strange authorities are not the handler's business. */
export function requestUrl(scheme: string, authority: string, target: string): string | null {
  if (!target.startsWith("/")) return null;
  for (const host of [authority, "localhost"]) {
    const url = `${scheme}://${host}${target}`;
    if (host !== "" && URL.canParse(url)) return url;
  }
  return null;
}

/** Shorter answers are always kept until they are read. */
export const SMALL_ANSWER_BYTES = 32 * 1024;

/** The body's size where the response says it; streams do not. */
export function announcedBytes(response: Response): number {
  return Number(response.headers.get("content-length") ?? 0);
}
