/**
 * Turns bytes from the file into a Page, or says why they are not one. Every position, length and
 * child is checked here once, and the keys' order, because the format has no checksum on data
 * pages.
 */
import {
  COUNT_MAX,
  ELEMENT_BYTES,
  FLAG_BRANCH,
  FLAG_LEAF,
  KEY_BYTES_MAX,
  PAGE_HEADER_BYTES,
  Page,
} from "./page.ts";

/** What a bucket's value begins with: the root's page id and the sequence. */
export const BUCKET_HEADER_BYTES = 16;

export interface PageHeader {
  pageId: number;
  flags: number;
  count: number;
  overflow: number;
}

/**
 * The first 16 bytes at `at`; a page id above 2^53 comes out inexact, which never equals a valid
 * one.
 */
export function readPageHeader(bytes: Uint8Array, at = 0): PageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, PAGE_HEADER_BYTES);
  return {
    pageId: view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32,
    flags: view.getUint16(8, true),
    count: view.getUint16(10, true),
    overflow: view.getUint32(12, true),
  };
}

export function readUint64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

export function writePageHeader(memory: ArrayBuffer, header: PageHeader): void {
  const view = new DataView(memory);
  view.setUint32(0, header.pageId, true);
  view.setUint32(4, 0, true);
  view.setUint16(8, header.flags, true);
  view.setUint16(10, header.count, true);
  view.setUint32(12, header.overflow, true);
}

/** What is wrong with the header of a branch or leaf page expected at `pageId`, or null. */
export function treeHeaderProblem(
  header: PageHeader,
  pageId: number,
  filePages: number,
): string | null {
  if (header.pageId !== pageId) return `carries the page id ${header.pageId}`;
  if (header.flags !== FLAG_BRANCH && header.flags !== FLAG_LEAF) {
    return `is neither branch nor leaf (flags 0x${header.flags.toString(16)})`;
  }
  if (header.overflow >= filePages - pageId) {
    return `claims ${header.overflow} overflow pages, beyond the end of the file's pages`;
  }
  if (header.flags === FLAG_BRANCH && header.count === 0) return "is a branch without children";
  if (header.count === 0 && header.overflow > 0) return "is empty yet claims overflow pages";
  return null;
}

/**
 * For a run of several pages: what is wrong with its length, judged from the first page alone, so
 * that a damaged overflow count never leads to a giant read. Elements' data lie in order, hence the
 * last element ends the used part; some writers allocate one page more than needed.
 */
export function runLengthProblem(
  firstPage: Uint8Array,
  header: PageHeader,
  pageBytes: number,
): string | null {
  const element = PAGE_HEADER_BYTES + (header.count - 1) * ELEMENT_BYTES;
  const tablePages = Math.ceil((element + ELEMENT_BYTES) / pageBytes);
  if (tablePages > 1) {
    // The table itself goes on in the overflow; at most COUNT_MAX elements, so this stays around 1
    // MiB.
    return header.overflow + 1 < tablePages ? "has fewer pages than its elements need" : null;
  }
  const view = new DataView(firstPage.buffer, firstPage.byteOffset + element, ELEMENT_BYTES);
  const isLeaf = header.flags === FLAG_LEAF;
  const end = isLeaf
    ? element + view.getUint32(4, true) + view.getUint32(8, true) + view.getUint32(12, true)
    : element + view.getUint32(0, true) + view.getUint32(4, true);
  const needed = Math.ceil(end / pageBytes);
  if (header.overflow + 1 < needed || header.overflow > needed) {
    return `claims ${header.overflow} overflow pages where its elements end on page ${needed}`;
  }
  return null;
}

/**
 * A page from the bytes of its whole run; a string says what is wrong. `filePages` bounds the
 * children.
 */
export function decodePage(
  pageId: number,
  memory: ArrayBuffer,
  pageCount: number,
  filePages: number,
): Page | string {
  const table = elementTableProblem(memory, filePages);
  if (table !== null) return table;
  const page = new Page(pageId, pageCount, memory);
  return keyOrderProblem(page) ?? page;
}

/** The page inside a bucket's value (after its 16-byte header); always a leaf, with page id 0. */
export function decodeInlinePage(value: Uint8Array, at: number): Page | string {
  const length = value.length - at;
  if (length < PAGE_HEADER_BYTES) return "an inline bucket is shorter than a page header";
  const header = readPageHeader(value, at);
  if (header.flags !== FLAG_LEAF) return "an inline bucket's page is not a leaf";
  if (header.overflow !== 0) return "an inline bucket's page claims overflow pages";
  // A copy: a value lies at any position, elements must be aligned.
  const memory = new ArrayBuffer((length + 3) & ~3);
  new Uint8Array(memory).set(value.subarray(at));
  return decodePage(0, memory, 0, 0);
}

function elementTableProblem(memory: ArrayBuffer, filePages: number): string | null {
  const bytes = new Uint8Array(memory);
  const words = new Uint32Array(memory);
  const count = bytes[10]! | (bytes[11]! << 8);
  const isLeaf = (bytes[8]! & FLAG_LEAF) !== 0;
  const tableEnd = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
  if (tableEnd > bytes.length || count > COUNT_MAX) return `has no room for ${count} elements`;
  for (let i = 0; i < count; i++) {
    const word = 4 + i * 4;
    const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
    const position = isLeaf ? words[word + 1]! : words[word]!;
    const keyBytes = isLeaf ? words[word + 2]! : words[word + 1]!;
    const valueBytes = isLeaf ? words[word + 3]! : 0;
    const start = element + position;
    if (
      start < tableEnd ||
      keyBytes > KEY_BYTES_MAX ||
      start + keyBytes + valueBytes > bytes.length
    ) {
      return `element ${i} lies outside of the page`;
    }
    if (isLeaf) {
      if (words[word]! > 1) return `element ${i} has unknown flags`;
      const value = start + keyBytes;
      if (words[word] === 1 && !looksLikeBucket(bytes, value, valueBytes, filePages)) {
        return `element ${i} is marked as a bucket but holds none`;
      }
    } else if (words[word + 3]! !== 0 || words[word + 2]! < 2 || words[word + 2]! >= filePages) {
      return `element ${i} points to a page that the file does not have`;
    }
  }
  return null;
}

/**
 * A bucket's value names a root page of the file, or holds an inline leaf (checked fully when
 * entered).
 */
function looksLikeBucket(
  bytes: Uint8Array,
  at: number,
  valueBytes: number,
  filePages: number,
): boolean {
  if (valueBytes < BUCKET_HEADER_BYTES) return false;
  const root = readUint64(new DataView(bytes.buffer, at, BUCKET_HEADER_BYTES), 0);
  if (root !== 0) return root >= 2 && root < filePages;
  if (valueBytes < BUCKET_HEADER_BYTES + PAGE_HEADER_BYTES) return false;
  return readPageHeader(bytes, at + BUCKET_HEADER_BYTES).flags === FLAG_LEAF;
}

function keyOrderProblem(page: Page): string | null {
  const bytes = page.bytes;
  for (let i = 1; i < page.count; i++) {
    let a = page.keyAt(i - 1);
    let b = page.keyAt(i);
    const aEnd = a + page.keyBytes(i - 1);
    const bEnd = b + page.keyBytes(i);
    while (a < aEnd && b < bEnd && bytes[a]! === bytes[b]!) {
      a++;
      b++;
    }
    const ascending = b < bEnd && (a === aEnd || bytes[a]! < bytes[b]!);
    if (!ascending) return `keys ${i - 1} and ${i} are out of order`;
  }
  return null;
}
