/** Who a client is by its certificate: the common name of the leaf of a chain that the handshake verified. */
import type { TLSSocket } from "node:tls";

/** "" without a verified certificate. */
export function clientName(socket: TLSSocket): string {
  if (!socket.authorized) return "";
  const name = socket.getPeerCertificate()?.subject?.CN;
  return typeof name === "string" ? name : "";
}
