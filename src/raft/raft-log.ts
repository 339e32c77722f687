/**
 * The whole log of one member: the storage's durable entries, continued by the unstable tail. Keeps
 * the three marks that move through it. Used by all roles; says nothing about who leads.
 *
 * Invariants: applied <= applying <= min(commit, persisted), each only grows;
 * commit <= last; entries up to commit never change.
 */
import { assert, verify } from "../base/assert.ts";
import { ENTRY_MEMBERSHIP, type Entry, entriesBytes } from "./entry.ts";
import type { LogStorage } from "./log-storage.ts";
import type { SnapshotMark } from "./message.ts";
import { UnstableLog } from "./unstable-log.ts";

const SCAN_BYTES = 1024 * 1024;
const NO_ENTRIES: readonly Entry[] = [];

export interface RaftLogLimits {
  /** Committed entries handed out in one Ready. */
  readonly committedPageBytes: number;
  /** Committed entries handed out and not reported applied. */
  readonly applyingBytesMax: number;
}

export class RaftLog {
  readonly unstable: UnstableLog;
  readonly #storage: LogStorage;
  readonly #limits: RaftLogLimits;
  #lastIndex: number;
  #lastTerm: number;
  #commit: number;
  #applied: number;
  /** The last entry handed out for application. */
  #applying: number;
  #applyingBytes = 0;
  /** Sizes of the pages handed out, oldest first: [last index, bytes] in turn. */
  #applyingPages: number[] = [];
  /** Entries up to here are durable, and durable as they stand now. */
  #persisted: number;
  /** The commit index that a restart would find. */
  #durableCommit: number;
  /** No membership change lies behind this index; there may be one at it. */
  #membershipThrough: number;

  constructor(storage: LogStorage, commit: number, applied: number, limits: RaftLogLimits) {
    this.#storage = storage;
    this.#limits = limits;
    this.#lastIndex = storage.lastIndex();
    this.#lastTerm = storage.termAt(this.#lastIndex);
    this.#commit = Math.max(commit, applied);
    this.#applied = applied;
    this.#applying = applied;
    this.#persisted = this.#lastIndex;
    this.#durableCommit = this.#commit;
    this.#membershipThrough = this.#lastIndex;
    this.unstable = new UnstableLog(this.#lastIndex + 1);
    assert(
      applied >= storage.firstIndex() - 1 && this.#commit <= this.#lastIndex,
      `the log holds ${storage.firstIndex()}..${this.#lastIndex}, ` +
        `but commit is ${this.#commit} and applied ${applied}`,
    );
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  get lastTerm(): number {
    return this.#lastTerm;
  }

  get commit(): number {
    return this.#commit;
  }

  get applied(): number {
    return this.#applied;
  }

  get applying(): number {
    return this.#applying;
  }

  get persisted(): number {
    return this.#persisted;
  }

  firstIndex(): number {
    const pending = this.unstable.snapshot;
    return pending === null ? this.#storage.firstIndex() : pending.index + 1;
  }

  /** -1 for what is compacted away or not there yet. */
  termAt(index: number): number {
    if (index === this.#lastIndex) return this.#lastTerm;
    if (index > this.#lastIndex || index < this.firstIndex() - 1) return -1;
    if (index >= this.unstable.offset || this.unstable.snapshot !== null) {
      return this.unstable.termAt(index);
    }
    return this.#storage.termAt(index);
  }

  matches(index: number, term: number): boolean {
    return index >= 0 && this.termAt(index) === term;
  }

  /** The voter's rule (thesis 3.6.1): later last term, or the same and at least as long. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    if (lastTerm !== this.#lastTerm) return lastTerm > this.#lastTerm;
    return lastIndex >= this.#lastIndex;
  }

  /** Entries from `start` to the end that fit, at least one; empty when there are none. */
  entriesFrom(start: number, bytesMax: number): readonly Entry[] {
    return start > this.#lastIndex ? NO_ENTRIES : this.#slice(start, this.#lastIndex + 1, bytesMax);
  }

  snapshot(): SnapshotMark | null {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  /** A leader's own next entry. */
  push(entry: Entry): void {
    assert(
      entry.index === this.#lastIndex + 1 && entry.term >= this.#lastTerm,
      `entry ${entry.index} of term ${entry.term} after ${this.#lastIndex} of ${this.#lastTerm}`,
    );
    this.unstable.push(entry);
    this.#lastIndex = entry.index;
    this.#lastTerm = entry.term;
    if (entry.kind === ENTRY_MEMBERSHIP) this.#membershipThrough = entry.index;
  }

  /**
   * Entries from a leader, after an entry that matches. Entries that agree with ours are left
   * alone: only a conflict truncates (thesis 3.5), or a delayed shorter message would undo a longer
   * one. Returns the index from which the log was rewritten, 0 when it was not.
   */
  appendAfterMatch(entries: readonly Entry[]): number {
    let at = 0;
    while (at < entries.length && this.matches(entries[at]!.index, entries[at]!.term)) at++;
    if (at === entries.length) return 0;
    const first = entries[at]!;
    assert(
      first.index > this.#commit,
      `entry ${first.index} of term ${first.term} conflicts with the committed ${this.#commit}`,
    );
    verify(() => assertConsecutive(entries));
    this.#persisted = Math.min(this.#persisted, first.index - 1);
    this.unstable.replaceFrom(at === 0 ? entries : entries.slice(at));
    const last = entries[entries.length - 1]!;
    this.#lastIndex = last.index;
    this.#lastTerm = last.term;
    this.#membershipThrough = Math.min(this.#membershipThrough, first.index - 1);
    for (let i = at; i < entries.length; i++) {
      if (entries[i]!.kind === ENTRY_MEMBERSHIP) this.#membershipThrough = entries[i]!.index;
    }
    return first.index;
  }

  /**
   * The last index at or below `index` whose term is at most `term`, and that term. Neither side
   * can match `term` anywhere between there and `index`, so the leader need not try (etcd's
   * findConflictByTerm). The term is 0 when it is compacted away.
   */
  lastAtOrBelowTerm(index: number, term: number): { index: number; term: number } {
    for (let at = index; at > 0; at--) {
      const own = this.termAt(at);
      if (own === -1) return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): boolean {
    if (index <= this.#commit) return false;
    assert(
      index <= this.#lastIndex,
      `commit ${index} is beyond the last index ${this.#lastIndex}: was the log lost or cut?`,
    );
    this.#commit = index;
    return true;
  }

  /**
   * A snapshot replaces the log; nothing of what was handed out before counts as persisted any
   * more.
   */
  restore(snapshot: SnapshotMark): void {
    assert(
      snapshot.index > this.#commit,
      `snapshot ${snapshot.index} behind commit ${this.#commit}`,
    );
    this.unstable.restore(snapshot);
    this.#lastIndex = snapshot.index;
    this.#lastTerm = snapshot.term;
    this.#commit = snapshot.index;
    this.#persisted = this.#applied;
    this.#membershipThrough = snapshot.index;
  }

  /** Whether a commit index beyond `commit` could cover a membership change. */
  mayCommitMembershipAfter(commit: number): boolean {
    return this.#membershipThrough > commit;
  }

  /** A hard state with this commit index is durable. */
  commitPersisted(commit: number): void {
    this.#durableCommit = Math.max(this.#durableCommit, commit);
  }

  persistedTo(index: number): void {
    if (index <= this.#persisted) return;
    this.unstable.persisted(index);
    this.#persisted = index;
  }

  /** A received snapshot is durable and is the state machine's state now. */
  snapshotPersisted(index: number): void {
    this.unstable.snapshotPersisted(index);
    if (index <= this.#applying) return;
    this.#persisted = Math.max(this.#persisted, index);
    this.#applying = index;
    this.#applied = index;
    this.#applyingPages = [];
    this.#applyingBytes = 0;
  }

  /**
   * The next committed entries to apply. Never what this member's disk does not hold yet (incident
   * 2), nothing while a snapshot is being installed, and no more while enough is being applied.
   *
   * A membership change waits until the commit index that covers it is durable. Once it is applied,
   * members that it removed may be gone for good: a member that forgot the commit in a power cut
   * would ask them for votes for ever.
   */
  takeCommitted(): readonly Entry[] {
    let end = Math.min(this.#commit, this.#persisted) + 1;
    if (this.#membershipThrough > this.#durableCommit) end = Math.min(end, this.#durableCommit + 1);
    const start = this.#applying + 1;
    if (start >= end || this.unstable.snapshot !== null) return NO_ENTRIES;
    const room = this.#limits.applyingBytesMax - this.#applyingBytes;
    if (room <= 0) return NO_ENTRIES;
    const page = this.#slice(start, end, Math.min(room, this.#limits.committedPageBytes));
    assert(page[0]!.index === start, `asked for entry ${start}, got ${page[0]!.index}`);
    const bytes = entriesBytes(page);
    this.#applying += page.length;
    this.#applyingBytes += bytes;
    this.#applyingPages.push(this.#applying, bytes);
    return page;
  }

  appliedTo(index: number): void {
    assert(index <= this.#applying, `applied ${index}, but only ${this.#applying} was handed out`);
    // A report that an installed snapshot overtook.
    if (index <= this.#applied) return;
    this.#applied = index;
    const pages = this.#applyingPages;
    let done = 0;
    while (done < pages.length && pages[done]! <= index) {
      this.#applyingBytes -= pages[done + 1]!;
      done += 2;
    }
    if (done > 0) this.#applyingPages = pages.slice(done);
  }

  /**
   * Whether a membership change is committed and not applied: this member's majority may be out of
   * date.
   */
  hasUnappliedMembershipChange(): boolean {
    let at = Math.max(this.#applied + 1, this.firstIndex());
    while (at <= this.#commit) {
      const page = this.#slice(at, this.#commit + 1, SCAN_BYTES);
      if (page.some((entry) => entry.kind === ENTRY_MEMBERSHIP)) return true;
      at += page.length;
    }
    return false;
  }

  /** [start, end) as far as it fits; the page may stop early where the storage ends. */
  #slice(start: number, end: number, bytesMax: number): readonly Entry[] {
    const offset = this.unstable.offset;
    if (start >= offset) return this.unstable.entries(start, end, bytesMax);
    const stored = this.#storage.entries(start, Math.min(end, offset), bytesMax);
    if (end <= offset || start + stored.length < offset) return stored;
    const left = bytesMax - entriesBytes(stored);
    if (left <= 0) return stored;
    const more = this.unstable.entries(offset, end, left);
    // The tail gives at least one entry, which is one too many for a page that is nearly full.
    return entriesBytes(more) > left ? stored : stored.concat(more);
  }
}

function assertConsecutive(entries: readonly Entry[]): void {
  for (let i = 1; i < entries.length; i++) {
    const [before, after] = [entries[i - 1]!, entries[i]!];
    assert(
      after.index === before.index + 1 && after.term >= before.term,
      `entry ${after.index} of term ${after.term} after ${before.index} of ${before.term}`,
    );
  }
}
