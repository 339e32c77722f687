/** Builds the nodes of a key tree from ids that come in key order: the fast way after a restart. */
import {
  INNER_CHILDREN_MAX,
  LEAF_ENTRIES_MAX,
  LIVE_BIT,
  NODE_HEADER_WORDS,
  type TreeNodes,
} from "./tree-nodes.ts";

// An eighth stays free so that the first inserts split nothing.
const PER_LEAF = LEAF_ENTRIES_MAX - (LEAF_ENTRIES_MAX >> 3);
const PER_INNER = INNER_CHILDREN_MAX - (INNER_CHILDREN_MAX >> 3);

export interface FilledTree {
  root: number;
  height: number;
}

/** `emptyLeaf` becomes the first leaf; the ids are 1 to `count`, those in `dead` do not live. */
export function fillNodes(
  nodes: TreeNodes,
  emptyLeaf: number,
  count: number,
  dead: readonly number[],
): FilledTree {
  let level = fillLeaves(nodes, emptyLeaf, count, dead);
  let height = 0;
  while (level.length > 1) {
    const above: number[] = [];
    for (let first = 0; first < level.length; ) {
      let children = Math.min(PER_INNER, level.length - first);
      if (level.length - first - children === 1) children--; // no node with a single child
      above.push(nodes.addInner(level, first, children, height > 0));
      first += children;
    }
    level = above;
    height++;
  }
  return { root: level[0]!, height };
}

function fillLeaves(
  nodes: TreeNodes,
  emptyLeaf: number,
  count: number,
  dead: readonly number[],
): number[] {
  const leaves = [emptyLeaf];
  let leaf = emptyLeaf;
  let nextDead = 0;
  for (let id = 1; id <= count; ) {
    if (id > 1) {
      const next = nodes.add();
      nodes.words(leaf)[nodes.offset(leaf) + 2] = next;
      leaf = next;
      leaves.push(leaf);
    }
    const words = nodes.words(leaf);
    const at = nodes.offset(leaf);
    const first = id;
    const slots = at + NODE_HEADER_WORDS;
    const end = Math.min(first + PER_LEAF, count + 1);
    for (; id < end; id++) words[slots + id - first] = id | LIVE_BIT;
    let live = end - first;
    for (; nextDead < dead.length && dead[nextDead]! < end; nextDead++, live--) {
      words[slots + dead[nextDead]! - first] = dead[nextDead]!;
    }
    words[at] = end - first;
    words[at + 1] = live;
  }
  return leaves;
}
