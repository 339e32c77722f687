/** An open file of the fault disk. */
import type { DiskFile } from "../../src/io/index.ts";
import { DiskError } from "../../src/io/index.ts";
import type { FaultDisk } from "./fault-disk.ts";
import type { FileInode, PendingChange } from "./fault-inode.ts";

export class FaultFile implements DiskFile {
  readonly path: string;
  readonly #disk: FaultDisk;
  readonly #inode: FileInode;
  readonly #readOnly: boolean;
  readonly #generation: number;
  #open = true;

  constructor(disk: FaultDisk, inode: FileInode, path: string, readOnly: boolean) {
    this.#disk = disk;
    this.#inode = inode;
    this.path = path;
    this.#readOnly = readOnly;
    this.#generation = disk.generation;
  }

  readAt(buffer: Uint8Array, offset: number, length: number, position: number): number {
    this.#use("read");
    this.#disk.before("read", this.path);
    const bytes = this.#inode.view.bytes().subarray(position, position + length);
    buffer.set(bytes, offset);
    return bytes.length;
  }

  writeAt(buffer: Uint8Array, offset: number, length: number, position: number): void {
    this.#use("write");
    const effect = this.#disk.before("write", this.path);
    this.#disk.reserve(this.path, position + length - this.#inode.view.sizeBytes);
    const bytes = buffer.slice(offset, offset + length);
    if (effect?.kind === "misdirect") {
      const place = position + effect.byBytes;
      this.#inode.view.write(place, bytes);
      this.#inode.pending.push({ kind: "write", position: place, bytes });
    } else {
      this.#inode.view.write(position, bytes);
      if (effect === null) this.#inode.pending.push({ kind: "write", position, bytes });
    }
    this.#disk.after();
  }

  writeManyAt(buffers: readonly Uint8Array[], position: number): void {
    let at = position;
    for (const buffer of buffers) {
      this.writeAt(buffer, 0, buffer.length, at);
      at += buffer.length;
    }
  }

  sync(done: (error: DiskError | null) => void): void {
    this.#use("sync");
    this.#disk.startSync(this.#inode, this.path, done);
  }

  syncNow(): void {
    this.#use("sync");
    const effect = this.#disk.before("sync", this.path);
    if (effect === null) this.#inode.commit(this.#inode.changeCount);
    else this.#inode.settle(this.#inode.changeCount);
    this.#disk.after();
  }

  sizeBytes(): number {
    this.#use("stat");
    return this.#inode.view.sizeBytes;
  }

  truncate(sizeBytes: number): void {
    this.#use("truncate");
    this.#disk.before("truncate", this.path);
    this.#resize(sizeBytes);
  }

  preallocate(sizeBytes: number): void {
    this.#use("preallocate");
    const present = this.#inode.view.sizeBytes;
    if (present >= sizeBytes) return;
    this.#disk.before("preallocate", this.path);
    this.#disk.reserve(this.path, sizeBytes - present);
    this.#resize(sizeBytes);
  }

  tryLock(): boolean {
    this.#use("lock");
    if (this.#inode.lockedBy !== null && this.#inode.lockedBy !== this) return false;
    this.#inode.lockedBy = this;
    return true;
  }

  isCurrent(): boolean {
    this.#use("stat");
    return this.#disk.leadsTo(this.path, this.#inode);
  }

  close(): void {
    this.#use("close");
    this.#open = false;
    if (this.#inode.lockedBy === this) this.#inode.lockedBy = null;
  }

  #resize(sizeBytes: number): void {
    const change: PendingChange = { kind: "resize", sizeBytes };
    this.#inode.view.resize(sizeBytes);
    this.#inode.pending.push(change);
    this.#disk.after();
  }

  #use(operation: string): void {
    if (this.#generation !== this.#disk.generation) {
      throw new Error(`${operation} through a handle from before the crash: ${this.path}`);
    }
    if (!this.#open) throw new DiskError(operation, this.path, "EBADF", "the file is closed");
    if (this.#readOnly && ["write", "truncate", "preallocate"].includes(operation)) {
      throw new DiskError(operation, this.path, "EBADF", "opened for reading");
    }
  }
}
