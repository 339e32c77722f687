/** Peer URLs as members advertise them: http and https with host and port, unix and unixs with a path. */
export interface PeerTarget {
  readonly isTls: boolean;
  /** Without brackets; "" for unix sockets. */
  readonly host: string;
  readonly port: number;
  /** Of a unix socket; else "". */
  readonly path: string;
}

/** Null when it is none. */
export function parsePeerUrl(url: string): PeerTarget | null {
  const unix = /^(unixs?):\/\/(.+)$/.exec(url);
  if (unix !== null) return { isTls: unix[1] === "unixs", host: "", port: 0, path: unix[2]! };
  const tcp = /^(https?):\/\/(?:\[([^\]/]+)\]|([^:/?#@[\]]+))(?::(\d{1,5}))?\/?$/.exec(url);
  if (tcp === null) return null;
  const isTls = tcp[1] === "https";
  const port = tcp[4] === undefined ? (isTls ? 443 : 80) : Number(tcp[4]);
  if (port === 0 || port > 65_535) return null;
  return { isTls, host: tcp[2] ?? tcp[3]!, port, path: "" };
}

/** For the Host field. */
export function hostField(target: PeerTarget): string {
  if (target.host === "") return "localhost";
  return target.host.includes(":")
    ? `[${target.host}]:${target.port}`
    : `${target.host}:${target.port}`;
}
