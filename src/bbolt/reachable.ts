/**
 * The walk over every page that a tree and its nested buckets use, in slices. Used to rebuild a freelist that
 * is not stored, and by the check, which adds its own view of each page.
 */
import { type BucketHeader, decodeBucketValue } from "./bucket-value.ts";
import { DEPTH_MAX, type Page } from "./page.ts";

export interface ReachVisitor {
  /** Reads the page and notes its run as used; null leaves it and what is below it out of the walk. */
  visit(pageId: number, parent: Page | null, index: number, depth: number): Page | null;
  /** An inline bucket's leaf inside of `holder`. */
  inline(page: Page, holder: Page): void;
  /** An element of `page` claims to be a bucket but is none. */
  badBucket(page: Page, reason: string): void;
}

interface Frame {
  page: Page;
  next: number;
  depth: number;
}

export class ReachWalk {
  readonly #visitor: ReachVisitor;
  readonly #frames: Frame[] = [];

  constructor(visitor: ReachVisitor, rootPageId: number) {
    this.#visitor = visitor;
    this.#enter(rootPageId, null, 0, 0);
  }

  /** Handles up to `work` elements; true when the walk is over. */
  step(work: number): boolean {
    for (let left = work; left > 0; left--) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) return true;
      if (frame.next >= frame.page.count) {
        this.#frames.pop();
        continue;
      }
      const index = frame.next++;
      if (!frame.page.isLeaf) {
        this.#enter(frame.page.child(index), frame.page, index, frame.depth + 1);
      } else if (frame.page.isBucket(index)) {
        this.#bucket(frame.page, index);
      }
    }
    return this.#frames.length === 0;
  }

  #enter(pageId: number, parent: Page | null, index: number, depth: number): void {
    const page = this.#visitor.visit(pageId, parent, index, depth);
    if (page !== null && depth < DEPTH_MAX) this.#frames.push({ page, next: 0, depth });
  }

  #bucket(page: Page, index: number): void {
    const header: BucketHeader | string = decodeBucketValue(page.value(index));
    if (typeof header === "string") this.#visitor.badBucket(page, header);
    else if (header.inline !== null) this.#visitor.inline(header.inline, page);
    else this.#enter(header.rootPageId, null, 0, 0);
  }
}
