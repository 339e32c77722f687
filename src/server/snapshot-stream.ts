/**
 * The snapshot RPC: the database file as of one committed transaction in blobs of 32 KiB, then the SHA-256 of all of
 * them. Nothing is read before the client took what was sent.
 */
import type { SnapshotResponseInit, StreamCall } from "../api/index.ts";
import { STORAGE_VERSION } from "../base/version.ts";
import type { Database, DatabaseSnapshot } from "../database/index.ts";
import type { Clock, Digest, Logger, NewDigest } from "../io/index.ts";
import type { Background } from "./background.ts";

const BLOB_BYTES = 32 * 1024;

export interface SnapshotStreamParts {
  readonly database: Database;
  readonly background: Background;
  readonly newDigest: NewDigest;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function streamSnapshot(
  parts: SnapshotStreamParts,
  call: StreamCall<SnapshotResponseInit>,
): void {
  parts.database.commit(() => {
    if (call.aborted) return;
    new SnapshotStreaming(parts, call).start();
  });
}

class SnapshotStreaming {
  readonly #parts: SnapshotStreamParts;
  readonly #call: StreamCall<SnapshotResponseInit>;
  readonly #snapshot: DatabaseSnapshot;
  readonly #digest: Digest;
  readonly #startMs: number;
  readonly #task = () => this.#step();
  #closed = false;

  constructor(parts: SnapshotStreamParts, call: StreamCall<SnapshotResponseInit>) {
    this.#parts = parts;
    this.#call = call;
    this.#snapshot = parts.database.openSnapshot();
    this.#digest = parts.newDigest("sha256");
    this.#startMs = parts.clock.monotonicMs();
    call.onAbort(() => this.#close());
  }

  start(): void {
    this.#parts.logger.info("sending database snapshot to client", {
      "total-bytes": this.#snapshot.totalBytes,
    });
    this.#parts.background.add(this.#task);
  }

  /** Sends one blob; true to be called again. */
  #step(): boolean {
    if (this.#closed) return false;
    const blob = new Uint8Array(Math.min(BLOB_BYTES, this.#snapshot.remainingBytes));
    this.#snapshot.read(blob);
    this.#digest.update(blob);
    const remaining_bytes = this.#snapshot.remainingBytes;
    const accepted = this.#call.send({ remaining_bytes, blob, version: STORAGE_VERSION });
    if (remaining_bytes === 0) {
      this.#finish();
      return false;
    }
    if (!accepted) this.#call.onDrain(() => this.#parts.background.add(this.#task));
    return accepted;
  }

  #finish(): void {
    const total = this.#snapshot.totalBytes;
    this.#call.send({ remaining_bytes: 0, blob: this.#digest.finish(), version: STORAGE_VERSION });
    this.#call.end();
    this.#close();
    this.#parts.logger.info("successfully sent database snapshot to client", {
      "total-bytes": total,
      took: `${(this.#parts.clock.monotonicMs() - this.#startMs).toFixed(3)}ms`,
    });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#snapshot.close();
  }
}
