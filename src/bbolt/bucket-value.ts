/**
 * The value of an element that is a bucket:
 *
 *   0  8  page id of the bucket's root; 0 means that its only leaf follows here (inline)
 *   8  8  the bucket's sequence
 *   16 .. the inline leaf page, when the root is 0
 */

import { encodeInlinePage } from "./leaf-page.ts";
import { writeUint64 } from "./meta.ts";
import type { Node } from "./node.ts";
import type { Page } from "./page.ts";
import { BUCKET_HEADER_BYTES, decodeInlinePage, readUint64 } from "./page-decode.ts";

/** A bucket of one leaf that takes at most this part of a page lives inside its parent. */
const INLINE_DIVISOR = 4;

export interface BucketHeader {
  /** 0 for an inline bucket. */
  rootPageId: number;
  sequence: number;
  inline: Page | null;
}

export function decodeBucketValue(value: Uint8Array): BucketHeader | string {
  if (value.length < BUCKET_HEADER_BYTES) return "holds a bucket shorter than its header";
  const view = new DataView(value.buffer, value.byteOffset, BUCKET_HEADER_BYTES);
  const rootPageId = readUint64(view, 0);
  const sequence = readUint64(view, 8);
  if (sequence > Number.MAX_SAFE_INTEGER) return "holds a bucket with an impossible sequence";
  if (rootPageId !== 0) return { rootPageId, sequence, inline: null };
  const inline = decodeInlinePage(value, BUCKET_HEADER_BYTES);
  return typeof inline === "string" ? inline : { rootPageId, sequence, inline };
}

export function encodeBucketValue(rootPageId: number, sequence: number): Uint8Array {
  const value = new Uint8Array(BUCKET_HEADER_BYTES);
  writeBucketHeader(value, rootPageId, sequence);
  return value;
}

/** The bucket with its only leaf inside. */
export function encodeInlineBucketValue(root: Node, sequence: number): Uint8Array {
  const page = encodeInlinePage(root);
  const value = new Uint8Array(BUCKET_HEADER_BYTES + page.length);
  writeBucketHeader(value, 0, sequence);
  value.set(page, BUCKET_HEADER_BYTES);
  return value;
}

/** Whether a bucket with this root may be inline: one small leaf without buckets of its own. */
export function fitsInline(root: Node, pageBytes: number): boolean {
  if (!root.isLeaf || root.encodedBytes > pageBytes / INLINE_DIVISOR) return false;
  for (let i = 0; i < root.count; i++) if (root.isBucket(i)) return false;
  return true;
}

function writeBucketHeader(value: Uint8Array, rootPageId: number, sequence: number): void {
  const view = new DataView(value.buffer, value.byteOffset, BUCKET_HEADER_BYTES);
  writeUint64(view, 0, rootPageId);
  writeUint64(view, 8, sequence);
}
