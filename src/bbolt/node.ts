/**
 * A leaf or branch page while a write transaction changes it. Keys and values lie in one growing
 * heap that is only appended to, so views given out stay valid; the table holds where they are. No
 * object per entry.
 *
 *   table per entry: flags | key position | key bytes | value position | value bytes
 *   (in a branch the child's page id stands for the value position)
 *
 * A branch entry with a child Node (children[i]) will get new page ids when that child is spilled.
 */
import { assert } from "../base/assert.ts";
import { ELEMENT_BYTES, ELEMENT_FLAG_BUCKET, PAGE_HEADER_BYTES, type Page } from "./page.ts";

const STRIDE = 5;
const KEY_AT = 1;
const KEY_BYTES = 2;
const VALUE_AT = 3;
const VALUE_BYTES = 4;
/** Short keys are copied faster without a native call. */
const COPY_BY_LOOP_BYTES_MAX = 32;
const FIRST_ENTRIES = 16;
const FIRST_HEAP_BYTES = 512;
/**
 * A node that grows beyond these is split in memory, which bounds the cost of inserting in its
 * middle.
 */
const ENTRIES_MAX = 1024;
const PAYLOAD_BYTES_MAX = 128 * 1024;

export class Node {
  readonly isLeaf: boolean;
  /**
   * The run this node was read from, to be freed when it is spilled; 0 pages for a new or inline
   * one.
   */
  pageId = 0;
  pageCount = 0;
  /** Something was removed: it may have to be merged. */
  shrunk = false;
  /** Branches only: the children that are being changed too. */
  readonly children: (Node | null)[] = [];
  #count = 0;
  #payloadBytes = 0;
  #table: Int32Array;
  #heap: Uint8Array;
  #heapBytes = 0;

  constructor(isLeaf: boolean, entries = FIRST_ENTRIES, heapBytes = FIRST_HEAP_BYTES) {
    this.isLeaf = isLeaf;
    this.#table = new Int32Array(entries * STRIDE);
    this.#heap = new Uint8Array(new ArrayBuffer(heapBytes));
  }

  static fromPage(page: Page): Node {
    const node = new Node(page.isLeaf, page.count + FIRST_ENTRIES, 0);
    node.pageId = page.pageId;
    node.pageCount = page.pageCount;
    // The page's bytes serve as the heap: full, so that the first addition moves on to memory of
    // its own.
    node.#heap = page.bytes;
    node.#heapBytes = page.bytes.length;
    for (let i = 0; i < page.count; i++) {
      const keyAt = page.keyAt(i);
      const keyBytes = page.keyBytes(i);
      if (page.isLeaf) {
        const flags = page.isBucket(i) ? ELEMENT_FLAG_BUCKET : 0;
        node.#insertEntry(i, flags, keyAt, keyBytes, keyAt + keyBytes, page.valueBytes(i));
      } else {
        node.#insertEntry(i, 0, keyAt, keyBytes, page.child(i), 0);
        node.children.push(null);
      }
    }
    return node;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): Uint8Array {
    return this.#heap;
  }

  /** What the node takes as one page. */
  get encodedBytes(): number {
    return PAGE_HEADER_BYTES + this.#count * ELEMENT_BYTES + this.#payloadBytes;
  }

  get isTooLarge(): boolean {
    return this.#count > 1 && (this.#count > ENTRIES_MAX || this.#payloadBytes > PAYLOAD_BYTES_MAX);
  }

  keyAt(index: number): number {
    return this.#table[index * STRIDE + KEY_AT]!;
  }

  keyBytes(index: number): number {
    return this.#table[index * STRIDE + KEY_BYTES]!;
  }

  valueAt(index: number): number {
    return this.#table[index * STRIDE + VALUE_AT]!;
  }

  valueBytes(index: number): number {
    return this.#table[index * STRIDE + VALUE_BYTES]!;
  }

  isBucket(index: number): boolean {
    return this.#table[index * STRIDE] === ELEMENT_FLAG_BUCKET;
  }

  child(index: number): number {
    return this.#table[index * STRIDE + VALUE_AT]!;
  }

  key(index: number): Uint8Array {
    const at = this.keyAt(index);
    return this.#heap.subarray(at, at + this.keyBytes(index));
  }

  value(index: number): Uint8Array {
    const at = this.valueAt(index);
    return this.#heap.subarray(at, at + this.valueBytes(index));
  }

  /** Like Page.search. */
  search(key: Uint8Array): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const order = this.compareKey(key, middle);
      if (order === 0) return middle;
      if (order < 0) high = middle - 1;
      else low = middle + 1;
    }
    return ~low;
  }

  /** Negative when `key` sorts before the entry's. */
  compareKey(key: Uint8Array, index: number): number {
    const start = this.#table[index * STRIDE + KEY_AT]!;
    const present = this.#table[index * STRIDE + KEY_BYTES]!;
    const heap = this.#heap;
    const shared = Math.min(key.length, present);
    for (let i = 0; i < shared; i++) {
      const order = key[i]! - heap[start + i]!;
      if (order !== 0) return order;
    }
    return key.length - present;
  }

  insertLeaf(index: number, flags: number, key: Uint8Array, value: Uint8Array): void {
    assert(this.isLeaf, "values live in leaves");
    const at = this.#append(key, value);
    this.#insertEntry(index, flags, at, key.length, at + key.length, value.length);
  }

  replaceValue(index: number, flags: number, value: Uint8Array): void {
    assert(this.isLeaf && index < this.#count, "a value is replaced in a leaf");
    this.#payloadBytes -= this.valueBytes(index);
    // Without its old value the entry may be moved by a compaction of the heap.
    this.#table[index * STRIDE + VALUE_BYTES] = 0;
    const at = this.#append(value, null);
    const base = index * STRIDE;
    this.#table[base] = flags;
    this.#table[base + VALUE_AT] = at;
    this.#table[base + VALUE_BYTES] = value.length;
    this.#payloadBytes += value.length;
  }

  insertBranch(index: number, key: Uint8Array, childPageId: number, child: Node | null): void {
    assert(!this.isLeaf, "children live in branches");
    const at = this.#append(key, null);
    this.#insertEntry(index, 0, at, key.length, childPageId, 0);
    this.children.splice(index, 0, child);
  }

  remove(index: number): void {
    assert(index < this.#count, "an entry is removed");
    this.#payloadBytes -= this.keyBytes(index) + (this.isLeaf ? this.valueBytes(index) : 0);
    this.#table.copyWithin(index * STRIDE, (index + 1) * STRIDE, this.#count * STRIDE);
    this.#count--;
    if (!this.isLeaf) this.children.splice(index, 1);
    this.shrunk = true;
  }

  /** Takes over entries [from, to) of another node at the end. */
  absorb(other: Node, from: number, to: number): void {
    assert(other.isLeaf === this.isLeaf, "only nodes of one level are joined");
    for (let i = from; i < to; i++) {
      if (this.isLeaf) {
        const flags = other.isBucket(i) ? ELEMENT_FLAG_BUCKET : 0;
        this.insertLeaf(this.#count, flags, other.key(i), other.value(i));
      } else {
        this.insertBranch(this.#count, other.key(i), other.child(i), other.children[i] ?? null);
      }
    }
  }

  /**
   * Moves the entries from `index` on into a new node. One that will be filled up like this one
   * gets its room at once: growing there step by step would cost several times its size.
   */
  splitAt(index: number, willFill: boolean): Node {
    assert(index > 0 && index < this.#count, "both halves of a split have entries");
    const entries = (willFill ? index : this.#count - index) + FIRST_ENTRIES;
    const heapBytes = willFill ? this.#payloadBytes + this.#payloadBytes / 16 : FIRST_HEAP_BYTES;
    const right = new Node(this.isLeaf, entries, Math.min(heapBytes, 2 * PAYLOAD_BYTES_MAX) | 0);
    right.absorb(this, index, this.#count);
    this.#payloadBytes -= right.#payloadBytes;
    this.#count = index;
    if (!this.isLeaf) this.children.length = index;
    return right;
  }

  #insertEntry(
    index: number,
    flags: number,
    keyAt: number,
    keyBytes: number,
    valueAt: number,
    valueBytes: number,
  ): void {
    if ((this.#count + 1) * STRIDE > this.#table.length) {
      const table = new Int32Array(this.#table.length * 2);
      table.set(this.#table);
      this.#table = table;
    }
    const base = index * STRIDE;
    const table = this.#table;
    if (index < this.#count) table.copyWithin(base + STRIDE, base, this.#count * STRIDE);
    table[base] = flags;
    table[base + KEY_AT] = keyAt;
    table[base + KEY_BYTES] = keyBytes;
    table[base + VALUE_AT] = valueAt;
    table[base + VALUE_BYTES] = valueBytes;
    this.#count++;
    this.#payloadBytes += keyBytes + valueBytes;
  }

  #append(first: Uint8Array, second: Uint8Array | null): number {
    const length = first.length + (second === null ? 0 : second.length);
    if (this.#heapBytes + length > this.#heap.length) this.#moveHeap(length);
    const at = this.#heapBytes;
    if (first.length > COPY_BY_LOOP_BYTES_MAX) this.#heap.set(first, at);
    else for (let i = 0; i < first.length; i++) this.#heap[at + i] = first[i]!;
    if (second !== null) this.#heap.set(second, at + first.length);
    this.#heapBytes = at + length;
    return at;
  }

  /**
   * A larger heap, without what is dead if that is much. The old one stays as it is for views into
   * it.
   */
  #moveHeap(lengthMore: number): void {
    if (this.#payloadBytes * 2 >= this.#heapBytes) {
      const heap = new Uint8Array(new ArrayBuffer(2 * (this.#heapBytes + lengthMore)));
      heap.set(this.#heap.subarray(0, this.#heapBytes));
      this.#heap = heap;
      return;
    }
    const size = Math.max(FIRST_HEAP_BYTES, 2 * (this.#payloadBytes + lengthMore));
    const heap = new Uint8Array(new ArrayBuffer(size));
    let end = 0;
    for (let i = 0; i < this.#count; i++) {
      const base = i * STRIDE;
      end = this.#move(heap, end, base + KEY_AT, this.#table[base + KEY_BYTES]!);
      if (this.isLeaf)
        end = this.#move(heap, end, base + VALUE_AT, this.#table[base + VALUE_BYTES]!);
    }
    this.#heap = heap;
    this.#heapBytes = end;
  }

  #move(heap: Uint8Array, end: number, slot: number, length: number): number {
    const from = this.#table[slot]!;
    heap.set(this.#heap.subarray(from, from + length), end);
    this.#table[slot] = end;
    return end + length;
  }
}
