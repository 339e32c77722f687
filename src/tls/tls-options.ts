/**
 * What etcd's TLS flags ask for, read from the files into what a TLS server takes. A trusted CA file alone
 * already makes client certificates mandatory, as in etcd; --client-cert-auth without one trusts the system's
 * roots.
 */
import { readFileSync } from "node:fs";
import { rootCertificates, type SecureVersion } from "node:tls";
import { cipherList } from "./cipher-suites.ts";

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** "" for none. */
  readonly trustedCaFile?: string;
  readonly clientCertAuth?: boolean;
  /** PEM or DER; "" for none. */
  readonly crlFile?: string;
  /** Go's names; empty for the default. */
  readonly cipherSuites?: readonly string[];
  readonly minVersion?: "TLS1.2" | "TLS1.3";
  /** "" for the newest. */
  readonly maxVersion?: "" | "TLS1.2" | "TLS1.3";
  /** Whose certificates are taken (allowed-names.ts); at most one of the two is given. */
  readonly allowedCommonNames?: readonly string[];
  readonly allowedHostnames?: readonly string[];
  /** Certificates of clients must belong to the address that they come from (client-address.ts). */
  readonly checkClientAddress?: boolean;
  /** Presented on outgoing connections; "" for the same as the server's. */
  readonly clientCertFile?: string;
  readonly clientKeyFile?: string;
}

export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: (string | Buffer)[] | undefined;
  readonly crl: string | undefined;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly ciphers: string | undefined;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
}

/** The flags cannot be used: a message for the operator. */
export class TlsConfigError extends Error {
  override name = "TlsConfigError";
}

/** The files whose change asks for rereading. */
export function tlsFileNames(files: TlsFiles): string[] {
  return [files.certFile, files.keyFile, files.trustedCaFile ?? "", files.crlFile ?? ""].filter(
    (name) => name !== "",
  );
}

/** Reads and checks everything; throws TlsConfigError. */
export function readTlsMaterial(files: TlsFiles): TlsMaterial {
  const minVersion = files.minVersion ?? "TLS1.2";
  const maxVersion = files.maxVersion || "TLS1.3";
  if (minVersion > maxVersion) {
    throw new TlsConfigError(
      `min version (${minVersion}) is greater than max version (${maxVersion})`,
    );
  }
  const suites = files.cipherSuites ?? [];
  if (suites.length > 0 && minVersion === "TLS1.3") {
    throw new TlsConfigError("cipher suites cannot be configured when only TLS1.3 is enabled");
  }
  const list = cipherList(suites);
  if ("error" in list) throw new TlsConfigError(list.error);
  // Only looked at, so that a missing file is known at the start and not at the first connection.
  for (const file of [files.clientCertFile, files.clientKeyFile]) if (file) readPem(file);
  const trustedCa = files.trustedCaFile ? readPem(files.trustedCaFile) : null;
  const requestCert = trustedCa !== null || files.clientCertAuth === true;
  return {
    cert: readPem(files.certFile),
    key: readPem(files.keyFile),
    ca: trustedCa !== null ? [trustedCa] : requestCert ? [...rootCertificates] : undefined,
    crl: files.crlFile ? crlPem(readBytes(files.crlFile)) : undefined,
    requestCert,
    rejectUnauthorized: requestCert,
    ciphers: list.ciphers === "" ? undefined : list.ciphers,
    minVersion: secureVersion(minVersion),
    maxVersion: secureVersion(maxVersion),
  };
}

function secureVersion(version: "TLS1.2" | "TLS1.3"): SecureVersion {
  return version === "TLS1.3" ? "TLSv1.3" : "TLSv1.2";
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === "ENOENT" ? "no such file or directory" : String(code);
    throw new TlsConfigError(`open ${path}: ${reason}`);
  }
}

export function readPem(path: string): Buffer {
  const bytes = readBytes(path);
  if (!bytes.includes("-----BEGIN ")) throw new TlsConfigError(`no PEM data in ${path}`);
  return bytes;
}

/** etcd takes a revocation list as DER or PEM; the TLS library takes PEM. */
function crlPem(bytes: Buffer): string {
  if (bytes.includes("-----BEGIN ")) return bytes.toString("latin1");
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN X509 CRL-----\n${lines.join("\n")}\n-----END X509 CRL-----\n`;
}
