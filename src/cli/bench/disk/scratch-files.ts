/**
 * The files a disk run works on: made new below the user's directory, one per job, filled with real bytes so that
 * later writes change no metadata (as the WAL prepares its segments), removed at the end whatever happened.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { type Disk, DiskError, type DiskFile } from "../../../io/index.ts";

const CHUNK_BYTES = 1 << 20;
const RANDOM_BYTES_MAX = 1 << 16;
const TMPFS_TYPE = 0x01021994;

export interface SpaceReport {
  readonly freeBytes: number;
  /** The directory lies in memory: figures say nothing about a disk. */
  readonly isMemory: boolean;
}

export function spaceBelow(directory: string): SpaceReport {
  const { bavail, bsize, type } = statfsSync(directory);
  return { freeBytes: bavail * bsize, isMemory: type === TMPFS_TYPE };
}

/** Why files of this size must not be made here, or null. Half of what is free stays free. */
export function spaceRefusal(freeBytes: number, neededBytes: number): string | null {
  if (neededBytes <= freeBytes / 2) return null;
  const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
  return (
    `the run needs ${mebibytes(neededBytes)}, more than half of the ${mebibytes(freeBytes)} that are free here; ` +
    "choose a smaller --size or another directory"
  );
}

export class ScratchFiles {
  readonly files: DiskFile[] = [];
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #fileBytes: number;

  constructor(disk: Disk, directory: string, fileBytes: number) {
    this.#disk = disk;
    this.#directory = directory;
    this.#fileBytes = fileBytes;
  }

  /** Makes and fills the files; ends early when `isStopped`. Throws DiskError. */
  async make(count: number, isStopped: () => boolean): Promise<void> {
    const chunk = randomBytes(CHUNK_BYTES);
    for (let i = 0; i < count; i++) {
      const path = join(this.#directory, `.cairn-bench-${process.pid}-${i}.tmp`);
      const file = this.#disk.open(path, { create: true, exclusive: true });
      this.files.push(file);
      for (let at = 0; at < this.#fileBytes && !isStopped(); at += chunk.length) {
        file.writeAt(chunk, 0, Math.min(chunk.length, this.#fileBytes - at), at);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await new Promise<void>((resolve, reject) =>
        file.sync((error) => (error === null ? resolve() : reject(error))),
      );
    }
  }

  /** Closes and removes everything that was made; may be called twice. */
  remove(): void {
    for (const file of this.files.splice(0)) {
      try {
        file.close();
      } finally {
        this.#disk.remove(file.path);
      }
    }
  }
}

/** The text of a file-system failure for a user. */
export function diskFailureText(error: unknown): string {
  if (error instanceof DiskError) return error.message;
  return error instanceof Error ? error.message : String(error);
}

/** Bytes that no disk or file system can compress away. */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(count, at + RANDOM_BYTES_MAX)));
  }
  return bytes;
}
