/** Certificates for members under test, from one authority unless another is given; made and removed with the file. */
import { afterAll, beforeAll } from "bun:test";
import { type Authority, CertificateDirectory, makeAuthority } from "../../../test/certificates.ts";
import type { TlsFiles } from "../../tls/index.ts";

export interface TestIdentities {
  readonly directory: CertificateDirectory;
  readonly authority: Authority;
  /** What a member of this name is started with. */
  identity(name: string, signer?: Authority): Promise<TlsFiles>;
}

export function useTestIdentities(): TestIdentities {
  const directory = new CertificateDirectory();
  let authority: Authority;
  beforeAll(async () => {
    authority = await makeAuthority();
  });
  afterAll(() => directory.remove());
  return {
    directory,
    get authority() {
      return authority;
    },
    async identity(name, signer = authority) {
      const leaf = await signer.issue(name);
      const prefix = `${name}-${leaf.serialNumber}`;
      return {
        certFile: directory.write(`${prefix}.pem`, leaf.cert),
        keyFile: directory.write(`${prefix}.key`, leaf.key),
        trustedCaFile: directory.write(`${prefix}-ca.pem`, signer.cert),
        clientCertAuth: true,
      };
    },
  };
}
