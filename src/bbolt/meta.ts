/**
 * The meta pages 0 and 1: the roots of the file. The one with the higher transaction id and a right
 * sum is the state; a commit writes the slot (transaction id mod 2), so the other one survives a
 * torn write.
 *
 *   16 4 magic 0xED0CDAED   32 8 root bucket's page   56 8 high-water mark (pages of the file)
 *   20 4 version 2          40 8 root's sequence      64 8 transaction id
 *   24 4 page size          48 8 freelist's page      72 8 FNV-1a-64 over bytes 16..71
 *   28 4 flags (0)             (all ones: not stored)
 */
import { assert } from "../base/assert.ts";
import { FLAG_META, PAGE_HEADER_BYTES, PAGE_ID_LIMIT } from "./page.ts";
import { readUint64, writePageHeader } from "./page-decode.ts";

export const PAGE_BYTES_MIN = 1024;
export const PAGE_BYTES_MAX = 65536;
/** In `freelistPageId`: the free pages are not stored, they are found by walking the tree. */
export const NO_FREELIST = -1;
export const META_END = 80;

/** Both metas and a root. */
const PAGES_MIN = 3;
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const SUM_AT = 72;
const TWO_32 = 2 ** 32;

export interface Meta {
  pageBytes: number;
  rootPageId: number;
  rootSequence: number;
  freelistPageId: number;
  /** The high-water mark: pages 0..pageCount-1 belong to the file, whatever its length is. */
  pageCount: number;
  transactionId: number;
}

/** The meta in the page that begins at bytes[at]; a string says why there is none. */
export function decodeMeta(bytes: Uint8Array, at: number): Meta | string {
  if (bytes.length - at < META_END) return "the file ends inside of it";
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, META_END);
  if (view.getUint32(16, true) !== MAGIC) return "is not a meta page of a bbolt file (magic)";
  if (view.getUint32(20, true) !== VERSION) return `has version ${view.getUint32(20, true)}`;
  const [high, low] = fnv1a64(bytes, at + PAGE_HEADER_BYTES, at + SUM_AT);
  if (view.getUint32(SUM_AT, true) !== low || view.getUint32(SUM_AT + 4, true) !== high) {
    return "has a wrong checksum";
  }
  const noFreelist =
    view.getUint32(48, true) === TWO_32 - 1 && view.getUint32(52, true) === TWO_32 - 1;
  const meta: Meta = {
    pageBytes: view.getUint32(24, true),
    rootPageId: readUint64(view, 32),
    rootSequence: readUint64(view, 40),
    freelistPageId: noFreelist ? NO_FREELIST : readUint64(view, 48),
    pageCount: readUint64(view, 56),
    transactionId: readUint64(view, 64),
  };
  return metaProblem(meta) ?? meta;
}

function metaProblem(meta: Meta): string | null {
  const { pageBytes, pageCount } = meta;
  if (
    pageBytes < PAGE_BYTES_MIN ||
    pageBytes > PAGE_BYTES_MAX ||
    (pageBytes & (pageBytes - 1)) !== 0
  ) {
    return `names an unusable page size of ${pageBytes} bytes`;
  }
  if (pageCount < PAGES_MIN || pageCount > PAGE_ID_LIMIT) return `names ${pageCount} pages`;
  if (meta.rootPageId < 2 || meta.rootPageId >= pageCount)
    return "names a root outside of the file";
  if (meta.freelistPageId !== NO_FREELIST) {
    if (meta.freelistPageId < 2 || meta.freelistPageId >= pageCount) {
      return "names a freelist outside of the file";
    }
  }
  if (meta.transactionId > Number.MAX_SAFE_INTEGER) return "has an impossible transaction id";
  if (meta.rootSequence > Number.MAX_SAFE_INTEGER) return "has an impossible sequence";
  return null;
}

/** A whole meta page for slot `pageId` (0 or 1). */
export function encodeMetaPage(meta: Meta, pageId: number): Uint8Array {
  assert(metaProblem(meta) === null, `meta: ${metaProblem(meta)}`);
  const bytes = new Uint8Array(new ArrayBuffer(meta.pageBytes));
  writePageHeader(bytes.buffer, { pageId, flags: FLAG_META, count: 0, overflow: 0 });
  const view = new DataView(bytes.buffer);
  view.setUint32(16, MAGIC, true);
  view.setUint32(20, VERSION, true);
  view.setUint32(24, meta.pageBytes, true);
  writeUint64(view, 32, meta.rootPageId);
  writeUint64(view, 40, meta.rootSequence);
  if (meta.freelistPageId === NO_FREELIST) bytes.fill(0xff, 48, 56);
  else writeUint64(view, 48, meta.freelistPageId);
  writeUint64(view, 56, meta.pageCount);
  writeUint64(view, 64, meta.transactionId);
  const [high, low] = fnv1a64(bytes, PAGE_HEADER_BYTES, SUM_AT);
  view.setUint32(SUM_AT, low, true);
  view.setUint32(SUM_AT + 4, high, true);
  return bytes;
}

export function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

/** FNV-1a with 64 bits as two halves [high, low]: the prime is 2^40 + 0x1b3. */
export function fnv1a64(bytes: Uint8Array, start: number, end: number): [number, number] {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (let i = start; i < end; i++) {
    low = (low ^ bytes[i]!) >>> 0;
    const product = low * 0x1b3;
    const carry = Math.floor(product / TWO_32);
    high = (high * 0x1b3 + carry + ((low << 8) >>> 0)) % TWO_32;
    low = product >>> 0;
  }
  return [high, low];
}
