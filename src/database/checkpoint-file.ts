/**
 * SHELL: the file of the index checkpoint. Written under another name, synced, then renamed over
 * the old one, so that there is always a whole one or none. Losing it costs time only, so a failed
 * write gives the attempt up and says so; the database itself is not concerned.
 */
import { type Disk, DiskError, type DiskFile } from "../io/index.ts";

const TEMPORARY_SUFFIX = ".tmp";
const WRITE_BYTES = 1 << 20;

export class CheckpointFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #file: DiskFile;
  #position = 0;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #failure: DiskError | null = null;

  /** Opens the finished checkpoint for reading, if there is one; the caller closes it. */
  static open(disk: Disk, path: string): DiskFile | undefined {
    return disk.exists(path) ? disk.open(path, { readOnly: true }) : undefined;
  }

  /** Begins a new one. Throws DiskError. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#file = disk.open(path + TEMPORARY_SUFFIX, { create: true });
    this.#file.truncate(0);
  }

  /** Takes a copy of the bytes. */
  write(bytes: Uint8Array): void {
    this.#pending.push(bytes.slice());
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= WRITE_BYTES) this.#flush();
  }

  /** Makes what was written the checkpoint; `done` gets the error or null. */
  finish(done: (error: DiskError | null) => void): void {
    this.#flush();
    if (this.#failure !== null) {
      this.#end(this.#failure, done);
      return;
    }
    this.#file.sync((error) => this.#end(error ?? this.#rename(), done));
  }

  /** The same, blocking. */
  finishNow(): DiskError | null {
    this.#flush();
    const error = this.#failure ?? attempt(() => this.#file.syncNow()) ?? this.#rename();
    let result: DiskError | null = null;
    this.#end(error, (ended) => {
      result = ended;
    });
    return result;
  }

  /** Throws the attempt away; the old checkpoint stays. */
  abandon(): void {
    this.#end(null, () => {});
    attempt(() => this.#disk.remove(this.#path + TEMPORARY_SUFFIX));
  }

  #flush(): void {
    const buffers = this.#pending;
    this.#pending = [];
    const bytes = this.#pendingBytes;
    this.#pendingBytes = 0;
    if (this.#failure !== null || bytes === 0) return;
    this.#failure = attempt(() => this.#file.writeManyAt(buffers, this.#position));
    this.#position += bytes;
  }

  #rename(): DiskError | null {
    const directory = this.#path.slice(0, Math.max(this.#path.lastIndexOf("/"), 0)) || ".";
    return attempt(() => {
      this.#disk.rename(this.#path + TEMPORARY_SUFFIX, this.#path);
      this.#disk.syncDirectory(directory);
    });
  }

  #end(error: DiskError | null, done: (error: DiskError | null) => void): void {
    const closing = attempt(() => this.#file.close());
    done(error ?? closing);
  }
}

function attempt(action: () => void): DiskError | null {
  try {
    action();
    return null;
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}
