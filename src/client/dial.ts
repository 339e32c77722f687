/**
 * Opens one socket to an endpoint, plain or TLS, and says in etcd's words why it could not. Called by
 * Connection only.
 */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Endpoint } from "./endpoint.ts";
import type { TlsOptions } from "./options.ts";

export interface DialListener {
  onOpen(socket: Socket): void;
  onFailure(text: string): void;
}

/** Starts dialing; the result destroys what is under way. Exactly one listener call follows, none after it. */
export function dial(
  endpoint: Endpoint,
  tls: TlsOptions | undefined,
  listener: DialListener,
): () => void {
  let done = false;
  const socket = endpoint.tls ? openTls(endpoint, tls ?? {}) : openPlain(endpoint);
  let handshaking = false;
  const fail = (text: string) => {
    if (done) return;
    done = true;
    socket.destroy();
    listener.onFailure(text);
  };
  if (endpoint.tls) socket.once("connect", () => (handshaking = true));
  socket.once(endpoint.tls ? "secureConnect" : "connect", () => {
    if (done) return;
    done = true;
    socket.off("error", onError);
    socket.off("close", onClose);
    socket.setNoDelay(true);
    listener.onOpen(socket);
  });
  const onError = (error: NodeJS.ErrnoException) => fail(failureText(endpoint, error, handshaking));
  const onClose = () => fail(failureText(endpoint, { code: "ECONNRESET" }, handshaking));
  socket.on("error", onError);
  socket.on("close", onClose);
  return () => {
    done = true;
    socket.on("error", () => {});
    socket.destroy();
  };
}

function openPlain(endpoint: Endpoint): Socket {
  if (endpoint.path !== "") return connectPlain({ path: endpoint.path });
  return connectPlain({ host: endpoint.host, port: endpoint.port });
}

function openTls(endpoint: Endpoint, tls: TlsOptions): Socket {
  const options: ConnectionOptions = {
    ALPNProtocols: ["h2"],
    rejectUnauthorized: !tls.skipVerify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
  };
  if (endpoint.path !== "") return connectTls({ ...options, path: endpoint.path });
  // A server name that is an address must not be sent (RFC 6066); the certificate is checked against `host`.
  const named = isIP(endpoint.host) ? {} : { servername: endpoint.host };
  return connectTls({ ...options, ...named, host: endpoint.host, port: endpoint.port });
}

/** A TLS alert that the other side sent, in Go's words; any other text as it is. */
export function alertText(message: string): string {
  const alert = /(?:TLSV1|SSLV3)_ALERT_([A-Z_]+)/.exec(message);
  if (alert === null) return message;
  return `remote error: tls: ${alert[1]!.toLowerCase().replaceAll("_", " ")}`;
}

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ENETUNREACH: "connect: network is unreachable",
  EHOSTUNREACH: "connect: no route to host",
  ETIMEDOUT: "connect: connection timed out",
  EACCES: "connect: permission denied",
  ENOENT: "connect: no such file or directory",
};

const CERTIFICATE_ERRORS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "certificate signed by unknown authority",
  DEPTH_ZERO_SELF_SIGNED_CERT: "certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "certificate has expired or is not yet valid",
};

function failureText(
  endpoint: Endpoint,
  error: { code?: string; message?: string },
  handshaking: boolean,
): string {
  const code = error.code ?? "";
  const certificate = CERTIFICATE_ERRORS[code];
  if (certificate !== undefined || code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const why = certificate ?? error.message;
    return `authentication handshake failed: tls: failed to verify certificate: x509: ${why}`;
  }
  if (handshaking) {
    const why = code === "ECONNRESET" ? "EOF" : alertText(error.message ?? code);
    return `authentication handshake failed: ${why}`;
  }
  const address =
    endpoint.path === "" ? `tcp ${endpoint.host}:${endpoint.port}` : `unix ${endpoint.path}`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return `Error while dialing: dial tcp: lookup ${endpoint.host}: no such host`;
  }
  return `Error while dialing: dial ${address}: ${SYSTEM_ERRORS[code] ?? error.message ?? code}`;
}
