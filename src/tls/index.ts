/** Door of the TLS layer. */
export { CertificateReload } from "./certificate-reload.ts";
export { cipherList } from "./cipher-suites.ts";
export { clientName } from "./client-identity.ts";
export type { TlsFiles, TlsMaterial } from "./tls-options.ts";
export { readTlsMaterial, TlsConfigError } from "./tls-options.ts";
