/**
 * What happens to a node of the key tree that became too small: it is merged with a sibling under
 * the same parent, or, where both together do not fit into one node, entries move over until both
 * are even.
 */
import {
  CHILD_WORDS,
  ID_MASK,
  INNER_CHILDREN_MAX,
  LEAF_ENTRIES_MAX,
  NODE_HEADER_WORDS,
  type TreeNodes,
} from "./tree-nodes.ts";

/** Child `index` of `parent` is a leaf with too few entries. */
export function rebalanceLeaf(nodes: TreeNodes, parent: number, index: number): void {
  balance(nodes, parent, index, 1, LEAF_ENTRIES_MAX);
}

/** Child `index` of `parent` is an inner node with too few children. */
export function rebalanceInner(nodes: TreeNodes, parent: number, index: number): void {
  balance(nodes, parent, index, CHILD_WORDS, INNER_CHILDREN_MAX);
}

function balance(
  nodes: TreeNodes,
  parent: number,
  index: number,
  itemWords: number,
  itemsMax: number,
): void {
  const parentWords = nodes.words(parent);
  const parentAt = nodes.offset(parent);
  if (parentWords[parentAt]! < 2) return;
  const leftIndex = index > 0 ? index - 1 : 0;
  const leftSlot = parentAt + NODE_HEADER_WORDS + leftIndex * CHILD_WORDS;
  const rightSlot = leftSlot + CHILD_WORDS;
  const left = parentWords[leftSlot]!;
  const right = parentWords[rightSlot]!;
  const leftCount = nodes.count(left);
  const total = leftCount + nodes.count(right);
  if (total <= itemsMax) {
    moveToLeft(nodes, left, right, total - leftCount, itemWords);
    if (itemWords === 1) {
      nodes.words(left)[nodes.offset(left) + 2] = nodes.words(right)[nodes.offset(right) + 2]!;
    }
    nodes.remove(right);
    const end = parentAt + NODE_HEADER_WORDS + parentWords[parentAt]! * CHILD_WORDS;
    parentWords.copyWithin(rightSlot, rightSlot + CHILD_WORDS, end);
    parentWords[parentAt] = parentWords[parentAt]! - 1;
  } else {
    const wanted = total >> 1;
    if (leftCount < wanted) moveToLeft(nodes, left, right, wanted - leftCount, itemWords);
    else moveToRight(nodes, left, right, leftCount - wanted, itemWords);
    noteChild(nodes, parentWords, rightSlot, itemWords);
  }
  noteChild(nodes, parentWords, leftSlot, itemWords);
}

/** Brings the parent's smallest id and living total of a child up to date. */
function noteChild(nodes: TreeNodes, words: Uint32Array, slot: number, itemWords: number): void {
  const child = words[slot]!;
  const first = nodes.offset(child) + NODE_HEADER_WORDS;
  const childWords = nodes.words(child);
  // An empty leaf was merged before it is noted, so there is a first item.
  words[slot + 1] = itemWords === 1 ? childWords[first]! & ID_MASK : childWords[first + 1]!;
  words[slot + 2] = itemWords === 1 ? nodes.leafLive(child) : nodes.innerLive(child);
}

function moveToLeft(
  nodes: TreeNodes,
  left: number,
  right: number,
  items: number,
  itemWords: number,
): void {
  const leftWords = nodes.words(left);
  const leftAt = nodes.offset(left);
  const rightWords = nodes.words(right);
  const rightAt = nodes.offset(right);
  const rightFirst = rightAt + NODE_HEADER_WORDS;
  const rightCount = rightWords[rightAt]!;
  const target = leftAt + NODE_HEADER_WORDS + leftWords[leftAt]! * itemWords;
  for (let i = 0; i < items * itemWords; i++) leftWords[target + i] = rightWords[rightFirst + i]!;
  const end = rightFirst + rightCount * itemWords;
  rightWords.copyWithin(rightFirst, rightFirst + items * itemWords, end);
  leftWords[leftAt] = leftWords[leftAt]! + items;
  rightWords[rightAt] = rightCount - items;
  if (itemWords === 1) moveLive(leftWords, leftAt, rightWords, rightAt, target, items);
}

function moveToRight(
  nodes: TreeNodes,
  left: number,
  right: number,
  items: number,
  itemWords: number,
): void {
  const leftWords = nodes.words(left);
  const leftAt = nodes.offset(left);
  const rightWords = nodes.words(right);
  const rightAt = nodes.offset(right);
  const rightFirst = rightAt + NODE_HEADER_WORDS;
  const rightCount = rightWords[rightAt]!;
  const end = rightFirst + rightCount * itemWords;
  rightWords.copyWithin(rightFirst + items * itemWords, rightFirst, end);
  const stay = leftWords[leftAt]! - items;
  const source = leftAt + NODE_HEADER_WORDS + stay * itemWords;
  for (let i = 0; i < items * itemWords; i++) rightWords[rightFirst + i] = leftWords[source + i]!;
  leftWords[leftAt] = stay;
  rightWords[rightAt] = rightCount + items;
  if (itemWords === 1) moveLive(rightWords, rightAt, leftWords, leftAt, rightFirst, items);
}

/** Counts the living among `items` words at `from` in `toWords` over from one leaf to the other. */
function moveLive(
  toWords: Uint32Array,
  toAt: number,
  fromWords: Uint32Array,
  fromAt: number,
  from: number,
  items: number,
): void {
  let live = 0;
  for (let i = 0; i < items; i++) live += toWords[from + i]! >>> 31;
  toWords[toAt + 1] = toWords[toAt + 1]! + live;
  fromWords[fromAt + 1] = fromWords[fromAt + 1]! - live;
}
