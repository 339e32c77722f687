/**
 * Watches the files behind a TLS listener and rereads them when one changes, so that certificates are rotated without
 * a restart. etcd reads them at every handshake; here a look at their times once a second does it. Files that
 * cannot be read or do not fit together (a rotation half done) leave the last good ones in use.
 */
import { statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Clock, Logger, Timer } from "../io/index.ts";
import { readTlsMaterial, type TlsFiles, type TlsMaterial, tlsFileNames } from "./tls-options.ts";

const CHECK_INTERVAL_MS = 1000;

export class CertificateReload {
  readonly #files: TlsFiles;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #apply: (material: TlsMaterial) => void;
  #stamp: string;
  #timer: Timer | null = null;

  constructor(
    files: TlsFiles,
    clock: Clock,
    logger: Logger,
    apply: (material: TlsMaterial) => void,
  ) {
    this.#files = files;
    this.#clock = clock;
    this.#logger = logger;
    this.#apply = apply;
    this.#stamp = stampOf(files);
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** Looks at the files now. */
  check(): void {
    const stamp = stampOf(this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      const material = readTlsMaterial(this.#files);
      // Fails here, and not in the next handshake, if key and certificate do not belong together.
      createSecureContext({ key: material.key, cert: material.cert, ca: material.ca });
      this.#apply(material);
      this.#logger.info("reloaded TLS certificates", { "cert-file": this.#files.certFile });
    } catch (error) {
      this.#logger.warn("failed to reload TLS certificates, keeping the previous ones", {
        "cert-file": this.#files.certFile,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(CHECK_INTERVAL_MS, () => {
      this.check();
      this.#arm();
    });
  }
}

/** Changes whenever a file is replaced or rewritten. */
function stampOf(files: TlsFiles): string {
  return tlsFileNames(files)
    .map((name) => {
      const stat = statSync(name, { throwIfNoEntry: false });
      return stat === undefined ? "-" : `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    })
    .join("|");
}
