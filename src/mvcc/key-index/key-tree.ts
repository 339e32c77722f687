/**
 * The ordered set of all keys: a B+tree of entry ids that knows how many living keys lie below each
 * node, so that counting a range at the newest revision takes two descents. It also holds the keys
 * whose newest revision is a tombstone until compaction takes them away; those are not counted.
 *
 * Invariants: the id stored for a child is that of the smallest entry below it; every node but the
 * root and the rightmost of its level has at least a quarter of its capacity; all leaves have the
 * same depth and are chained in key order. A position (leaf, index) is valid until the next change
 * of the set.
 */
import { assert } from "../../base/assert.ts";
import type { EntryPool } from "./entry-pool.ts";
import type { KeyArena } from "./key-arena.ts";
import { rebalanceInner, rebalanceLeaf } from "./tree-balance.ts";
import { checkNodes } from "./tree-check.ts";
import { fillNodes } from "./tree-fill.ts";
import {
  CHILD_WORDS,
  ID_MASK,
  INNER_CHILDREN_MAX,
  LEAF_ENTRIES_MAX,
  LIVE_BIT,
  NODE_HEADER_WORDS,
  TreeNodes,
} from "./tree-nodes.ts";

const DEPTH_MAX = 16;
const LEAF_ENTRIES_MIN = LEAF_ENTRIES_MAX >> 2;
const INNER_CHILDREN_MIN = INNER_CHILDREN_MAX >> 2;

export class KeyTree {
  readonly #nodes = new TreeNodes();
  readonly #entries: EntryPool;
  readonly #keys: KeyArena;
  #root: number;
  /** Inner levels above the leaves. */
  #height = 0;
  #count = 0;
  #live = 0;
  // The way of the last descent: nodes and child numbers from the root down.
  readonly #pathNodes = new Int32Array(DEPTH_MAX);
  readonly #pathIndexes = new Int32Array(DEPTH_MAX);
  /** Position that the last `seek` found: the first key not before the one sought. */
  leaf = 0;
  index = 0;
  /** Whether the key at that position is the one sought. */
  found = false;

  constructor(entries: EntryPool, keys: KeyArena) {
    this.#entries = entries;
    this.#keys = keys;
    this.#root = this.#nodes.add();
  }

  count(): number {
    return this.#count;
  }

  live(): number {
    return this.#live;
  }

  /**
   * Goes to the first key >= `key`. The index may be one behind the leaf's last entry: use
   * `normalize`.
   */
  seek(key: Uint8Array): void {
    let node = this.#root;
    let matchedLow = 0;
    let matchedHigh = 0;
    for (let level = 0; level < this.#height; level++) {
      const words = this.#nodes.words(node);
      const at = this.#nodes.offset(node);
      const firstChild = at + NODE_HEADER_WORDS;
      let low = 0;
      let high = words[at]!;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        const reference = this.#entries.keyReference(words[firstChild + middle * CHILD_WORDS + 1]!);
        const from = Math.min(matchedLow, matchedHigh);
        if (this.#keys.compareFrom(reference, key, from) <= 0) {
          low = middle;
          matchedLow = this.#keys.matched;
        } else {
          high = middle;
          matchedHigh = this.#keys.matched;
        }
      }
      this.#pathNodes[level] = node;
      this.#pathIndexes[level] = low;
      node = words[firstChild + low * CHILD_WORDS]!;
    }
    this.#seekInLeaf(node, key, Math.min(matchedLow, matchedHigh));
  }

  #seekInLeaf(node: number, key: Uint8Array, matched: number): void {
    const words = this.#nodes.words(node);
    const at = this.#nodes.offset(node);
    let low = 0;
    let high = words[at]!;
    let matchedLow = matched;
    let matchedHigh = matched;
    this.leaf = node;
    this.found = false;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const id = words[at + NODE_HEADER_WORDS + middle]! & ID_MASK;
      const from = Math.min(matchedLow, matchedHigh);
      const order = this.#keys.compareFrom(this.#entries.keyReference(id), key, from);
      if (order === 0) {
        this.index = middle;
        this.found = true;
        return;
      }
      if (order < 0) {
        low = middle + 1;
        matchedLow = this.#keys.matched;
      } else {
        high = middle;
        matchedHigh = this.#keys.matched;
      }
    }
    this.index = low;
  }

  /** Living keys before `key`. */
  liveBefore(key: Uint8Array): number {
    this.seek(key);
    let total = 0;
    for (let level = 0; level < this.#height; level++) {
      const node = this.#pathNodes[level]!;
      const words = this.#nodes.words(node);
      let at = this.#nodes.offset(node) + NODE_HEADER_WORDS + 2;
      for (let i = this.#pathIndexes[level]!; i > 0; i--, at += CHILD_WORDS) total += words[at]!;
    }
    const words = this.#nodes.words(this.leaf);
    const first = this.#nodes.offset(this.leaf) + NODE_HEADER_WORDS;
    for (let i = this.index - 1; i >= 0; i--) total += words[first + i]! >>> 31;
    return total;
  }

  /** The id of the key that the last `seek` looked for, or 0. */
  foundId(): number {
    return this.found ? this.at(this.leaf, this.index) & ID_MASK : 0;
  }

  /** The id at a position with LIVE_BIT, or 0 behind the last entry of the leaf. */
  at(leaf: number, index: number): number {
    const words = this.#nodes.words(leaf);
    const at = this.#nodes.offset(leaf);
    return index < words[at]! ? words[at + NODE_HEADER_WORDS + index]! : 0;
  }

  /** The leaf after this one, or 0. */
  nextLeaf(leaf: number): number {
    return this.#nodes.words(leaf)[this.#nodes.offset(leaf) + 2]!;
  }

  /** Marks the key (which is there) as living or not. */
  setLive(key: Uint8Array, live: boolean): void {
    this.seek(key);
    this.setLiveHere(live);
  }

  /** The same for the key that the last `seek` found. */
  setLiveHere(live: boolean): void {
    assert(this.found, "key is not in the tree");
    const words = this.#nodes.words(this.leaf);
    const at = this.#nodes.offset(this.leaf);
    const slot = at + NODE_HEADER_WORDS + this.index;
    if (words[slot]! >= LIVE_BIT === live) return;
    words[slot] = live ? words[slot]! | LIVE_BIT : words[slot]! & ID_MASK;
    const delta = live ? 1 : -1;
    words[at + 1] = words[at + 1]! + delta;
    this.#addLive(delta);
  }

  /** Adds a key that is not there, living. */
  insert(key: Uint8Array, id: number): void {
    this.seek(key);
    this.insertHere(id);
  }

  /** The same for the key that the last `seek` did not find. */
  insertHere(id: number): void {
    assert(!this.found, "key is in the tree already");
    this.#count++;
    this.#addLive(1);
    const words = this.#nodes.words(this.leaf);
    const at = this.#nodes.offset(this.leaf);
    if (words[at]! < LEAF_ENTRIES_MAX) {
      insertWords(words, at + NODE_HEADER_WORDS, words[at]!, this.index, 1);
      words[at + NODE_HEADER_WORDS + this.index] = id | LIVE_BIT;
      words[at] = words[at]! + 1;
      words[at + 1] = words[at + 1]! + 1;
      if (this.index === 0) this.#setSmallest(this.#height - 1, id);
      return;
    }
    if (this.index === 0) this.#setSmallest(this.#height - 1, id);
    this.#splitLeaf(id);
  }

  /** Removes a key that is there. */
  remove(key: Uint8Array): void {
    this.seek(key);
    assert(this.found, "key is not in the tree");
    const words = this.#nodes.words(this.leaf);
    const at = this.#nodes.offset(this.leaf);
    const first = at + NODE_HEADER_WORDS;
    const count = words[at]! - 1;
    if (words[first + this.index]! >= LIVE_BIT) {
      words[at + 1] = words[at + 1]! - 1;
      this.#addLive(-1);
    }
    words.copyWithin(first + this.index, first + this.index + 1, first + count + 1);
    words[at] = count;
    this.#count--;
    if (this.index === 0 && count > 0) this.#setSmallest(this.#height - 1, words[first]! & ID_MASK);
    if (count < LEAF_ENTRIES_MIN && this.#height > 0) this.#rebalance();
  }

  /**
   * Fills an empty tree with the ids from 1 to `count`, which are in key order; those in `dead`
   * (ascending) do not live.
   */
  fill(count: number, dead: readonly number[]): void {
    assert(this.#count === 0, "only an empty tree can be filled");
    const filled = fillNodes(this.#nodes, this.#root, count, dead);
    this.#root = filled.root;
    this.#height = filled.height;
    this.#count = count;
    this.#live = count - dead.length;
  }

  allocatedBytes(): number {
    return this.#nodes.allocatedBytes();
  }

  /** Walks everything and asserts the invariants; for `verify` and tests. */
  check(): void {
    const totals = checkNodes(this.#nodes, this.#entries, this.#keys, this.#root, this.#height);
    assert(totals.count === this.#count, "key tree count is wrong");
    assert(totals.live === this.#live, "key tree living total is wrong");
  }

  /** Adds to the living totals along the way of the last descent. */
  #addLive(delta: number): void {
    this.#live += delta;
    for (let level = 0; level < this.#height; level++) {
      const node = this.#pathNodes[level]!;
      const slot =
        this.#nodes.offset(node) + NODE_HEADER_WORDS + this.#pathIndexes[level]! * CHILD_WORDS;
      const words = this.#nodes.words(node);
      words[slot + 2] = words[slot + 2]! + delta;
    }
  }

  /**
   * Notes a new smallest entry for the child at `level` of the way, and upwards where it is the
   * first.
   */
  #setSmallest(level: number, id: number): void {
    for (; level >= 0; level--) {
      const node = this.#pathNodes[level]!;
      const index = this.#pathIndexes[level]!;
      const slot = this.#nodes.offset(node) + NODE_HEADER_WORDS + index * CHILD_WORDS;
      this.#nodes.words(node)[slot + 1] = id;
      if (index > 0) return;
    }
  }

  /** Splits the full leaf of the last descent and puts the id into the right half of the two. */
  #splitLeaf(id: number): void {
    const left = this.leaf;
    const right = this.#nodes.add();
    const leftWords = this.#nodes.words(left);
    const leftAt = this.#nodes.offset(left);
    const rightWords = this.#nodes.words(right);
    const rightAt = this.#nodes.offset(right);
    // Keys that arrive in order leave full leaves behind.
    const appending = this.index === LEAF_ENTRIES_MAX && leftWords[leftAt + 2] === 0;
    const stay = appending ? LEAF_ENTRIES_MAX : LEAF_ENTRIES_MAX >> 1;
    let moved = 0;
    for (let i = stay; i < LEAF_ENTRIES_MAX; i++) {
      const word = leftWords[leftAt + NODE_HEADER_WORDS + i]!;
      rightWords[rightAt + NODE_HEADER_WORDS + i - stay] = word;
      moved += word >>> 31;
    }
    rightWords[rightAt] = LEAF_ENTRIES_MAX - stay;
    rightWords[rightAt + 1] = moved;
    rightWords[rightAt + 2] = leftWords[leftAt + 2]!;
    leftWords[leftAt] = stay;
    leftWords[leftAt + 1] = leftWords[leftAt + 1]! - moved;
    leftWords[leftAt + 2] = right;
    const toRight = appending || this.index > stay;
    const words = toRight ? rightWords : leftWords;
    const at = toRight ? rightAt : leftAt;
    const index = toRight ? this.index - stay : this.index;
    insertWords(words, at + NODE_HEADER_WORDS, words[at]!, index, 1);
    words[at + NODE_HEADER_WORDS + index] = id | LIVE_BIT;
    words[at] = words[at]! + 1;
    words[at + 1] = words[at + 1]! + 1;
    const smallest = rightWords[rightAt + NODE_HEADER_WORDS]! & ID_MASK;
    this.#addChild(this.#height - 1, left, right, smallest, rightWords[rightAt + 1]!);
  }

  /**
   * Puts `right` behind the child at `level` of the way (that child is `left`), splitting upwards.
   */
  #addChild(level: number, left: number, right: number, smallest: number, live: number): void {
    for (; level >= 0; level--) {
      const node = this.#pathNodes[level]!;
      const words = this.#nodes.words(node);
      const at = this.#nodes.offset(node);
      const index = this.#pathIndexes[level]! + 1;
      const leftSlot = at + NODE_HEADER_WORDS + (index - 1) * CHILD_WORDS;
      words[leftSlot + 2] = words[leftSlot + 2]! - live;
      if (words[at]! < INNER_CHILDREN_MAX) {
        this.#putChild(node, index, right, smallest, live);
        return;
      }
      const other = this.#splitInner(node, index === INNER_CHILDREN_MAX);
      const stay = words[at]!;
      if (index > stay) this.#putChild(other, index - stay, right, smallest, live);
      else this.#putChild(node, index, right, smallest, live);
      left = node;
      right = other;
      smallest = this.#nodes.smallest(other, true);
      live = this.#nodes.innerLive(other);
    }
    this.#growRoot(left, right);
  }

  #growRoot(left: number, right: number): void {
    this.#root = this.#nodes.addInner([left, right], 0, 2, this.#height > 0);
    this.#height++;
    assert(this.#height < DEPTH_MAX, "key tree is too deep");
  }

  #putChild(node: number, index: number, child: number, smallest: number, live: number): void {
    const words = this.#nodes.words(node);
    const at = this.#nodes.offset(node);
    insertWords(words, at + NODE_HEADER_WORDS, words[at]!, index, CHILD_WORDS);
    const slot = at + NODE_HEADER_WORDS + index * CHILD_WORDS;
    words[slot] = child;
    words[slot + 1] = smallest;
    words[slot + 2] = live;
    words[at] = words[at]! + 1;
  }

  #splitInner(node: number, appending: boolean): number {
    const other = this.#nodes.add();
    const words = this.#nodes.words(node);
    const at = this.#nodes.offset(node);
    const otherWords = this.#nodes.words(other);
    const otherAt = this.#nodes.offset(other);
    const stay = appending ? INNER_CHILDREN_MAX - 1 : INNER_CHILDREN_MAX >> 1;
    const moved = (INNER_CHILDREN_MAX - stay) * CHILD_WORDS;
    const source = at + NODE_HEADER_WORDS + stay * CHILD_WORDS;
    for (let i = 0; i < moved; i++) {
      otherWords[otherAt + NODE_HEADER_WORDS + i] = words[source + i]!;
    }
    words[at] = stay;
    otherWords[otherAt] = INNER_CHILDREN_MAX - stay;
    return other;
  }

  /**
   * Merges or evens out the too small leaf of the last descent, then its parents as far as needed.
   */
  #rebalance(): void {
    for (let level = this.#height - 1; level >= 0; level--) {
      const parent = this.#pathNodes[level]!;
      const index = this.#pathIndexes[level]!;
      if (level === this.#height - 1) rebalanceLeaf(this.#nodes, parent, index);
      else rebalanceInner(this.#nodes, parent, index);
      if (level === 0) break;
      if (this.#nodes.count(parent) >= INNER_CHILDREN_MIN) return;
    }
    while (this.#height > 0 && this.#nodes.count(this.#root) === 1) {
      const root = this.#root;
      this.#root = this.#nodes.words(root)[this.#nodes.offset(root) + NODE_HEADER_WORDS]!;
      this.#nodes.remove(root);
      this.#height--;
    }
  }
}

/** Makes room for one item of `itemWords` at `index` among `count` items that begin at `first`. */
function insertWords(
  words: Uint32Array,
  first: number,
  count: number,
  index: number,
  itemWords: number,
): void {
  const from = first + index * itemWords;
  if (index < count) words.copyWithin(from + itemWords, from, first + count * itemWords);
}
