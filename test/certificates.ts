/** Certificates for tests, made on the spot: an authority, and leaves for servers and clients signed by it. */
import "./reflect-metadata.ts";
import { webcrypto } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// Not a static import: those of CommonJS are run before any other module, also before the polyfill.
const x509 = await import("@peculiar/x509");

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const LOCAL_NAMES = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
] as const;
const DAY_MS = 24 * 3600 * 1000;

export interface Leaf {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly serialNumber: string;
}

export interface Authority {
  /** PEM. */
  readonly cert: string;
  /**
   * A leaf with this common name, as server and as client, valid for localhost and the loopback addresses, or only
   * for the addresses that are given.
   */
  issue(commonName: string, addresses?: readonly string[]): Promise<Leaf>;
  /** A revocation list over these serial numbers, as PEM. */
  revoke(serialNumbers: readonly string[]): Promise<string>;
}

let serial = 1;
const nextSerial = (): string => (0x1000 + serial++).toString(16);

export async function makeAuthority(name = "test authority"): Promise<Authority> {
  const keys = await newKeys();
  const issuer = `CN=${name}`;
  const now = Date.now();
  const validity = { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + 30 * DAY_MS) };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: nextSerial(),
    name: issuer,
    ...validity,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
    ],
  });
  return {
    cert: root.toString("pem"),
    async issue(commonName, addresses) {
      const leafKeys = await newKeys();
      const serialNumber = nextSerial();
      const leaf = await x509.X509CertificateGenerator.create({
        serialNumber,
        subject: `CN=${commonName}`,
        issuer,
        ...validity,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [
          new x509.BasicConstraintsExtension(false),
          new x509.SubjectAlternativeNameExtension(
            addresses?.map((value) => ({ type: "ip", value })) ?? LOCAL_NAMES,
          ),
          new x509.ExtendedKeyUsageExtension([
            x509.ExtendedKeyUsage.serverAuth,
            x509.ExtendedKeyUsage.clientAuth,
          ]),
        ],
      });
      const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey);
      const key = x509.PemConverter.encode(pkcs8, "PRIVATE KEY");
      return { cert: leaf.toString("pem"), key, serialNumber };
    },
    async revoke(serialNumbers) {
      const list = await x509.X509CrlGenerator.create({
        issuer,
        thisUpdate: validity.notBefore,
        nextUpdate: validity.notAfter,
        // With a reason: an empty list of entry extensions is not accepted by every parser.
        entries: serialNumbers.map((serialNumber) => ({
          serialNumber,
          revocationDate: new Date(now - DAY_MS),
          reason: x509.X509CrlReason.keyCompromise,
        })),
        signingAlgorithm: ALGORITHM,
        signingKey: keys.privateKey,
      });
      return x509.PemConverter.encode(list.rawData, "X509 CRL");
    },
  };
}

async function newKeys(): Promise<CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return keys as unknown as CryptoKeyPair;
}

/** A directory of its own for certificate files. */
export class CertificateDirectory {
  readonly path = mkdtempSync(join(tmpdir(), "cairn-certificates-"));

  write(name: string, content: string): string {
    const path = join(this.path, name);
    writeFileSync(path, content);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
