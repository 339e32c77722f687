/**
 * After removals, before spilling: empty nodes disappear, nodes under a quarter of a page join a
 * neighbour, and a root branch with one child gives way to it. Works bottom-up on the nodes that
 * are in memory anyway.
 */
import { compareBytes } from "../base/bytes.ts";
import { Node } from "./node.ts";
import type { Page } from "./page.ts";

/** What rebalancing needs of the running transaction. */
export interface NodeStore {
  readonly pageBytes: number;
  page(pageId: number): Page;
  free(pageId: number, pageCount: number): void;
  damaged(pageId: number, reason: string): Error;
}

const UNDERFULL_DIVISOR = 4;

/** Returns the root of the balanced tree. */
export function rebalance(root: Node, store: NodeStore): Node {
  balanceChildren(root, store);
  let top = root;
  while (!top.isLeaf && top.count <= 1) {
    const below = top.count === 0 ? new Node(true) : childNode(top, 0, store);
    if (top.pageCount > 0) store.free(top.pageId, top.pageCount);
    top = below;
  }
  return top;
}

/** The child as an editable node, read from its page when it is not one yet. */
export function childNode(parent: Node, index: number, store: NodeStore): Node {
  const present = parent.children[index];
  if (present) return present;
  const page = store.page(parent.child(index));
  if (page.count === 0) throw store.damaged(page.pageId, "is an empty leaf below a branch");
  const inOrder =
    compareBytes(page.key(0), parent.key(index)) >= 0 &&
    (index + 1 >= parent.count ||
      compareBytes(page.key(page.count - 1), parent.key(index + 1)) < 0);
  if (!inOrder) throw store.damaged(page.pageId, "has keys outside of its parent's bounds");
  const child = Node.fromPage(page);
  parent.children[index] = child;
  return child;
}

function balanceChildren(node: Node, store: NodeStore): void {
  if (node.isLeaf) return;
  let index = 0;
  while (index < node.count) {
    const child = node.children[index] ?? null;
    if (child === null) {
      index++;
      continue;
    }
    balanceChildren(child, store);
    if (!child.shrunk || !isUnderfull(child, store.pageBytes)) {
      index++;
    } else if (child.count === 0) {
      dropChild(node, index, store);
    } else if (node.count === 1) {
      // No neighbour here; this node is itself too small and joins one of its own.
      node.shrunk = true;
      index++;
    } else {
      index = joinNeighbour(node, index, store);
    }
  }
}

function isUnderfull(node: Node, pageBytes: number): boolean {
  return node.count < (node.isLeaf ? 1 : 2) || node.encodedBytes < pageBytes / UNDERFULL_DIVISOR;
}

function joinNeighbour(parent: Node, index: number, store: NodeStore): number {
  const left = index > 0 ? index - 1 : index;
  const target = childNode(parent, left, store);
  const source = childNode(parent, left + 1, store);
  if (target.isLeaf !== source.isLeaf) {
    throw store.damaged(source.pageId, "has a neighbour on another level of the tree");
  }
  const disordered =
    target.count > 0 &&
    source.count > 0 &&
    compareBytes(target.key(target.count - 1), source.key(0)) >= 0;
  if (disordered) throw store.damaged(target.pageId, "has keys of its neighbour's range");
  target.absorb(source, 0, source.count);
  target.shrunk = true;
  dropChild(parent, left + 1, store);
  return left;
}

function dropChild(parent: Node, index: number, store: NodeStore): void {
  const child = parent.children[index]!;
  if (child.pageCount > 0) store.free(child.pageId, child.pageCount);
  parent.remove(index);
}
