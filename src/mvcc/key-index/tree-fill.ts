/** Builds the nodes of a key tree from ids that come in key order: the fast way after a restart. */
import {
  INNER_CHILDREN_MAX,
  LEAF_ENTRIES_MAX,
  NODE_HEADER_WORDS,
  type TreeNodes,
} from "./tree-nodes.ts";

// An eighth stays free so that the first inserts split nothing.
const PER_LEAF = LEAF_ENTRIES_MAX - (LEAF_ENTRIES_MAX >> 3);
const PER_INNER = INNER_CHILDREN_MAX - (INNER_CHILDREN_MAX >> 3);

export interface FilledTree {
  root: number;
  height: number;
  count: number;
  live: number;
}

/** `emptyLeaf` becomes the first leaf; `next` gives ids with LIVE_BIT, then 0. */
export function fillNodes(nodes: TreeNodes, emptyLeaf: number, next: () => number): FilledTree {
  const out: FilledTree = { root: emptyLeaf, height: 0, count: 0, live: 0 };
  let level = fillLeaves(nodes, emptyLeaf, next, out);
  while (level.length > 1) {
    const above: number[] = [];
    for (let first = 0; first < level.length; ) {
      let count = Math.min(PER_INNER, level.length - first);
      if (level.length - first - count === 1) count--; // no node with a single child
      above.push(nodes.addInner(level, first, count, out.height > 0));
      first += count;
    }
    level = above;
    out.height++;
  }
  out.root = level[0]!;
  return out;
}

function fillLeaves(
  nodes: TreeNodes,
  emptyLeaf: number,
  next: () => number,
  out: FilledTree,
): number[] {
  const leaves = [emptyLeaf];
  let words = nodes.words(emptyLeaf);
  let at = nodes.offset(emptyLeaf);
  for (let id = next(); id !== 0; id = next()) {
    if (words[at] === PER_LEAF) {
      const leaf = nodes.add();
      words[at + 2] = leaf;
      words = nodes.words(leaf);
      at = nodes.offset(leaf);
      leaves.push(leaf);
    }
    const count = words[at]!;
    words[at + NODE_HEADER_WORDS + count] = id;
    words[at] = count + 1;
    words[at + 1] = words[at + 1]! + (id >>> 31);
    out.count++;
    out.live += id >>> 31;
  }
  return leaves;
}
