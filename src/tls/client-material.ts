/**
 * The other side of the same flags: what a member presents and trusts when it opens a connection to another member.
 * The files are read for every connection, so a rotated certificate is used from the next one on.
 */
import { rootCertificates, type SecureVersion } from "node:tls";
import { readPem, readTlsMaterial, type TlsFiles } from "./tls-options.ts";

export interface TlsClientMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: (string | Buffer)[];
  readonly ciphers: string | undefined;
  readonly minVersion: SecureVersion;
  readonly maxVersion: SecureVersion;
}

/** Throws TlsConfigError. Without a trusted CA file the system's roots are trusted, as in etcd. */
export function readTlsClientMaterial(files: TlsFiles): TlsClientMaterial {
  const { cert, key, ca, ciphers, minVersion, maxVersion } = readTlsMaterial(files);
  const own = files.clientCertFile ? readPem(files.clientCertFile) : cert;
  const ownKey = files.clientKeyFile ? readPem(files.clientKeyFile) : key;
  return {
    cert: own,
    key: ownKey,
    ca: ca ?? [...rootCertificates],
    ciphers,
    minVersion,
    maxVersion,
  };
}
