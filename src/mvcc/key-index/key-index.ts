/**
 * The key index: every key with its newest revision and its older ones, kept in typed arrays so
 * that a million keys are a handful of objects for the garbage collector. The store is its only
 * owner; it holds no values. Keys are found by hash, ranges by a tree that counts.
 *
 * An entry's history is the list of all its revisions since the last compaction, oldest first,
 * tombstones included; etcd's generations are the stretches between tombstones. Worked example: put
 * at 2, put at 5, delete at 7, put at 9 gives newest 9 (create 9, version 1) and history 2, 5, 7t.
 * Compacted at 6: 5, 7t and 9 stay. Compacted at 7: 7t stays (a watch from 7 must see the delete).
 * Compacted at 8: only 9.
 */
import { assert } from "../../base/assert.ts";
import { compareBytes, isOpenEnd } from "../../base/bytes.ts";
import { EntryPool, TOMBSTONE_BIT } from "./entry-pool.ts";
import { KeyArena } from "./key-arena.ts";
import { KeyHash } from "./key-hash.ts";
import { KeyTree } from "./key-tree.ts";
import { RevisionHistory } from "./revision-history.ts";
import { SortedLoad } from "./sorted-load.ts";
import { ToggleLog } from "./toggle-log.ts";
import { ID_MASK, LIVE_BIT } from "./tree-nodes.ts";

export interface KeyIndexOptions {
  /** Unpredictable number against keys made to collide. */
  hashSeed: number;
}

/** So many keys are added to the hash by each lookup while it is incomplete after a load. */
const HASHED_PER_LOOKUP = 64;

export class KeyIndex {
  readonly #keys = new KeyArena();
  readonly #entries = new EntryPool();
  readonly #history = new RevisionHistory();
  readonly #tree = new KeyTree(this.#entries, this.#keys);
  readonly #hash: KeyHash;
  #toggles = new ToggleLog(0);
  /**
   * Ids from `next` to `last` (0: none) were loaded but are not in the hash yet: a restart does not
   * wait for it. Until they are, keys are found by the tree, and each lookup adds some.
   */
  #backlogNext = 0;
  #backlogLast = 0;
  #backlogKey = new Uint8Array(256);
  /** The revision that the last successful `locate` found. */
  foundMain = 0;
  /** Its sub, with TOMBSTONE_BIT. */
  foundSub = 0;

  constructor(options: KeyIndexOptions) {
    const equality = {
      hasKey: (id: number, key: Uint8Array) =>
        this.#keys.equals(this.#entries.keyReference(id), key),
    };
    this.#hash = new KeyHash(equality, options.hashSeed);
  }

  /** The entry of a key, living or not, or 0. */
  find(key: Uint8Array): number {
    if (this.#backlogNext === 0) return this.#hash.find(key);
    this.#hashSome();
    this.#tree.seek(key);
    return this.#tree.foundId();
  }

  #hashSome(): void {
    const end = Math.min(this.#backlogNext + HASHED_PER_LOOKUP, this.#backlogLast + 1);
    for (let id = this.#backlogNext; id < end; id++) {
      if (this.#entries.isFree(id)) continue;
      const reference = this.#entries.keyReference(id);
      const length = this.#keys.length(reference);
      if (length > this.#backlogKey.length) this.#backlogKey = new Uint8Array(length * 2);
      this.#keys.copyInto(reference, this.#backlogKey, 0);
      this.#hash.insertFrom(this.#backlogKey, length, id);
    }
    this.#backlogNext = end > this.#backlogLast ? 0 : end;
  }

  /** An entry in the backlog is added when its turn comes. */
  #isInBacklog(id: number): boolean {
    return this.#backlogNext !== 0 && id >= this.#backlogNext && id <= this.#backlogLast;
  }

  /** Adds an entry that was read back from disk to the backlog, as far as ids go without a gap. */
  #noteRestored(key: Uint8Array, id: number): void {
    if (this.#isInBacklog(id)) return;
    if (this.#backlogNext === 0) {
      this.#backlogNext = id;
      this.#backlogLast = id;
    } else if (id === this.#backlogLast + 1) {
      this.#backlogLast = id;
    } else {
      this.#hash.insert(key, id);
    }
  }

  isLive(id: number): boolean {
    return !this.#entries.isTombstone(id);
  }

  mod(id: number): number {
    return this.#entries.mod(id);
  }

  /** Sub of the newest revision. */
  sub(id: number): number {
    return this.#entries.subAndTombstone(id) & ID_MASK;
  }

  create(id: number): number {
    return this.#entries.create(id);
  }

  version(id: number): number {
    return this.#entries.version(id);
  }

  isLeased(id: number): boolean {
    return this.#entries.isLeased(id);
  }

  keyLength(id: number): number {
    return this.#keys.length(this.#entries.keyReference(id));
  }

  copyKey(id: number): Uint8Array {
    return this.#keys.copy(this.#entries.keyReference(id));
  }

  copyKeyInto(id: number, target: Uint8Array, offset: number): void {
    this.#keys.copyInto(this.#entries.keyReference(id), target, offset);
  }

  /** Notes a put of `key`, whose entry is `id` (0 if it has none); returns the entry's id. */
  put(id: number, key: Uint8Array, main: number, sub: number, leased: boolean): number {
    const entries = this.#entries;
    if (id === 0) {
      const added = entries.add(this.#keys.add(key));
      entries.setNewest(added, main, sub, main, 1, leased);
      if (!this.#isInBacklog(added)) this.#hash.insert(key, added);
      this.#tree.insert(key, added);
      this.#toggles.add(main, added, true);
      return added;
    }
    const before = entries.subAndTombstone(id);
    entries.setHistory(id, this.#history.push(entries.history(id), entries.mod(id), before));
    if (before >= TOMBSTONE_BIT) {
      entries.setNewest(id, main, sub, main, 1, leased);
      this.#tree.setLive(key, true);
      this.#toggles.add(main, id, true);
    } else {
      entries.setNewest(id, main, sub, entries.create(id), entries.version(id) + 1, leased);
    }
    return id;
  }

  /** Notes the deletion of a living key. */
  delete(id: number, key: Uint8Array, main: number, sub: number): void {
    const entries = this.#entries;
    const before = entries.subAndTombstone(id);
    assert(before < TOMBSTONE_BIT, "deleting a key that does not live");
    entries.setHistory(id, this.#history.push(entries.history(id), entries.mod(id), before));
    entries.setNewest(id, main, (sub | TOMBSTONE_BIT) >>> 0, 0, 0, false);
    this.#tree.setLive(key, false);
    this.#toggles.add(main, id, false);
  }

  /**
   * Notes a revision read back from disk, in ascending order. The record says what create revision
   * and version it has, since what lies before it may be compacted away. A lone tombstone makes an
   * entry too (etcd's incident 19179 came from leaving it out).
   */
  restore(
    key: Uint8Array,
    main: number,
    subAndTombstone: number,
    create: number,
    version: number,
    leased: boolean,
  ): number {
    const entries = this.#entries;
    const tombstone = subAndTombstone >= TOMBSTONE_BIT;
    this.#tree.seek(key);
    let id = this.#tree.foundId();
    let lived = true;
    if (id === 0) {
      id = entries.add(this.#keys.add(key));
      this.#noteRestored(key, id);
      this.#tree.insertHere(id);
      // The new entry may have moved to another leaf.
      if (tombstone) this.#tree.seek(key);
    } else {
      const before = entries.subAndTombstone(id);
      lived = before < TOMBSTONE_BIT;
      entries.setHistory(id, this.#history.push(entries.history(id), entries.mod(id), before));
    }
    entries.setNewest(id, main, subAndTombstone, create, version, leased);
    if (lived === tombstone) this.#tree.setLiveHere(!tombstone);
    return id;
  }

  /** Begins the bulk load of a fresh index. */
  beginLoad(): SortedLoad {
    assert(this.#entries.count() === 0, "only a fresh index is loaded in bulk");
    return new SortedLoad(this.#keys, this.#entries, this.#history);
  }

  /** Builds the order of what was loaded; the hash follows later, see `find`. */
  endLoad(load: SortedLoad): void {
    load.finish();
    this.#tree.fill(load.id, load.dead);
    if (load.id > 0) this.#backlogNext = 1;
    this.#backlogLast = load.id;
  }

  /** Toggles up to here are unknown; called once when the index was loaded. */
  startToggles(revision: number): void {
    this.#toggles = new ToggleLog(revision);
  }

  /** Finds the newest revision of an entry at or before `revision`, tombstones included. */
  locate(id: number, revision: number): boolean {
    const main = this.#entries.mod(id);
    if (main <= revision) {
      this.foundMain = main;
      this.foundSub = this.#entries.subAndTombstone(id);
      return true;
    }
    const history = this.#history;
    if (!history.findAtOrBefore(this.#entries.history(id), revision)) return false;
    this.foundMain = history.foundMain;
    this.foundSub = history.foundSub;
    return true;
  }

  /** As `locate`, and the key lives at that revision. */
  locateLive(id: number, revision: number): boolean {
    return this.locate(id, revision) && this.foundSub < TOMBSTONE_BIT;
  }

  /**
   * Visits entries of [key, rangeEnd) in key order until `visit` answers false. Only keys that live
   * at the newest revision, or, with `all`, those with a tombstone too. The index must not change
   * meanwhile.
   */
  scan(key: Uint8Array, rangeEnd: Uint8Array, all: boolean, visit: (id: number) => boolean): void {
    const tree = this.#tree;
    let endLeaf = 0;
    let endIndex = 0;
    if (!isOpenEnd(rangeEnd)) {
      if (compareBytes(key, rangeEnd) >= 0) return;
      tree.seek(rangeEnd);
      endLeaf = tree.leaf;
      endIndex = tree.index;
    }
    tree.seek(key);
    let leaf = tree.leaf;
    let index = tree.index;
    while (leaf !== endLeaf || index < endIndex) {
      const word = tree.at(leaf, index);
      if (word === 0) {
        // Behind the last entry of this leaf. With an end inside this leaf we never get here.
        if (leaf === endLeaf) return;
        leaf = tree.nextLeaf(leaf);
        index = 0;
        if (leaf === 0) return;
        continue;
      }
      if ((all || word >= LIVE_BIT) && !visit(word & ID_MASK)) return;
      index++;
    }
  }

  /** Living keys of [key, rangeEnd) at the newest revision, in O(log n). */
  countLive(key: Uint8Array, rangeEnd: Uint8Array): number {
    const tree = this.#tree;
    if (isOpenEnd(rangeEnd)) return tree.live() - tree.liveBefore(key);
    if (compareBytes(key, rangeEnd) >= 0) return 0;
    return tree.liveBefore(rangeEnd) - tree.liveBefore(key);
  }

  /** Living keys of [key, rangeEnd) at an older revision. */
  countLiveAt(key: Uint8Array, rangeEnd: Uint8Array, revision: number): number {
    const now = this.countLive(key, rangeEnd);
    const toggles = this.#toggles.countAfter(revision);
    if (toggles === 0) return now;
    if (toggles <= 1024 || toggles <= now) {
      const open = isOpenEnd(rangeEnd);
      const inRange = (id: number): boolean => {
        const reference = this.#entries.keyReference(id);
        if (this.#keys.compareFrom(reference, key, 0) < 0) return false;
        return open || this.#keys.compareFrom(reference, rangeEnd, 0) < 0;
      };
      return now - this.#toggles.netOfLast(toggles, inRange);
    }
    let count = 0;
    this.scan(key, rangeEnd, true, (id) => {
      if (this.locateLive(id, revision)) count++;
      return true;
    });
    return count;
  }

  /**
   * Drops what compaction at `revision` makes unreadable: all revisions before the newest one at or
   * before it, and that one too if it is a tombstone older than `revision` itself. False when the
   * key is gone.
   */
  prune(id: number, revision: number): boolean {
    const entries = this.#entries;
    const main = entries.mod(id);
    const head = entries.history(id);
    if (main > revision) {
      if (head !== 0) entries.setHistory(id, this.#history.trim(head, revision, staleTombstone));
      return true;
    }
    if (head !== 0) {
      this.#history.freeAll(head);
      entries.setHistory(id, 0);
    }
    if (main === revision || !entries.isTombstone(id)) return true;
    const reference = entries.keyReference(id);
    const key = this.#keys.copy(reference);
    this.#tree.remove(key);
    this.#hash.remove(key, id);
    this.#keys.free(reference);
    entries.remove(id);
    return false;

    function staleTombstone(found: number, subAndTombstone: number): boolean {
      return subAndTombstone >= TOMBSTONE_BIT && found < revision;
    }
  }

  /** Whether an entry has anything that `prune` could drop. */
  isPlain(id: number): boolean {
    return this.#entries.history(id) === 0 && !this.#entries.isTombstone(id);
  }

  /** Visits the older revisions of an entry from the newest to the oldest. */
  forEachOlder(id: number, visit: (main: number, subAndTombstone: number) => void): void {
    this.#history.forEachDescending(this.#entries.history(id), visit);
  }

  subAndTombstone(id: number): number {
    return this.#entries.subAndTombstone(id);
  }

  /** Keys held, those with a tombstone included. */
  keyCount(): number {
    return this.#tree.count();
  }

  liveCount(): number {
    return this.#tree.live();
  }

  /** Revisions held, newest ones included. */
  revisionCount(): number {
    return this.#tree.count() + this.#history.revisionCount();
  }

  allocatedBytes(): number {
    const trees = this.#tree.allocatedBytes() + this.#hash.allocatedBytes();
    const data = this.#keys.allocatedBytes() + this.#entries.allocatedBytes();
    return trees + data + this.#history.allocatedBytes();
  }

  check(): void {
    this.#tree.check();
    assert(this.#tree.count() === this.#entries.count(), "entries and tree disagree");
    let waiting = 0;
    if (this.#backlogNext !== 0) {
      for (let id = this.#backlogNext; id <= this.#backlogLast; id++) {
        if (!this.#entries.isFree(id)) waiting++;
      }
    }
    const hashed = this.#hash.count();
    assert(hashed + waiting === this.#entries.count(), "entries and hash disagree");
  }
}
