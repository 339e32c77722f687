/** Walks all nodes of a key tree and asserts what must hold between them. */
import { assert } from "../../base/assert.ts";
import type { EntryPool } from "./entry-pool.ts";
import type { KeyArena } from "./key-arena.ts";
import { CHILD_WORDS, ID_MASK, LIVE_BIT, NODE_HEADER_WORDS, type TreeNodes } from "./tree-nodes.ts";

interface Walk {
  readonly nodes: TreeNodes;
  readonly entries: EntryPool;
  readonly keys: KeyArena;
  readonly height: number;
  leaf: number;
  previous: number;
  count: number;
  live: number;
}

export function checkNodes(
  nodes: TreeNodes,
  entries: EntryPool,
  keys: KeyArena,
  root: number,
  height: number,
): { count: number; live: number } {
  const walk: Walk = { nodes, entries, keys, height, leaf: 0, previous: 0, count: 0, live: 0 };
  if (height > 0) assert(nodes.count(root) >= 2, "root with a single child");
  checkNode(walk, root, 0);
  assert(nodes.words(walk.leaf)[nodes.offset(walk.leaf) + 2] === 0, "last leaf has a successor");
  return walk;
}

function checkNode(walk: Walk, node: number, depth: number): number {
  if (depth === walk.height) return checkLeaf(walk, node);
  const words = walk.nodes.words(node);
  const at = walk.nodes.offset(node);
  assert(words[at]! >= 2, "inner node with fewer than two children");
  let live = 0;
  for (let i = 0; i < words[at]!; i++) {
    const slot = at + NODE_HEADER_WORDS + i * CHILD_WORDS;
    const child = words[slot]!;
    const smallest = walk.nodes.smallest(child, depth + 1 < walk.height);
    assert(words[slot + 1] === smallest, "smallest entry of a child is wrong");
    const below = checkNode(walk, child, depth + 1);
    assert(below === words[slot + 2], "living total of a child is wrong");
    live += below;
  }
  return live;
}

function checkLeaf(walk: Walk, node: number): number {
  const { nodes, entries, keys } = walk;
  const words = nodes.words(node);
  const at = nodes.offset(node);
  if (walk.leaf !== 0) {
    assert(nodes.words(walk.leaf)[nodes.offset(walk.leaf) + 2] === node, "leaf chain is broken");
  }
  walk.leaf = node;
  let live = 0;
  for (let i = 0; i < words[at]!; i++) {
    const word = words[at + NODE_HEADER_WORDS + i]!;
    const id = word & ID_MASK;
    if (walk.previous !== 0) {
      const key = keys.copy(entries.keyReference(id));
      const order = keys.compareFrom(entries.keyReference(walk.previous), key, 0);
      assert(order < 0, "keys are out of order");
    }
    assert(word >= LIVE_BIT === !entries.isTombstone(id), "living mark is wrong");
    walk.previous = id;
    walk.count++;
    live += word >>> 31;
  }
  assert(words[at + 1] === live, "living total of a leaf is wrong");
  walk.live += live;
  return live;
}
