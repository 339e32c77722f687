/**
 * A DiskFile in memory for this folder's tests: syncs complete when the test says so, and can fail.
 */
import type { DiskFile } from "../../io/index.ts";
import { DiskError } from "../../io/index.ts";

export class MemoryFile implements DiskFile {
  readonly path = "memory.db";
  /** Syncs that wait for completeSync(). */
  readonly waiting: ((error: DiskError | null) => void)[] = [];
  /** Counts down with each write; at 0 the write fails half way. */
  failWriteAfter = Number.POSITIVE_INFINITY;
  failSync = false;
  #bytes: Uint8Array;
  #length: number;

  constructor(content = new Uint8Array(0)) {
    this.#bytes = content;
    this.#length = content.length;
  }

  /** A copy of what is written. */
  content(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  readAt(buffer: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(Math.min(length, this.#length - position), 0);
    buffer.set(this.#bytes.subarray(position, position + count), offset);
    return count;
  }

  writeAt(buffer: Uint8Array, offset: number, length: number, position: number): void {
    const fails = this.failWriteAfter-- <= 0;
    const written = fails ? length >> 1 : length;
    this.#reserve(position + written);
    this.#bytes.set(buffer.subarray(offset, offset + written), position);
    if (fails) throw new DiskError("write", this.path, "EIO", "made to fail");
  }

  writeManyAt(buffers: readonly Uint8Array[], position: number): void {
    let at = position;
    for (const buffer of buffers) {
      this.writeAt(buffer, 0, buffer.length, at);
      at += buffer.length;
    }
  }

  sync(done: (error: DiskError | null) => void): void {
    this.waiting.push(done);
  }

  completeSync(): void {
    const done = this.waiting.shift();
    done?.(this.failSync ? new DiskError("sync", this.path, "EIO", "made to fail") : null);
  }

  syncNow(): void {
    if (this.failSync) throw new DiskError("sync", this.path, "EIO", "made to fail");
  }

  sizeBytes(): number {
    return this.#length;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes > this.#length) this.#reserve(sizeBytes);
    else this.#bytes.fill(0, sizeBytes, this.#length);
    this.#length = sizeBytes;
  }

  preallocate(sizeBytes: number): void {
    if (sizeBytes > this.#length) this.#reserve(sizeBytes);
  }

  tryLock(): boolean {
    return true;
  }

  isCurrent(): boolean {
    return true;
  }

  close(): void {}

  #reserve(length: number): void {
    if (length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = bytes;
    }
    this.#length = Math.max(this.#length, length);
  }
}
