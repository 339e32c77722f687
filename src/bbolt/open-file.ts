/**
 * Opening: which of the two metas is the state, at which page size; and making an empty database.
 */
import { assert } from "../base/assert.ts";
import type { DiskFile } from "../io/index.ts";
import type { Freelist } from "./freelist.ts";
import { decodeFreelist } from "./freelist-page.ts";
import {
  decodeMeta,
  encodeMetaPage,
  META_END,
  type Meta,
  NO_FREELIST,
  PAGE_BYTES_MAX,
  PAGE_BYTES_MIN,
} from "./meta.ts";
import { FLAG_FREELIST, FLAG_LEAF, type Page } from "./page.ts";
import { PageBitmap } from "./page-bitmap.ts";
import { writePageHeader } from "./page-decode.ts";
import type { PagedFile } from "./paged-file.ts";
import { ReachWalk } from "./reachable.ts";
import { TreeDamage } from "./tree-damage.ts";

const FREELIST_PAGE = 2;
const ROOT_PAGE = 3;
const FIRST_PAGES = 4;
const WALK_SLICE = 1 << 20;

/**
 * The newest valid meta; throws TreeDamage when there is none or the file is shorter than it says.
 */
export function readNewestMeta(file: DiskFile): Meta {
  const first = readMetaAt(file, 0);
  let second: Meta | string;
  if (typeof first !== "string") second = readMetaAt(file, first.pageBytes);
  else second = searchSecondMeta(file);
  const meta = newer(first, second);
  if (typeof meta === "string") {
    const reason = `both meta pages are damaged: the one at offset 0 ${first}; the other ${second}`;
    throw new TreeDamage(file.path, 0, reason);
  }
  const needed = meta.pageCount * meta.pageBytes;
  const present = file.sizeBytes();
  if (present < needed) {
    const reason = `the file has ${present} bytes but needs ${needed}: its end is missing`;
    throw new TreeDamage(file.path, Math.floor(present / meta.pageBytes), reason);
  }
  return meta;
}

/**
 * A file whose creation was cut off: at most the first pages long and nothing in either meta page.
 */
export function isUnfinishedCreation(file: DiskFile, pageBytes: number): boolean {
  const size = file.sizeBytes();
  if (size > FIRST_PAGES * pageBytes) return false;
  const bytes = new Uint8Array(2 * pageBytes);
  const count = file.readAt(bytes, 0, bytes.length, 0);
  for (let i = 0; i < count; i++) if (bytes[i] !== 0) return false;
  return true;
}

/**
 * Writes and syncs an empty database. The metas come last: a valid one says that the rest is there.
 */
export function createEmpty(file: DiskFile, pageBytes: number, initialBytes: number): void {
  const usable = pageBytes >= PAGE_BYTES_MIN && pageBytes <= PAGE_BYTES_MAX;
  assert(
    usable && (pageBytes & (pageBytes - 1)) === 0,
    "a page size is a power of two up to 64 KiB",
  );
  const freelist = new ArrayBuffer(pageBytes);
  writePageHeader(freelist, { pageId: FREELIST_PAGE, flags: FLAG_FREELIST, count: 0, overflow: 0 });
  const root = new ArrayBuffer(pageBytes);
  writePageHeader(root, { pageId: ROOT_PAGE, flags: FLAG_LEAF, count: 0, overflow: 0 });
  const position = FREELIST_PAGE * pageBytes;
  file.writeManyAt([new Uint8Array(freelist), new Uint8Array(root)], position);
  file.syncNow();
  const meta: Meta = {
    pageBytes,
    rootPageId: ROOT_PAGE,
    rootSequence: 0,
    freelistPageId: FREELIST_PAGE,
    pageCount: FIRST_PAGES,
    transactionId: 0,
  };
  const second = { ...meta, transactionId: 1 };
  file.writeManyAt([encodeMetaPage(meta, 0), encodeMetaPage(second, 1)], 0);
  file.syncNow();
  // Only now: a file longer than its first pages is known to have had valid metas.
  if (initialBytes > FIRST_PAGES * pageBytes) file.preallocate(initialBytes);
}

/**
 * Fills the freelist from the file; returns how many pages the stored list takes (0 when not
 * stored).
 */
export function loadFreelist(paged: PagedFile, meta: Meta, freelist: Freelist): number {
  if (meta.freelistPageId === NO_FREELIST) {
    rebuildFreelist(paged, meta, freelist);
    return 0;
  }
  const read = (length: number, position: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    paged.readRaw(bytes, 0, length, position);
    return bytes;
  };
  const stored = decodeFreelist(read, meta.freelistPageId, meta.pageBytes, meta.pageCount);
  if (typeof stored === "string") throw paged.damage(meta.freelistPageId, `the freelist ${stored}`);
  for (const id of stored.ids) {
    if (!freelist.addFree(id)) {
      throw paged.damage(meta.freelistPageId, `the freelist names page ${id} twice`);
    }
  }
  return stored.pageCount;
}

/** Every page that nothing refers to is free. */
function rebuildFreelist(paged: PagedFile, meta: Meta, freelist: Freelist): void {
  const used = new PageBitmap();
  const walk = new ReachWalk(
    {
      visit(pageId: number): Page {
        const page = paged.readPage(pageId);
        for (let id = pageId; id < pageId + page.pageCount; id++) {
          if (!used.add(id)) throw paged.damage(id, "is used twice");
        }
        return page;
      },
      badBucket(page: Page, reason: string): void {
        throw paged.damage(page.pageId, reason);
      },
    },
    meta.rootPageId,
  );
  while (!walk.step(WALK_SLICE)) {
    // Each page is visited once, so this ends.
  }
  for (let id = 2; id < meta.pageCount; id++) if (!used.has(id)) freelist.addFree(id);
}

function readMetaAt(file: DiskFile, position: number): Meta | string {
  const bytes = new Uint8Array(META_END);
  const count = file.readAt(bytes, 0, META_END, position);
  return decodeMeta(bytes.subarray(0, count), 0);
}

/**
 * The first meta is unreadable, so the page size is unknown: the second one lies at one page size.
 */
function searchSecondMeta(file: DiskFile): Meta | string {
  let reason = "is at none of the possible page sizes";
  for (let pageBytes = PAGE_BYTES_MIN; pageBytes <= PAGE_BYTES_MAX; pageBytes *= 2) {
    const meta = readMetaAt(file, pageBytes);
    if (typeof meta !== "string" && meta.pageBytes === pageBytes) return meta;
    if (typeof meta === "string" && pageBytes === 4096) reason = `${meta} (at offset 4096)`;
  }
  return reason;
}

function newer(first: Meta | string, second: Meta | string): Meta | string {
  if (typeof first === "string") return second;
  if (typeof second === "string" || second.pageBytes !== first.pageBytes) return first;
  return second.transactionId > first.transactionId ? second : first;
}
