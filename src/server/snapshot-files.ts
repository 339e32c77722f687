/**
 * The names of received snapshots beside the database, and which of them still have to become the state. Made by the
 * member; the receiver adds files, the replacement takes them.
 *
 *   <index, 16 hex digits>.snap.db.part   arriving; worth nothing after a restart
 *   <index, 16 hex digits>.snap.db        whole, checked and durable, offered to raft
 *
 * Invariant: a file that raft took is not removed before it became the database or a newer one did (incident 14: the
 * clean-up of a second snapshot deleted the file that the first one was about to open).
 */
import type { Disk } from "../io/index.ts";

const SUFFIX = ".snap.db";
const PART_SUFFIX = `${SUFFIX}.part`;
const NAME = /^([0-9a-f]{16})\.snap\.db$/;

export class SnapshotFiles {
  readonly directory: string;
  readonly disk: Disk;
  /** Indexes of the files that raft took. */
  readonly #taken = new Set<number>();

  constructor(disk: Disk, directory: string) {
    this.disk = disk;
    this.directory = directory;
  }

  pathOf(index: number): string {
    return `${this.directory}/${index.toString(16).padStart(16, "0")}${SUFFIX}`;
  }

  partPathOf(index: number): string {
    return `${this.directory}/${index.toString(16).padStart(16, "0")}${PART_SUFFIX}`;
  }

  isTaken(index: number): boolean {
    return this.#taken.has(index);
  }

  /** The newest snapshot that raft took and that is not the state yet; 0 for none. */
  newestTaken(): number {
    return Math.max(0, ...this.#taken);
  }

  take(index: number): void {
    this.#taken.add(index);
  }

  /** Everything up to `index` is in the state now. Throws DiskError. */
  settle(index: number): void {
    for (const taken of [...this.#taken]) {
      if (taken > index) continue;
      this.#taken.delete(taken);
      this.discard(taken);
    }
  }

  /** Removes a file that nobody is going to open. Throws DiskError. */
  discard(index: number): void {
    const path = this.pathOf(index);
    if (!this.#taken.has(index) && this.disk.exists(path)) this.disk.remove(path);
  }

  /** Indexes of the whole files in the directory, ascending. */
  present(): number[] {
    const found: number[] = [];
    for (const name of this.disk.list(this.directory)) {
      const index = Number.parseInt(NAME.exec(name)?.[1] ?? "", 16);
      if (Number.isSafeInteger(index)) found.push(index);
    }
    return found.sort((a, b) => a - b);
  }

  /** Names of the files that did not arrive whole. */
  parts(): string[] {
    return this.disk.list(this.directory).filter((name) => name.endsWith(PART_SUFFIX));
  }
}
