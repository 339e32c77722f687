/** Door of the TLS layer. */
export { certificateProblem } from "./allowed-names.ts";
export { CertificateReload } from "./certificate-reload.ts";
export { cipherList } from "./cipher-suites.ts";
export { clientAddressProblem } from "./client-address.ts";
export { clientName } from "./client-identity.ts";
export type { TlsClientMaterial } from "./client-material.ts";
export { readTlsClientMaterial } from "./client-material.ts";
export type { TlsFiles, TlsMaterial } from "./tls-options.ts";
export { readTlsMaterial, TlsConfigError } from "./tls-options.ts";
