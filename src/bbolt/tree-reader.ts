/** A bucket of a read transaction: a tree of immutable pages below one root. */
import { bytesToHex } from "../base/bytes.ts";
import type { BucketReader, Cursor } from "./bucket.ts";
import { type BucketHeader, decodeBucketValue } from "./bucket-value.ts";
import { TreeCursor, type TreeView, type Unit } from "./cursor.ts";
import { DEPTH_MAX, type Page } from "./page.ts";
import type { PageSource } from "./paged-file.ts";
import type { TreeDamage } from "./tree-damage.ts";

export class TreeReader implements BucketReader, TreeView {
  readonly changes = 0;
  readonly #source: PageSource;
  readonly #header: BucketHeader;
  #buckets: Map<string, TreeReader> | null = null;

  constructor(source: PageSource, header: BucketHeader) {
    this.#source = source;
    this.#header = header;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const page = this.#leafOf(key);
    const index = page.search(key);
    if (index < 0 || page.isBucket(index)) return undefined;
    return page.value(index);
  }

  bucket(name: Uint8Array): BucketReader | undefined {
    this.#buckets ??= new Map();
    const text = bytesToHex(name);
    const known = this.#buckets.get(text);
    if (known !== undefined) return known;
    const page = this.#leafOf(name);
    const index = page.search(name);
    if (index < 0 || !page.isBucket(index)) return undefined;
    const header = decodeBucketValue(page.value(index));
    if (typeof header === "string") throw this.#source.damage(page.pageId, header);
    const bucket = new TreeReader(this.#source, header);
    this.#buckets.set(text, bucket);
    return bucket;
  }

  cursor(): Cursor {
    return new TreeCursor(this);
  }

  sequence(): number {
    return this.#header.sequence;
  }

  rootUnit(): Page {
    return this.#header.inline ?? this.#source.page(this.#header.rootPageId);
  }

  childUnit(parent: Unit, index: number): Page {
    return this.#source.page(parent.child(index));
  }

  damage(pageId: number, reason: string): TreeDamage {
    return this.#source.damage(pageId, reason);
  }

  #leafOf(key: Uint8Array): Page {
    let page = this.rootUnit();
    for (let depth = 0; !page.isLeaf; depth++) {
      if (depth >= DEPTH_MAX) throw this.#source.damage(page.pageId, "is part of a loop");
      const found = page.search(key);
      page = this.#source.page(page.child(found >= 0 ? found : ~found > 0 ? ~found - 1 : 0));
    }
    return page;
  }
}
