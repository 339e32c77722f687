/**
 * Finds the pages of one tree that lie at the end of the file, by reading branches only: all leaves
 * are at the same depth, so a leaf's page id is seen in its parent.
 */
import type { TreeView, Unit } from "./cursor.ts";
import { DEPTH_MAX, Page } from "./page.ts";

/**
 * What one page found counts for, against one element looked at: it will be read, rebuilt and
 * written.
 */
const FOUND_WORK = 20;

export interface FoundPages {
  /** A key for each page found: the way down to it leads through the page. */
  keys: Uint8Array[];
  /** The key to go on from; null when the tree is done. */
  next: Uint8Array | null;
  work: number;
}

export function findPagesFrom(
  tree: TreeView,
  firstPageId: number,
  from: Uint8Array | null,
  workMax: number,
): FoundPages {
  const found: FoundPages = { keys: [], next: null, work: 1 };
  const root = tree.rootUnit();
  const height = heightBelow(tree, root);
  if (height === 0) {
    if (isPageFrom(root, firstPageId) && root.count > 0) take(found, root.key(0));
    return found;
  }
  search(tree, root, height, firstPageId, from, workMax, found);
  return found;
}

/** Walks a branch `height` levels above the leaves; false when the work is used up. */
function search(
  tree: TreeView,
  unit: Unit,
  height: number,
  firstPageId: number,
  from: Uint8Array | null,
  workMax: number,
  found: FoundPages,
): boolean {
  if (unit.isLeaf) throw tree.damage(unit.pageId, "is a leaf higher in the tree than others");
  if (isPageFrom(unit, firstPageId)) take(found, unit.key(0));
  let index = 0;
  if (from !== null) {
    const at = unit.search(from);
    index = at >= 0 ? at : Math.max(~at - 1, 0);
  }
  for (; index < unit.count; index++) {
    if (found.work >= workMax) {
      found.next = unit.key(index).slice();
      return false;
    }
    found.work++;
    if (height > 1) {
      const child = tree.childUnit(unit, index);
      if (!search(tree, child, height - 1, firstPageId, from, workMax, found)) return false;
    } else if (unit.child(index) >= firstPageId) {
      // Of a Node's children those in memory are written anew anyway; taking one again does no
      // harm.
      take(found, unit.key(index));
    }
  }
  return true;
}

function take(found: FoundPages, key: Uint8Array): void {
  found.keys.push(key);
  found.work += FOUND_WORK;
}

function isPageFrom(unit: Unit, firstPageId: number): boolean {
  return unit instanceof Page && unit.pageCount > 0 && unit.pageId >= firstPageId;
}

function heightBelow(tree: TreeView, root: Unit): number {
  let height = 0;
  for (let unit = root; !unit.isLeaf; unit = tree.childUnit(unit, 0)) {
    if (++height >= DEPTH_MAX) throw tree.damage(unit.pageId, "is part of a loop");
  }
  return height;
}
