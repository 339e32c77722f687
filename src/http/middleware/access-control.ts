/**
 * What etcd does to every HTTP request before routing: refuse hosts that are not on the list (plain HTTP only, a
 * defence against DNS rebinding), refuse gateway calls whose certificate names a user, answer OPTIONS, add
 * the CORS headers.
 */
import type { ConnectionInfo } from "../json/index.ts";
import { sizedResponse } from "../sized-response.ts";

export interface AccessOptions {
  /** Allowed origins; "*" allows every one, an empty list none. */
  readonly corsOrigins: readonly string[];
  /** Allowed host names; "*" or an empty list allow every one. */
  readonly hostWhitelist: readonly string[];
  /** Whether calls are authenticated by client certificates and authentication is on. */
  readonly certificateNamesCount: () => boolean;
}

const METHODS = "POST, GET, OPTIONS, PUT, DELETE";
const HEADERS = "accept, content-type, authorization";

export class AccessControl {
  readonly #origins: ReadonlySet<string>;
  readonly #hosts: ReadonlySet<string>;
  readonly #certificateNamesCount: () => boolean;

  constructor(options: AccessOptions) {
    this.#origins = new Set(options.corsOrigins);
    this.#hosts = new Set(options.hostWhitelist);
    this.#certificateNamesCount = options.certificateNamesCount;
  }

  /** The answer to a request that goes no further, without CORS headers; null for all others. */
  refuse(request: Request, path: string, info: ConnectionInfo): Response | null {
    if (!info.isTls) {
      const host = hostName(request.headers.get("host") ?? "");
      if (this.#isHostAllowed(host)) return null;
      return sizedResponse(`${misdirectedText(host)}\n`, 421, TEXT_HEADERS);
    }
    const isGateway = path.startsWith("/v3/");
    if (!isGateway || info.peerName === "" || !this.#certificateNamesCount()) return null;
    const text =
      "CommonName of client sending a request against gateway will be ignored and not used as expected\n";
    return sizedResponse(text, 400, TEXT_HEADERS);
  }

  addCorsHeaders(request: Request, headers: Headers): void {
    let origin = "*";
    if (!this.#origins.has("*")) {
      origin = request.headers.get("origin") ?? "";
      if (origin === "" || !this.#origins.has(origin)) return;
    }
    headers.set("Access-Control-Allow-Methods", METHODS);
    headers.set("Access-Control-Allow-Origin", origin);
    headers.set("Access-Control-Allow-Headers", HEADERS);
  }

  #isHostAllowed(host: string): boolean {
    return this.#hosts.size === 0 || this.#hosts.has("*") || this.#hosts.has(host);
  }
}

/** Headers of every plain text answer. */
export const TEXT_HEADERS = {
  "Content-Type": "text/plain; charset=utf-8",
  "X-Content-Type-Options": "nosniff",
};

/** The Host header without its port. */
function hostName(host: string): string {
  const bracketed = /^\[(.*)\](?::[0-9]*)?$/.exec(host);
  if (bracketed !== null) return bracketed[1]!;
  return /^[^:]*:[0-9]*$/.test(host) ? host.slice(0, host.indexOf(":")) : host;
}

function misdirectedText(host: string): string {
  return (
    `The Host header "${host}" is not one this member answers to over plain HTTP.\n` +
    "Use TLS, which needs no such list, or add the name to --host-whitelist.\n" +
    "(The check protects browsers' users from DNS rebinding, CVE-2018-5702.)"
  );
}
