/**
 * Writes entries of a branch Node as a branch page. Every child must have its final page id by
 * then.
 */
import { assert } from "../base/assert.ts";
import type { Node } from "./node.ts";
import { ELEMENT_BYTES, FLAG_BRANCH, PAGE_HEADER_BYTES, Page } from "./page.ts";
import { writePageHeader } from "./page-decode.ts";

export function encodeBranchPage(
  node: Node,
  from: number,
  to: number,
  pageId: number,
  pageCount: number,
  pageBytes: number,
): Page {
  const memory = new ArrayBuffer(pageCount * pageBytes);
  writePageHeader(memory, {
    pageId,
    flags: FLAG_BRANCH,
    count: to - from,
    overflow: pageCount - 1,
  });
  const words = new Uint32Array(memory);
  const bytes = new Uint8Array(memory);
  let end = PAGE_HEADER_BYTES + (to - from) * ELEMENT_BYTES;
  for (let i = from; i < to; i++) {
    const element = i - from;
    const word = (PAGE_HEADER_BYTES >> 2) + element * 4;
    const keyBytes = node.keyBytes(i);
    assert(node.child(i) >= 2, "a branch points to written pages");
    words[word] = end - (PAGE_HEADER_BYTES + element * ELEMENT_BYTES);
    words[word + 1] = keyBytes;
    words[word + 2] = node.child(i);
    bytes.set(node.key(i), end);
    end += keyBytes;
  }
  return new Page(pageId, pageCount, memory);
}
