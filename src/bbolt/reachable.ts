/**
 * The walk over every page that a tree and its nested buckets use, in slices. Used to rebuild a
 * freelist that is not stored, and by the check, which adds its own view of each page. It ends
 * because the visitor lets no page be entered twice.
 */
import { decodeBucketValue } from "./bucket-value.ts";
import type { Page } from "./page.ts";

export interface ReachVisitor {
  /**
   * Reads the page and notes its run as used; null leaves out what is below it. Its keys must be at
   * least `lower` and less than `upper` (null: no bound). `isRoot` for the root of a bucket.
   */
  visit(
    pageId: number,
    lower: Uint8Array | null,
    upper: Uint8Array | null,
    isRoot: boolean,
  ): Page | null;
  /** An element of `page` claims to be a bucket but is none. */
  badBucket(page: Page, reason: string): void;
}

interface Frame {
  page: Page;
  next: number;
  upper: Uint8Array | null;
}

export class ReachWalk {
  readonly #visitor: ReachVisitor;
  readonly #frames: Frame[] = [];

  constructor(visitor: ReachVisitor, rootPageId: number) {
    this.#visitor = visitor;
    this.#enter(rootPageId, null, null, true);
  }

  /** Handles up to `work` elements; true when the walk is over. */
  step(work: number): boolean {
    for (let left = work; left > 0; left--) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return true;
      const { page } = frame;
      if (frame.next >= page.count) {
        this.#frames.pop();
        continue;
      }
      const index = frame.next++;
      if (!page.isLeaf) {
        const upper = index + 1 < page.count ? page.key(index + 1) : frame.upper;
        this.#enter(page.child(index), page.key(index), upper, false);
      } else if (page.isBucket(index)) {
        this.#enterBucket(page, index);
      }
    }
    return this.#frames.length === 0;
  }

  #enter(
    pageId: number,
    lower: Uint8Array | null,
    upper: Uint8Array | null,
    isRoot: boolean,
  ): void {
    const page = this.#visitor.visit(pageId, lower, upper, isRoot);
    if (page !== null) this.#frames.push({ page, next: 0, upper });
  }

  #enterBucket(page: Page, index: number): void {
    const header = decodeBucketValue(page.value(index));
    if (typeof header === "string") this.#visitor.badBucket(page, header);
    else if (header.inline === null) this.#enter(header.rootPageId, null, null, true);
    else if (holdsBucket(header.inline)) {
      this.#visitor.badBucket(page, "holds an inline bucket with a bucket in it");
    }
  }
}

function holdsBucket(page: Page): boolean {
  for (let i = 0; i < page.count; i++) if (page.isBucket(i)) return true;
  return false;
}
