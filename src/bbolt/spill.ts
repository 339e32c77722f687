/**
 * Writes the changed nodes of one tree to new pages, children first: nodes larger than a page are
 * cut into several, the old runs are freed, parents get the new page ids, and a root that was cut
 * gets a new root above.
 */
import { assert } from "../base/assert.ts";
import { encodeBranchPage } from "./branch-page.ts";
import { encodeLeafPage } from "./leaf-page.ts";
import { Node } from "./node.ts";
import { ELEMENT_BYTES, PAGE_HEADER_BYTES, type Page } from "./page.ts";

/** Where a commit gets pages from and leaves them. */
export interface PageSpace {
  readonly pageBytes: number;
  allocate(pageCount: number): number;
  free(pageId: number, pageCount: number): void;
  write(page: Page): void;
}

/** A page without at least two keys per branch would make trees that never end. */
const BRANCH_KEYS_MIN = 2;
const FILL_MIN = 0.1;

/** Writes the tree below `root`; returns the new root page. */
export function spill(root: Node, space: PageSpace, fillPercent: number): number {
  let pages = spillNode(root, space, fillPercent);
  while (pages.length > 1) {
    const above = new Node(false, pages.length);
    for (const page of pages) above.insertBranch(above.count, page.key(0), page.pageId, null);
    pages = spillNode(above, space, fillPercent);
  }
  return pages[0]!.pageId;
}

function spillNode(node: Node, space: PageSpace, fillPercent: number): Page[] {
  const ready = node.isLeaf ? node : withSpilledChildren(node, space, fillPercent);
  if (node.pageCount > 0) space.free(node.pageId, node.pageCount);
  const pages: Page[] = [];
  const { pageBytes } = space;
  for (let from = 0, to = 0; to < ready.count || pages.length === 0; from = to) {
    to = chunkEnd(ready, from, pageBytes, fillPercent);
    const pageCount = Math.ceil(chunkBytes(ready, from, to) / pageBytes);
    const pageId = space.allocate(pageCount);
    const encode = ready.isLeaf ? encodeLeafPage : encodeBranchPage;
    const page = encode(ready, from, to, pageId, pageCount, pageBytes);
    space.write(page);
    pages.push(page);
  }
  return pages;
}

/** A copy of a branch in which every changed child is replaced by the pages it became. */
function withSpilledChildren(node: Node, space: PageSpace, fillPercent: number): Node {
  const out = new Node(false, node.count + 4, node.encodedBytes);
  for (let i = 0; i < node.count; i++) {
    const child = node.children[i] ?? null;
    if (child === null) {
      out.insertBranch(out.count, node.key(i), node.child(i), null);
      continue;
    }
    assert(child.count > 0, "rebalancing has removed empty nodes");
    for (const page of spillNode(child, space, fillPercent)) {
      out.insertBranch(out.count, page.key(0), page.pageId, null);
    }
  }
  return out;
}

/**
 * Where the page that begins with entry `from` ends: all the rest if that fits, else as full as
 * wished.
 */
function chunkEnd(node: Node, from: number, pageBytes: number, fillPercent: number): number {
  const limit = pageBytes * Math.min(Math.max(fillPercent, FILL_MIN), 1);
  const entriesMin = node.isLeaf ? 1 : BRANCH_KEYS_MIN;
  let bytes = PAGE_HEADER_BYTES;
  let filled = -1;
  for (let i = from; i < node.count; i++) {
    bytes += entryBytes(node, i);
    const taken = i - from;
    // Never leaves a rest that is too small to be a page of its own.
    if (filled < 0 && bytes > limit && taken >= entriesMin && node.count - i >= entriesMin)
      filled = i;
    if (bytes > pageBytes && filled >= 0) return filled;
  }
  return node.count;
}

function chunkBytes(node: Node, from: number, to: number): number {
  let bytes = PAGE_HEADER_BYTES;
  for (let i = from; i < to; i++) bytes += entryBytes(node, i);
  return bytes;
}

function entryBytes(node: Node, index: number): number {
  return ELEMENT_BYTES + node.keyBytes(index) + (node.isLeaf ? node.valueBytes(index) : 0);
}
