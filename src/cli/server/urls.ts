/** URLs as etcd takes them in its flags, with the refusals of etcd and of Go's URL parser. */
import { goQuoteText } from "../output/go-quote.ts";

export interface FlagUrl {
  /** As given, without surrounding spaces. */
  readonly text: string;
  readonly scheme: "http" | "https" | "unix" | "unixs";
  /** Without brackets; "" for unix sockets. */
  readonly host: string;
  readonly port: string;
}

/** The parts of one URL, or why it is none. */
export function parseFlagUrl(given: string): FlagUrl | { failure: string } {
  const text = given.trim();
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*(?=:)/.exec(text)?.[0].toLowerCase();
  if (scheme === undefined) return { failure: withoutScheme(text) };
  if (scheme === "unix" || scheme === "unixs") return { text, scheme, host: "", port: "" };
  if (scheme !== "http" && scheme !== "https") return { failure: wrongScheme(text) };
  const [, authority, path] = /^[^:]*:(?:\/\/([^/?#]*))?([^?#]*)/.exec(text) as string[];
  const address = (authority ?? "").replace(/^.*@/, "");
  const port = /:([^:\]]*)$/.exec(address)?.[1];
  if (port !== undefined && !/^\d*$/.test(port)) {
    return { failure: `parse ${goQuoteText(text)}: invalid port ":${port}" after host` };
  }
  const host = /^(?:\[([^\]]*)\]|([^:[\]]*)):\d*$/.exec(address);
  if (host === null) {
    return { failure: `URL address does not have the form "host:port": ${text}` };
  }
  if (path !== "") return { failure: `URL must not contain a path: ${text}` };
  return { text, scheme, host: host[1] ?? host[2] ?? "", port: port ?? "" };
}

function withoutScheme(text: string): string {
  if (text.startsWith(":")) return `parse ${goQuoteText(text)}: missing protocol scheme`;
  if (!text.startsWith("/") && text.split("/")[0]!.includes(":")) {
    return `parse ${goQuoteText(text)}: first path segment in URL cannot contain colon`;
  }
  return wrongScheme(text);
}

function wrongScheme(text: string): string {
  return `URL scheme must be http, https, unix, or unixs: ${text}`;
}

/** Why a comma list of URLs is refused, or null. */
export function urlListFailure(list: string): string | null {
  for (const part of list.split(",")) {
    const url = parseFlagUrl(part);
    if ("failure" in url) return url.failure;
  }
  return null;
}

export function isSecureUrl(text: string): boolean {
  return text.startsWith("https:") || text.startsWith("unixs:");
}

/** Whether a listener can be bound to it: an address, localhost or a unix socket. */
export function isBindable(text: string): boolean {
  const url = parseFlagUrl(text);
  if ("failure" in url) return false;
  if (url.scheme.startsWith("unix") || url.host === "localhost") return true;
  return /^\d+\.\d+\.\d+\.\d+$/.test(url.host) || url.host.includes(":");
}
