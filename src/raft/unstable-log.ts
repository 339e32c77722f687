/**
 * The tail of the log that is not known to be durable: entries from `offset` on, and before them a
 * received snapshot that is not installed yet. Each goes through: appended -> handed out in a Ready
 * -> reported persisted -> forgotten here, because the storage has it.
 *
 * Invariants: the entry at position i has index offset + i; offset <= handedOut <= offset + count;
 * with a snapshot pending, offset > snapshot.index. What is here shadows whatever the storage holds
 * from offset on.
 */
import { assert } from "../base/assert.ts";
import { type Entry, fittingCount } from "./entry.ts";
import type { SnapshotMark } from "./message.ts";

const COMPACT_AT_COUNT = 1024;

export class UnstableLog {
  /** Received, not reported installed; null otherwise. */
  snapshot: SnapshotMark | null = null;
  #snapshotHandedOut = false;
  /** Entries before `#head` are durable and wait to be dropped in bulk. */
  #entries: Entry[] = [];
  #head = 0;
  /** Index of the entry at `#head`. */
  #offset: number;
  /** Index of the first entry that no Ready carried yet. */
  #handedOut: number;

  constructor(offset: number) {
    this.#offset = offset;
    this.#handedOut = offset;
  }

  /** Index of the first entry not known to be durable. */
  get offset(): number {
    return this.#offset;
  }

  get count(): number {
    return this.#entries.length - this.#head;
  }

  /** Term of the entry at `index`, of the pending snapshot's index too; -1 for what is not here. */
  termAt(index: number): number {
    if (index < this.#offset) return this.snapshot?.index === index ? this.snapshot.term : -1;
    return this.#entries[this.#head + index - this.#offset]?.term ?? -1;
  }

  entries(start: number, end: number, bytesMax: number): Entry[] {
    assert(
      start >= this.#offset && start < end && end <= this.#offset + this.count,
      `unstable entries ${start}..${end - 1} of ${this.#offset}+${this.count}`,
    );
    const from = this.#head + start - this.#offset;
    const to = from + end - start;
    return this.#entries.slice(from, from + fittingCount(this.#entries, from, to, bytesMax));
  }

  /** Adds the entry after the last one. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /**
   * Adds entries that may overwrite older ones (thesis 3.5). What is cut off is forgotten even if a
   * Ready carried it: the new entries are handed out after it and replace it on disk.
   */
  replaceFrom(entries: readonly Entry[]): void {
    const first = entries[0]!.index;
    if (first <= this.#offset) {
      this.#entries = [];
      this.#head = 0;
      this.#offset = first;
      this.#handedOut = first;
    } else {
      const keep = first - this.#offset;
      assert(
        keep <= this.count,
        `entry ${first} leaves a hole after ${this.#offset}+${this.count}`,
      );
      this.#entries.length = this.#head + keep;
      this.#handedOut = Math.min(this.#handedOut, first);
    }
    for (let i = 0; i < entries.length; i++) this.#entries.push(entries[i]!);
  }

  /** A snapshot from the leader takes the place of everything. */
  restore(snapshot: SnapshotMark): void {
    this.#entries = [];
    this.#head = 0;
    this.#offset = snapshot.index + 1;
    this.#handedOut = this.#offset;
    this.snapshot = snapshot;
    this.#snapshotHandedOut = false;
  }

  takeEntries(): Entry[] {
    const from = this.#head + this.#handedOut - this.#offset;
    this.#handedOut = this.#offset + this.count;
    return from === this.#entries.length ? [] : this.#entries.slice(from);
  }

  takeSnapshot(): SnapshotMark | null {
    if (this.#snapshotHandedOut) return null;
    this.#snapshotHandedOut = true;
    return this.snapshot;
  }

  /** Entries up to `index` are durable. The caller knows that they are the ones held here. */
  persisted(index: number): void {
    if (index < this.#offset) return;
    assert(
      index < this.#handedOut,
      `persisted ${index}, but only below ${this.#handedOut} was given`,
    );
    this.#head += index + 1 - this.#offset;
    this.#offset = index + 1;
    if (this.#head === this.#entries.length) {
      this.#entries = [];
      this.#head = 0;
    } else if (this.#head >= COMPACT_AT_COUNT && this.#head * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The snapshot is installed, unless a newer one took its place meanwhile. */
  snapshotPersisted(index: number): void {
    if (this.snapshot?.index === index) this.snapshot = null;
  }
}
