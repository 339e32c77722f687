/** Files and directories of the fault disk: what a reader sees, and what would be left after a power cut. */
import type { SeededRandom } from "./seeded-random.ts";

export const SECTOR_BYTES = 512;

/** Bytes that grow on demand and read as zeros where nothing was written. */
export class Content {
  #bytes = new Uint8Array(256);
  sizeBytes = 0;

  write(position: number, bytes: Uint8Array): void {
    this.resize(Math.max(this.sizeBytes, position + bytes.length));
    this.#bytes.set(bytes, position);
  }

  resize(sizeBytes: number): void {
    if (sizeBytes > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(sizeBytes, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.sizeBytes));
      this.#bytes = grown;
    } else if (sizeBytes < this.sizeBytes) {
      this.#bytes.fill(0, sizeBytes, this.sizeBytes);
    }
    this.sizeBytes = sizeBytes;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.sizeBytes);
  }

  copy(): Content {
    const out = new Content();
    out.write(0, this.bytes());
    return out;
  }
}

/** A change that no sync has covered yet. */
export type PendingChange =
  | { readonly kind: "write"; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "resize"; readonly sizeBytes: number };

export class FileInode {
  readonly kind = "file";
  /** What reads return: the page cache. */
  view = new Content();
  durable = new Content();
  pending: PendingChange[] = [];
  lockedBy: object | null = null;
  /** How many changes left `pending` so far; pending[0] is change number `settledChanges`. */
  #settledChanges = 0;

  /** Number of the next change; a sync covers all below it. */
  get changeCount(): number {
    return this.#settledChanges + this.pending.length;
  }

  /** Takes the changes with numbers below `end` out of `pending`. */
  settle(end: number): PendingChange[] {
    const changes = this.pending.splice(0, Math.max(0, end - this.#settledChanges));
    this.#settledChanges += changes.length;
    return changes;
  }

  /** Makes the changes with numbers below `end` durable. */
  commit(end: number): void {
    for (const change of this.settle(end)) {
      if (change.kind === "write") this.durable.write(change.position, change.bytes);
      else this.durable.resize(change.sizeBytes);
    }
  }

  /** A power cut: each pending change is kept, lost, or torn between sectors. */
  crash(random: SeededRandom): void {
    for (const change of this.pending) {
      const fate = random.below(3);
      if (fate === 0) continue;
      if (change.kind === "resize") this.durable.resize(change.sizeBytes);
      else if (fate === 1) this.durable.write(change.position, change.bytes);
      else this.#tear(change.position, change.bytes, random);
    }
    this.settle(this.changeCount);
    this.view = this.durable.copy();
    this.lockedBy = null;
  }

  #tear(position: number, bytes: Uint8Array, random: SeededRandom): void {
    const keepChance = random.next();
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(
        (Math.floor((position + from) / SECTOR_BYTES) + 1) * SECTOR_BYTES - position,
        bytes.length,
      );
      if (random.chance(keepChance)) this.durable.write(position + from, bytes.subarray(from, to));
      from = to;
    }
  }
}

export class DirectoryInode {
  readonly kind = "directory";
  entries = new Map<string, Inode>();
  durableEntries = new Map<string, Inode>();
}

export type Inode = FileInode | DirectoryInode;

/** A change of names that no directory sync has covered yet. Atomic, also where it touches two directories. */
export interface NameChange {
  readonly directories: readonly DirectoryInode[];
  apply(): void;
}
