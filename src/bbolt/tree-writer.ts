/**
 * A bucket of the write transaction. What is changed becomes Nodes, from the root down to the leaf
 * touched; the rest stays pages. finish() balances and spills it all and gives the bucket's new
 * header.
 */
import { assert } from "../base/assert.ts";
import { bytesToHex } from "../base/bytes.ts";
import type { BucketWriter, Cursor } from "./bucket.ts";
import {
  type BucketHeader,
  decodeBucketValue,
  encodeBucketValue,
  encodeInlineBucketValue,
  fitsInline,
} from "./bucket-value.ts";
import { TreeCursor, type TreeView, type Unit } from "./cursor.ts";
import { findPagesFrom } from "./find-pages.ts";
import { Node } from "./node.ts";
import { DEPTH_MAX, ELEMENT_FLAG_BUCKET, KEY_BYTES_MAX, Page } from "./page.ts";
import { childNode, type NodeStore, rebalance } from "./rebalance.ts";
import { type PageSpace, spill } from "./spill.ts";
import type { TreeDamage } from "./tree-damage.ts";

/** What a bucket needs of its transaction. */
export interface WriterStore extends NodeStore, PageSpace {
  damaged(pageId: number, reason: string): TreeDamage;
  /** Throws unless the transaction still takes changes. */
  assertWritable(): void;
}

const VALUE_BYTES_MAX = 0x7ffffffe;
const LOST_BUCKET = "is the root of a tree with a bucket that is not where its name belongs";
const TOO_DEEP = "is the root of a bucket nested too deep";
/** Deeper nesting than this is taken for damage when a bucket is deleted. */
const BUCKET_DEPTH_MAX = 512;
const DEFAULT_FILL_PERCENT = 0.5;

export class TreeWriter implements BucketWriter, TreeView {
  fillPercent = DEFAULT_FILL_PERCENT;
  changes = 1;
  readonly #store: WriterStore;
  #header: BucketHeader;
  #root: Node | null = null;
  /** The rightmost leaf, while it is known: ascending keys go straight to its end. */
  #tail: Node | null = null;
  #sequenceChanged = false;
  readonly #buckets = new Map<string, { name: Uint8Array; bucket: TreeWriter }>();
  /** The way down of the last locate(): branches and the child taken in each. */
  readonly #pathNodes: Node[] = [];
  readonly #pathIndexes: number[] = [];

  constructor(store: WriterStore, header: BucketHeader) {
    this.#store = store;
    this.#header = header;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const leaf = this.#leafOf(key);
    const index = leaf.search(key);
    return index < 0 || leaf.isBucket(index) ? undefined : leaf.value(index);
  }

  cursor(): Cursor {
    return new TreeCursor(this);
  }

  sequence(): number {
    return this.#header.sequence;
  }

  setSequence(sequence: number): void {
    this.#store.assertWritable();
    assert(Number.isSafeInteger(sequence) && sequence >= 0, "a sequence is a whole number");
    this.#header = { ...this.#header, sequence };
    this.#sequenceChanged = true;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#store.assertWritable();
    assert(key.length > 0 && key.length <= KEY_BYTES_MAX, "a key has 1 to 32768 bytes");
    assert(value.length <= VALUE_BYTES_MAX, "a value is shorter than 2 GiB");
    this.#put(key, value, 0);
  }

  delete(key: Uint8Array): boolean {
    this.#store.assertWritable();
    const present = this.#leafOf(key);
    const found = present.search(key);
    if (found < 0) return false;
    assert(!present.isBucket(found), "a bucket is deleted by deleteBucket");
    this.#remove(key);
    return true;
  }

  bucket(name: Uint8Array): TreeWriter | undefined {
    const text = bytesToHex(name);
    const known = this.#buckets.get(text);
    if (known !== undefined) return known.bucket;
    const leaf = this.#leafOf(name);
    const index = leaf.search(name);
    if (index < 0 || !leaf.isBucket(index)) return undefined;
    const header = decodeBucketValue(leaf.value(index));
    if (typeof header === "string") throw this.#store.damaged(leaf.pageId, header);
    return this.#addBucket(name, header);
  }

  createBucket(name: Uint8Array): TreeWriter {
    this.#store.assertWritable();
    assert(name.length > 0 && name.length <= KEY_BYTES_MAX, "a name has 1 to 32768 bytes");
    assert(this.#leafOf(name).search(name) < 0, "a new bucket's name is free");
    const value = encodeInlineBucketValue(new Node(true), 0);
    this.#put(name, value, ELEMENT_FLAG_BUCKET);
    const header = decodeBucketValue(value);
    assert(typeof header !== "string", "an empty bucket is a valid one");
    return this.#addBucket(name, header);
  }

  createBucketIfMissing(name: Uint8Array): TreeWriter {
    return this.bucket(name) ?? this.createBucket(name);
  }

  deleteBucket(name: Uint8Array): void {
    this.#store.assertWritable();
    const bucket = this.bucket(name);
    assert(bucket !== undefined, "a bucket to delete exists");
    bucket.#freeAll(0);
    this.#buckets.delete(bytesToHex(name));
    this.#remove(name);
  }

  rootUnit(): Unit {
    return this.#root ?? this.#header.inline ?? this.#store.page(this.#header.rootPageId);
  }

  childUnit(parent: Unit, index: number): Unit {
    if (parent instanceof Page) return this.#store.page(parent.child(index));
    return parent.children[index] ?? this.#store.page(parent.child(index));
  }

  damage(pageId: number, reason: string): TreeDamage {
    return this.#store.damaged(pageId, reason);
  }

  /**
   * Spills the bucket and those in it; null when nothing changed. The root bucket is never inline.
   */
  finish(isRootBucket: boolean): { rootPageId: number; value: Uint8Array } | null {
    for (const { name, bucket } of this.#buckets.values()) {
      const changed = bucket.finish(false);
      if (changed !== null) this.#put(name, changed.value, ELEMENT_FLAG_BUCKET);
    }
    if (this.#root === null && !this.#sequenceChanged) return null;
    const { inline, sequence } = this.#header;
    if (this.#root === null && inline !== null) this.#materializeRoot();
    let rootPageId = this.#header.rootPageId;
    let value: Uint8Array | null = null;
    if (this.#root !== null) {
      const root = rebalance(this.#root, this.#store);
      if (!isRootBucket && fitsInline(root, this.#store.pageBytes)) {
        if (root.pageCount > 0) this.#store.free(root.pageId, root.pageCount);
        rootPageId = 0;
        value = encodeInlineBucketValue(root, sequence);
      } else {
        rootPageId = spill(root, this.#store, this.fillPercent);
      }
    }
    value ??= encodeBucketValue(rootPageId, sequence);
    // From here on the bucket reads what was spilled.
    const header = decodeBucketValue(value);
    assert(typeof header !== "string", "a spilled bucket has a valid header");
    this.#header = header;
    this.#root = null;
    this.#tail = null;
    this.#sequenceChanged = false;
    this.changes++;
    return { rootPageId, value };
  }

  /**
   * Takes pages from `firstPageId` on into memory, so that finish() writes them anew: those below
   * `from` on, until `workMax` is done. `next` is where to go on, null at the end.
   */
  moveFrom(
    firstPageId: number,
    from: Uint8Array | null,
    workMax: number,
  ): { next: Uint8Array | null; moved: number; work: number } {
    this.#store.assertWritable();
    const found = findPagesFrom(this, firstPageId, from, workMax);
    for (const key of found.keys) this.#locate(key);
    if (found.keys.length > 0) this.changes++;
    return { next: found.next, moved: found.keys.length, work: found.work };
  }

  #addBucket(name: Uint8Array, header: BucketHeader): TreeWriter {
    const bucket = new TreeWriter(this.#store, header);
    this.#buckets.set(bytesToHex(name), { name: name.slice(), bucket });
    return bucket;
  }

  #put(key: Uint8Array, value: Uint8Array, flags: number): void {
    this.changes++;
    const tail = this.#tail;
    if (tail !== null && tail.count > 0 && !tail.isTooLarge) {
      if (tail.compareKey(key, tail.count - 1) > 0) {
        tail.insertLeaf(tail.count, flags, key, value);
        return;
      }
    }
    const leaf = this.#locate(key);
    const index = leaf.search(key);
    if (index >= 0) {
      assert((flags !== 0) === leaf.isBucket(index), "a bucket's name and a key do not mix");
      leaf.replaceValue(index, flags, value);
    } else {
      leaf.insertLeaf(~index, flags, key, value);
    }
    if (leaf.isTooLarge) this.#split(leaf, ~index === leaf.count - 1);
  }

  #remove(key: Uint8Array): void {
    this.changes++;
    const leaf = this.#locate(key);
    const index = leaf.search(key);
    assert(index >= 0, "the key to remove was found before");
    leaf.remove(index);
  }

  /** The leaf where a key belongs, as a Node, and the way to it. */
  #locate(key: Uint8Array): Node {
    this.#pathNodes.length = 0;
    this.#pathIndexes.length = 0;
    let node = this.#root ?? this.#materializeRoot();
    let isRightmost = true;
    while (!node.isLeaf) {
      if (this.#pathNodes.length >= DEPTH_MAX) throw this.damage(node.pageId, "is part of a loop");
      const found = node.search(key);
      const index = found >= 0 ? found : Math.max(~found - 1, 0);
      if (index < node.count - 1) isRightmost = false;
      this.#pathNodes.push(node);
      this.#pathIndexes.push(index);
      node = childNode(node, index, this.#store);
    }
    if (isRightmost) this.#tail = node;
    return node;
  }

  #materializeRoot(): Node {
    const { inline, rootPageId } = this.#header;
    this.#root = Node.fromPage(inline ?? this.#store.page(rootPageId));
    return this.#root;
  }

  /** Cuts a node that grew too large, and its parents as far as they grow too large by that. */
  #split(leaf: Node, appended: boolean): void {
    this.#tail = null;
    let node = leaf;
    // Ascending keys leave full nodes behind; otherwise both halves get room.
    let at = appended ? node.count - 1 : node.count >> 1;
    for (;;) {
      const right = node.splitAt(at, appended && node === leaf);
      let parent = this.#pathNodes.pop();
      let index = this.#pathIndexes.pop();
      if (parent === undefined || index === undefined) {
        parent = new Node(false);
        parent.insertBranch(0, node.key(0), 0, node);
        this.#root = parent;
        index = 0;
      }
      parent.insertBranch(index + 1, right.key(0), 0, right);
      if (!parent.isTooLarge) return;
      node = parent;
      at = node.count >> 1;
    }
  }

  #leafOf(key: Uint8Array): Unit {
    let unit = this.rootUnit();
    for (let depth = 0; !unit.isLeaf; depth++) {
      if (depth >= DEPTH_MAX) throw this.damage(unit.pageId, "is part of a loop");
      const found = unit.search(key);
      unit = this.childUnit(unit, found >= 0 ? found : Math.max(~found - 1, 0));
    }
    return unit;
  }

  /** Gives back every page of the bucket and of the buckets in it. */
  #freeAll(depth: number): void {
    if (depth > BUCKET_DEPTH_MAX) throw this.damage(this.rootUnit().pageId, TOO_DEEP);
    const names: Uint8Array[] = [];
    const cursor = this.cursor();
    for (let more = cursor.first(); more; more = cursor.next()) {
      if (cursor.isBucket()) names.push(cursor.key());
    }
    // Its own pages first: a bucket that contains itself is then found by freeing them twice.
    this.#freeUnit(this.rootUnit(), 0);
    for (const name of names) {
      const bucket = this.bucket(name);
      // Seen by the walk but not found by its key: the pages' order is broken somewhere above.
      if (bucket === undefined) throw this.damage(this.rootUnit().pageId, LOST_BUCKET);
      bucket.#freeAll(depth + 1);
    }
    this.#buckets.clear();
  }

  #freeUnit(unit: Unit, depth: number): void {
    if (depth >= DEPTH_MAX) throw this.damage(unit.pageId, "is part of a loop");
    // First itself: freeing a page twice is found out, which ends a walk through a loop of pages.
    if (unit.pageCount > 0) this.#store.free(unit.pageId, unit.pageCount);
    if (unit.isLeaf) return;
    for (let i = 0; i < unit.count; i++) this.#freeUnit(this.childUnit(unit, i), depth + 1);
  }
}
