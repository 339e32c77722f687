/** Opens one plain or TLS socket to an endpoint; the promise fails with a text fit for a user. */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Endpoint, TlsOptions } from "../../../client/index.ts";

export function openSocket(
  endpoint: Endpoint,
  tls: TlsOptions | undefined,
  timeoutMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = endpoint.tls ? openTls(endpoint, tls ?? {}) : openPlain(endpoint);
    const fail = (why: string) => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`cannot connect to ${endpoint.name}: ${why}`));
    };
    const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
    const onError = (error: Error) => fail(error.message);
    const onClose = () => fail("the server closed the connection");
    socket.once("error", onError);
    socket.once("close", onClose);
    socket.once(endpoint.tls ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", onError);
      socket.off("close", onClose);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function openPlain(endpoint: Endpoint): Socket {
  if (endpoint.path !== "") return connectPlain({ path: endpoint.path });
  return connectPlain({ host: endpoint.host, port: endpoint.port });
}

function openTls(endpoint: Endpoint, tls: TlsOptions): TLSSocket {
  const options = {
    ALPNProtocols: ["h2"],
    rejectUnauthorized: !tls.skipVerify,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
  };
  if (endpoint.path !== "") return connectTls({ ...options, path: endpoint.path });
  // An address is no server name (RFC 6066).
  const named = isIP(endpoint.host) ? {} : { servername: endpoint.host };
  return connectTls({ ...options, ...named, host: endpoint.host, port: endpoint.port });
}
