/**
 * The freelist's page: free and pending page ids in ascending order, 8 bytes each. A count of
 * 0xFFFF in the header means that the first 8 bytes after it hold the count instead.
 */

import type { Freelist } from "./freelist.ts";
import { COUNT_MAX, FLAG_FREELIST, PAGE_HEADER_BYTES } from "./page.ts";
import { readPageHeader, readUint64, writePageHeader } from "./page-decode.ts";

const ID_BYTES = 8;

/** Pages needed for `idCount` ids. */
export function freelistPageCount(idCount: number, pageBytes: number): number {
  const slots = idCount >= COUNT_MAX ? idCount + 1 : idCount;
  return Math.ceil((PAGE_HEADER_BYTES + slots * ID_BYTES) / pageBytes);
}

export function encodeFreelistPage(
  freelist: Freelist,
  pageId: number,
  pageCount: number,
  pageBytes: number,
): Uint8Array {
  const memory = new ArrayBuffer(pageCount * pageBytes);
  const words = new Uint32Array(memory);
  const total = freelist.freePages + freelist.pendingPages;
  const isLong = total >= COUNT_MAX;
  const count = isLong ? COUNT_MAX : total;
  writePageHeader(memory, { pageId, flags: FLAG_FREELIST, count, overflow: pageCount - 1 });
  const first = PAGE_HEADER_BYTES >> 2;
  if (isLong) words[first] = total;
  freelist.writeIds(words, isLong ? first + 2 : first);
  return new Uint8Array(memory);
}

export interface StoredFreelist {
  /** Pages that the list itself takes. */
  pageCount: number;
  ids: Int32Array;
}

/** Reads bytes of the file; `length` bytes from `position`. */
export type RawReader = (length: number, position: number) => Uint8Array;

/** The stored ids, each a page of the file and none twice; a string says what is wrong. */
export function decodeFreelist(
  read: RawReader,
  pageId: number,
  pageBytes: number,
  filePages: number,
): StoredFreelist | string {
  const head = read(PAGE_HEADER_BYTES + ID_BYTES, pageId * pageBytes);
  const header = readPageHeader(head);
  if (header.pageId !== pageId) return `carries the page id ${header.pageId}`;
  if (header.flags !== FLAG_FREELIST) return "is not a freelist page";
  if (header.overflow >= filePages - pageId) return "claims overflow beyond the end of the file";
  const isLong = header.count === COUNT_MAX;
  const longCount = readUint64(new DataView(head.buffer, head.byteOffset), PAGE_HEADER_BYTES);
  const count = isLong ? longCount : header.count;
  const slots = count + (isLong ? 1 : 0);
  if (
    count > filePages ||
    PAGE_HEADER_BYTES + slots * ID_BYTES > (header.overflow + 1) * pageBytes
  ) {
    return `claims ${count} free pages, more than fit`;
  }
  const skipped = PAGE_HEADER_BYTES + (isLong ? ID_BYTES : 0);
  const bytes = read(count * ID_BYTES, pageId * pageBytes + skipped);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const ids = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const id = readUint64(view, i * ID_BYTES);
    if (id < 2 || id >= filePages) return `lists page ${id}, which the file does not have`;
    ids[i] = id;
  }
  return { pageCount: header.overflow + 1, ids };
}
