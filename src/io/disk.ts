/**
 * The disk port. Reads and writes are positional and synchronous (they go to the page cache, microseconds);
 * syncing is asynchronous (milliseconds on a slow disk) with one synchronous twin for tools and start-up.
 * Every method throws DiskError on failure; whoever writes durable data treats that as fatal (design 1, row 12).
 */
export interface Disk {
  /** Opens a file; `create` makes it if missing (mode 0600), `exclusive` refuses an existing one. */
  open(path: string, options?: OpenOptions): DiskFile;
  exists(path: string): boolean;
  isDirectory(path: string): boolean;
  /** Names in a directory, sorted. */
  list(path: string): string[];
  /** Makes a directory and its missing parents, mode 0700. */
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes creations, renames and removals inside a directory durable. */
  syncDirectory(path: string): void;
}

export interface OpenOptions {
  create?: boolean;
  exclusive?: boolean;
  readOnly?: boolean;
}

export interface DiskFile {
  readonly path: string;
  /**
   * Reads up to `length` bytes at `position` into buffer[offset...]; returns how many (short only at the end of
   * the file).
   */
  readAt(buffer: Uint8Array, offset: number, length: number, position: number): number;
  /** Writes all `length` bytes of buffer[offset...] at `position`, or throws. */
  writeAt(buffer: Uint8Array, offset: number, length: number, position: number): void;
  /** Writes all buffers one after the other from `position` on, or throws. */
  writeManyAt(buffers: readonly Uint8Array[], position: number): void;
  /** fdatasync off the thread; `done` gets the error or null. A failure must never be retried (fsyncgate). */
  sync(done: (error: DiskError | null) => void): void;
  /** fdatasync, blocking. */
  syncNow(): void;
  sizeBytes(): number;
  truncate(sizeBytes: number): void;
  /**
   * Makes sure that bytes [0, sizeBytes) are allocated (zeros where never written) so that later syncs write no
   * metadata.
   */
  preallocate(sizeBytes: number): void;
  /** Takes an exclusive advisory lock held until close; false when another process has it. */
  tryLock(): boolean;
  /** Whether its path still leads to this file: false once it was removed, or another took its name. */
  isCurrent(): boolean;
  close(): void;
}

export class DiskError extends Error {
  override name = "DiskError";
  readonly operation: string;
  readonly path: string;
  /** The operating system's code such as ENOSPC, EIO, ENOENT; empty where there is none. */
  readonly code: string;
  constructor(operation: string, path: string, code: string, detail: string) {
    super(`${operation} ${path}: ${detail}`);
    this.operation = operation;
    this.path = path;
    this.code = code;
  }
}
