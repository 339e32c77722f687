/** Listen URLs, and addresses as Go writes them. */
import type { Socket } from "node:net";

export type ListenAddress =
  | { readonly kind: "tcp"; readonly tls: boolean; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly tls: boolean; readonly path: string };

/** Understands http, https, unix and unixs URLs. The path of a unix URL is everything after the scheme. */
export function parseListenUrl(url: string): ListenAddress {
  const unix = /^(unixs?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { kind: "unix", tls: unix[1] === "unixs", path: unix[2]! };
  const tcp = /^(https?):\/\/(\[[^\]]*\]|[^:/]*):(\d{1,5})\/?$/.exec(url);
  if (tcp === null || Number(tcp[3]) > 65_535) {
    throw new Error(`URL must be http(s)://host:port or unix(s)://path: ${url}`);
  }
  let host = tcp[2]!.startsWith("[") ? tcp[2]!.slice(1, -1) : tcp[2]!;
  // Go listens on one address of a name and prefers IPv4; others may resolve localhost to ::1 only.
  if (host === "localhost") host = "127.0.0.1";
  return { kind: "tcp", tls: tcp[1] === "https", host, port: Number(tcp[3]) };
}

/** host:port, [host]:port for IPv6, "@" for a unix socket. */
export function peerAddressOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return "@";
  return remoteAddress.includes(":")
    ? `[${remoteAddress}]:${remotePort}`
    : `${remoteAddress}:${remotePort}`;
}
