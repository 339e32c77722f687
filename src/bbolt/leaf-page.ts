/** Writes entries of a leaf Node as a leaf page, or as the page inside an inline bucket's value. */

import type { Node } from "./node.ts";
import { ELEMENT_BYTES, ELEMENT_FLAG_BUCKET, FLAG_LEAF, PAGE_HEADER_BYTES, Page } from "./page.ts";
import { writePageHeader } from "./page-decode.ts";

/** Entries [from, to) as the run of `pageCount` pages at `pageId`. */
export function encodeLeafPage(
  node: Node,
  from: number,
  to: number,
  pageId: number,
  pageCount: number,
  pageBytes: number,
): Page {
  const memory = new ArrayBuffer(pageCount * pageBytes);
  const header = { pageId, flags: FLAG_LEAF, count: to - from, overflow: pageCount - 1 };
  writePageHeader(memory, header);
  writeLeafElements(node, from, to, memory);
  return new Page(pageId, pageCount, memory);
}

/**
 * The whole node as an inline page (page id 0), padded to full words; `node.encodedBytes` of it
 * count.
 */
export function encodeInlinePage(node: Node): Uint8Array {
  const memory = new ArrayBuffer((node.encodedBytes + 3) & ~3);
  writePageHeader(memory, { pageId: 0, flags: FLAG_LEAF, count: node.count, overflow: 0 });
  writeLeafElements(node, 0, node.count, memory);
  return new Uint8Array(memory, 0, node.encodedBytes);
}

function writeLeafElements(node: Node, from: number, to: number, memory: ArrayBuffer): void {
  const words = new Uint32Array(memory);
  const bytes = new Uint8Array(memory);
  const heap = node.bytes;
  let end = PAGE_HEADER_BYTES + (to - from) * ELEMENT_BYTES;
  // Neighbours in the page are mostly neighbours in the heap: copy as long pieces as possible.
  let pieceStart = 0;
  let pieceEnd = 0;
  for (let i = from; i < to; i++) {
    const keyBytes = node.keyBytes(i);
    const valueBytes = node.valueBytes(i);
    const keyAt = node.keyAt(i);
    const valueAt = node.valueAt(i);
    const element = i - from;
    const word = (PAGE_HEADER_BYTES >> 2) + element * 4;
    words[word] = node.isBucket(i) ? ELEMENT_FLAG_BUCKET : 0;
    words[word + 1] = end + (pieceEnd - pieceStart) - (PAGE_HEADER_BYTES + element * ELEMENT_BYTES);
    words[word + 2] = keyBytes;
    words[word + 3] = valueBytes;
    if (keyAt !== pieceEnd) {
      bytes.set(heap.subarray(pieceStart, pieceEnd), end);
      end += pieceEnd - pieceStart;
      pieceStart = keyAt;
    }
    pieceEnd = keyAt + keyBytes;
    if (valueAt !== pieceEnd) {
      bytes.set(heap.subarray(pieceStart, pieceEnd), end);
      end += pieceEnd - pieceStart;
      pieceStart = valueAt;
    }
    pieceEnd = valueAt + valueBytes;
  }
  bytes.set(heap.subarray(pieceStart, pieceEnd), end);
}
