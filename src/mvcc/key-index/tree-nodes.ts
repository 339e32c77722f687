/**
 * The nodes of the key tree: 128 words each, in chunks, addressed by number. Node 0 is never handed
 * out.
 *
 * Leaf:  word 0 count, 1 living entries, 2 next leaf (0: none), from 3 on entry ids, LIVE_BIT set
 *        when the key lives at the newest revision.
 * Inner: word 0 count, from 3 on per child: node, id of the smallest entry below it, living entries
 *        below it.
 *
 * Whether a node is a leaf follows from its depth; nodes do not say it.
 */
import { assert } from "../../base/assert.ts";

export const NODE_HEADER_WORDS = 3;
export const CHILD_WORDS = 3;
export const LEAF_ENTRIES_MAX = 125;
export const INNER_CHILDREN_MAX = 41;
export const LIVE_BIT = 0x80000000;
export const ID_MASK = 0x7fffffff;

const NODE_WORDS_BITS = 7;
const CHUNK_NODES_BITS = 7;
const CHUNK_NODES = 1 << CHUNK_NODES_BITS;

export class TreeNodes {
  readonly chunks: Uint32Array[] = [new Uint32Array(CHUNK_NODES << NODE_WORDS_BITS)];
  #freeHead = 0;
  #limit = 1;

  /** The chunk that holds the node. */
  words(node: number): Uint32Array {
    return this.chunks[node >>> CHUNK_NODES_BITS]!;
  }

  /** Offset of the node's first word in its chunk. */
  offset(node: number): number {
    return (node & (CHUNK_NODES - 1)) << NODE_WORDS_BITS;
  }

  add(): number {
    let node = this.#freeHead;
    if (node !== 0) {
      this.#freeHead = this.words(node)[this.offset(node)]!;
    } else {
      node = this.#limit++;
      assert(node < ID_MASK, "too many tree nodes");
      if (node >>> CHUNK_NODES_BITS >= this.chunks.length) {
        this.chunks.push(new Uint32Array(CHUNK_NODES << NODE_WORDS_BITS));
      }
    }
    const at = this.offset(node);
    this.words(node).fill(0, at, at + NODE_HEADER_WORDS);
    return node;
  }

  remove(node: number): void {
    this.words(node)[this.offset(node)] = this.#freeHead;
    this.#freeHead = node;
  }

  count(node: number): number {
    return this.words(node)[this.offset(node)]!;
  }

  /** Living entries of a leaf. */
  leafLive(node: number): number {
    return this.words(node)[this.offset(node) + 1]!;
  }

  /** Living entries below an inner node. */
  innerLive(node: number): number {
    const words = this.words(node);
    const at = this.offset(node) + NODE_HEADER_WORDS;
    let live = 0;
    for (let i = words[at - NODE_HEADER_WORDS]! - 1; i >= 0; i--) {
      live += words[at + i * CHILD_WORDS + 2]!;
    }
    return live;
  }

  /** Id of the smallest entry of a node that is not empty. */
  smallest(node: number, inner: boolean): number {
    const words = this.words(node);
    const first = this.offset(node) + NODE_HEADER_WORDS;
    return inner ? words[first + 1]! : words[first]! & ID_MASK;
  }

  /**
   * A new inner node over `count` children from `first` on, which are inner nodes themselves or
   * leaves.
   */
  addInner(
    children: readonly number[],
    first: number,
    count: number,
    childrenInner: boolean,
  ): number {
    const node = this.add();
    const words = this.words(node);
    const at = this.offset(node);
    words[at] = count;
    for (let i = 0; i < count; i++) {
      const child = children[first + i]!;
      const slot = at + NODE_HEADER_WORDS + i * CHILD_WORDS;
      words[slot] = child;
      words[slot + 1] = this.smallest(child, childrenInner);
      words[slot + 2] = childrenInner ? this.innerLive(child) : this.leafLive(child);
    }
    return node;
  }

  allocatedBytes(): number {
    return this.chunks.length * ((CHUNK_NODES << NODE_WORDS_BITS) * 4);
  }
}
