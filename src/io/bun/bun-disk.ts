/**
 * The real disk: positional synchronous reads and writes, asynchronous fdatasync on the runtime's thread pool.
 * flock and fallocate come from libc where it can be loaded; without it files are preallocated by writing
 * zeros, and a lock is held only within this process.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import type { Disk, DiskFile, OpenOptions } from "../disk.ts";
import { DiskError } from "../disk.ts";
import { libc } from "./libc.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const ZERO_CHUNK_BYTES = 1 << 20;
const WRITE_BUFFERS_MAX = 512; // below IOV_MAX (1024) on every system

function wrap(operation: string, path: string, cause: unknown): DiskError {
  const error = cause as { code?: string; message?: string };
  return new DiskError(operation, path, error.code ?? "", error.message ?? String(cause));
}

function attempt<T>(operation: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw cause instanceof DiskError ? cause : wrap(operation, path, cause);
  }
}

export class BunDisk implements Disk {
  open(path: string, options: OpenOptions = {}): DiskFile {
    return attempt("open", path, () => {
      let flags = options.readOnly ? fs.constants.O_RDONLY : fs.constants.O_RDWR;
      if (options.create) flags |= fs.constants.O_CREAT;
      if (options.exclusive) flags |= fs.constants.O_EXCL;
      return new BunDiskFile(path, fs.openSync(path, flags, FILE_MODE));
    });
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  isDirectory(path: string): boolean {
    return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  list(path: string): string[] {
    return attempt("list", path, () => fs.readdirSync(path).sort());
  }

  makeDirectory(path: string): void {
    attempt("mkdir", path, () => fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE }));
  }

  rename(from: string, to: string): void {
    attempt("rename", from, () => fs.renameSync(from, to));
  }

  remove(path: string): void {
    attempt("remove", path, () => fs.rmSync(path, { recursive: true }));
  }

  syncDirectory(path: string): void {
    if (process.platform === "win32") return; // directories cannot be opened there; NTFS journals names
    attempt("sync", path, () => {
      const descriptor = fs.openSync(path, fs.constants.O_RDONLY);
      try {
        fs.fsyncSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    });
  }
}

class BunDiskFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  readAt(buffer: Uint8Array, offset: number, length: number, position: number): number {
    try {
      let done = 0;
      while (done < length) {
        const count = fs.readSync(
          this.#descriptor,
          buffer,
          offset + done,
          length - done,
          position + done,
        );
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (cause) {
      throw wrap("read", this.path, cause);
    }
  }

  writeAt(buffer: Uint8Array, offset: number, length: number, position: number): void {
    try {
      let done = 0;
      while (done < length) {
        const at = offset + done;
        const count = fs.writeSync(this.#descriptor, buffer, at, length - done, position + done);
        if (count === 0) throw new DiskError("write", this.path, "EIO", "the system wrote nothing");
        done += count;
      }
    } catch (cause) {
      throw cause instanceof DiskError ? cause : wrap("write", this.path, cause);
    }
  }

  writeManyAt(buffers: readonly Uint8Array[], position: number): void {
    for (let first = 0; first < buffers.length; first += WRITE_BUFFERS_MAX) {
      position += this.#writeGroup(buffers.slice(first, first + WRITE_BUFFERS_MAX), position);
    }
  }

  #writeGroup(buffers: Uint8Array[], position: number): number {
    let total = 0;
    for (const buffer of buffers) total += buffer.length;
    const count = attempt("write", this.path, () => {
      return fs.writevSync(this.#descriptor, buffers, position);
    });
    if (count === total) return total;
    // A short write: finish what is left one buffer at a time.
    let skipped = 0;
    for (const buffer of buffers) {
      const already = Math.min(Math.max(count - skipped, 0), buffer.length);
      if (already < buffer.length) {
        this.writeAt(buffer, already, buffer.length - already, position + skipped + already);
      }
      skipped += buffer.length;
    }
    return total;
  }

  sync(done: (error: DiskError | null) => void): void {
    fs.fdatasync(this.#descriptor, (cause) => {
      done(cause ? wrap("sync", this.path, cause) : null);
    });
  }

  syncNow(): void {
    attempt("sync", this.path, () => fs.fdatasyncSync(this.#descriptor));
  }

  sizeBytes(): number {
    return attempt("stat", this.path, () => fs.fstatSync(this.#descriptor).size);
  }

  truncate(sizeBytes: number): void {
    attempt("truncate", this.path, () => fs.ftruncateSync(this.#descriptor, sizeBytes));
  }

  preallocate(sizeBytes: number): void {
    const present = this.sizeBytes();
    if (present >= sizeBytes) return;
    const system = libc();
    if (system?.fallocate(this.#descriptor, present, sizeBytes - present)) return;
    // No fallocate here (or on this file system): real zeros allocate just as well.
    const zeros = new Uint8Array(ZERO_CHUNK_BYTES);
    for (let at = present; at < sizeBytes; at += zeros.length) {
      this.writeAt(zeros, 0, Math.min(zeros.length, sizeBytes - at), at);
    }
  }

  tryLock(): boolean {
    const system = libc();
    return system === null ? true : system.tryLock(this.#descriptor);
  }

  isCurrent(): boolean {
    return attempt("stat", this.path, () => {
      const named = fs.statSync(this.path, { throwIfNoEntry: false });
      const open = fs.fstatSync(this.#descriptor);
      return named !== undefined && named.ino === open.ino && named.dev === open.dev;
    });
  }

  close(): void {
    attempt("close", this.path, () => fs.closeSync(this.#descriptor));
  }
}

/** The directory that a path lies in. */
export function parentDirectory(path: string): string {
  return dirname(path);
}
