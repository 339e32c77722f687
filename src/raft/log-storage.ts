/**
 * The durable part of the log as raft sees it: a read-only port. The server implements it over what
 * it keeps in memory beside the write-ahead log; `MemoryLog` is the plain implementation.
 *
 * Contract: by the time `persisted(sequence)` is reported, the storage answers for everything the
 * Readys up to that sequence asked to persist (it may do so earlier). Entries are replaced from the
 * first index of a Ready's entries on; a Ready's snapshot replaces everything. Compaction may drop
 * entries up to the applied index only, and only where `snapshot()` then covers them. All calls
 * answer at once, from memory.
 */
import { assert } from "../base/assert.ts";
import { NO_MEMBERS } from "./conf-change.ts";
import { type Entry, entriesBytes, fittingCount } from "./entry.ts";
import type { SnapshotMark } from "./message.ts";

export interface LogStorage {
  /** Index of the oldest entry held; last + 1 when none is. */
  firstIndex(): number;
  lastIndex(): number;
  /**
   * Term of the entry at `index`, also of the one right before the first; -1 when that is not known
   * any more.
   */
  termAt(index: number): number;
  /** Entries of [start, end), as many as fit `bytesMax` and at least one; both ends are held. */
  entries(start: number, end: number, bytesMax: number): Entry[];
  /** The newest state a follower can be sent, or null when none is ready now (raft asks again). */
  snapshot(): SnapshotMark | null;
}

export const NO_SNAPSHOT: SnapshotMark = { index: 0, term: 0, configuration: NO_MEMBERS };

export class MemoryLog implements LogStorage {
  /**
   * The entry before the first held one: where the log was compacted, or the start of all (0, 0).
   */
  #previousIndex = 0;
  #previousTerm = 0;
  #entries: Entry[] = [];
  #snapshot: SnapshotMark = NO_SNAPSHOT;
  #bytes = 0;

  /** What all entries take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What one of them takes; 0 for one that is not held. */
  bytesOf(index: number): number {
    const entry = this.#entries[index - this.#previousIndex - 1];
    return entry === undefined ? 0 : entriesBytes([entry]);
  }

  firstIndex(): number {
    return this.#previousIndex + 1;
  }

  lastIndex(): number {
    return this.#previousIndex + this.#entries.length;
  }

  termAt(index: number): number {
    if (index === this.#previousIndex) return this.#previousTerm;
    return this.#entries[index - this.#previousIndex - 1]?.term ?? -1;
  }

  entries(start: number, end: number, bytesMax: number): Entry[] {
    const from = start - this.#previousIndex - 1;
    const to = end - this.#previousIndex - 1;
    assert(
      from >= 0 && from < to && to <= this.#entries.length,
      `entries ${start}..${end - 1} of a log that holds ${this.firstIndex()}..${this.lastIndex()}`,
    );
    return this.#entries.slice(from, from + fittingCount(this.#entries, from, to, bytesMax));
  }

  snapshot(): SnapshotMark | null {
    return this.#snapshot.index === 0 ? null : this.#snapshot;
  }

  /** Replaces everything from the first entry's index on. */
  append(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const at = entries[0]!.index - this.#previousIndex - 1;
    assert(
      at >= 0 && at <= this.#entries.length,
      `entry ${entries[0]!.index} does not join a log of ${this.firstIndex()}..${this.lastIndex()}`,
    );
    if (at < this.#entries.length) {
      this.#bytes -= entriesBytes(this.#entries.slice(at));
      this.#entries.length = at;
    }
    this.#bytes += entriesBytes(entries);
    for (let i = 0; i < entries.length; i++) this.#entries.push(entries[i]!);
  }

  /** The state up to the mark can be sent from now on. */
  saveSnapshot(mark: SnapshotMark): void {
    if (mark.index > this.#snapshot.index) this.#snapshot = mark;
  }

  /** A received snapshot takes the place of the whole log. */
  installSnapshot(mark: SnapshotMark): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#previousIndex = mark.index;
    this.#previousTerm = mark.term;
    this.#snapshot = mark;
  }

  /** Forgets the entries up to `index`, which a snapshot must cover. */
  compact(index: number): void {
    assert(index <= this.#snapshot.index, `compaction at ${index} beyond the snapshot`);
    if (index <= this.#previousIndex) return;
    this.#previousTerm = this.termAt(index);
    this.#entries = this.#entries.slice(index - this.#previousIndex);
    this.#bytes = entriesBytes(this.#entries);
    this.#previousIndex = index;
  }
}
