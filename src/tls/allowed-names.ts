/**
 * --peer-cert-allowed-cn and --peer-cert-allowed-hostname: whose certificate is taken, beyond being signed by the
 * trusted CA. etcd asks both ends of a connection, so the one that dials checks as well as the one that accepts.
 */
import { checkServerIdentity, type PeerCertificate, type TLSSocket } from "node:tls";
import type { TlsFiles } from "./tls-options.ts";

/** etcd's texts, or null when the certificate may be used. */
export function certificateProblem(socket: TLSSocket, files: TlsFiles): string | null {
  const names = files.allowedCommonNames ?? [];
  const hosts = files.allowedHostnames ?? [];
  if (names.length === 0 && hosts.length === 0) return null;
  const certificate = socket.authorized ? socket.getPeerCertificate() : null;
  if (certificate?.subject === undefined) return REFUSED;
  const isAllowed =
    names.length > 0
      ? names.includes(String(certificate.subject.CN ?? ""))
      : hosts.some((host) => isValidFor(certificate, host));
  return isAllowed ? null : REFUSED;
}

const REFUSED = "client certificate authentication failed";

function isValidFor(certificate: PeerCertificate, host: string): boolean {
  return (
    certificate.subjectaltname !== undefined && checkServerIdentity(host, certificate) === undefined
  );
}
