/**
 * Where one member listens, as a user names it: host:port, http://, https://, unix://path or unixs://path.
 * Without a scheme, TLS is used exactly when any TLS option was given, as etcd's client does. A missing port
 * becomes 2379.
 */
const CLIENT_PORT = 2379;
const PORT_MAX = 65535;

export interface Endpoint {
  /** As the user wrote it; shown in outputs. */
  readonly name: string;
  readonly tls: boolean;
  /** Host and port, or the path of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** What goes into :authority and error texts. */
  readonly authority: string;
}

export type EndpointResult = { endpoint: Endpoint } | { failure: string };

export function parseEndpoint(name: string, tlsConfigured: boolean): EndpointResult {
  const unix = /^(unixs?):(?:\/\/)?(.*)$/.exec(name);
  if (unix) {
    const path = unix[2]!;
    if (path === "") return { failure: `dial unix: missing address in ${name}` };
    const tls = unix[1] === "unixs";
    return { endpoint: { name, tls, host: "", port: 0, path, authority: "localhost" } };
  }
  const url = /^(https?):\/\/([^/]*)/.exec(name);
  const address = url ? url[2]! : name;
  const tls = url ? url[1] === "https" : tlsConfigured;
  const parts = splitAddress(address);
  if (parts === null) return { failure: `dial tcp: address ${address}: unknown port` };
  const authority = address === "" ? "localhost" : address;
  return { endpoint: { name, tls, host: parts.host, port: parts.port, path: "", authority } };
}

function splitAddress(address: string): { host: string; port: number } | null {
  const match = /^(?:\[([^\]]+)\]|([^:/[\]]*))(?::([0-9]+))?$/.exec(address);
  if (!match) return null;
  const port = match[3] === undefined ? CLIENT_PORT : Number(match[3]);
  if (port > PORT_MAX) return null;
  return { host: match[1] ?? (match[2] || "localhost"), port };
}
