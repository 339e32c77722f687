/**
 * The one writer. Changes gather in memory; plan() balances, spills to free pages and turns them
 * into a commit plan; commit() runs it. root() goes on reading the new state while the commit is
 * under way, and the next writer may already begin on top of it; only its plan() has to wait for
 * this commit's end.
 */
import { assert } from "../base/assert.ts";
import type { DiskError } from "../io/index.ts";
import type { BucketWriter } from "./bucket.ts";
import { type CommitPlan, joinRuns } from "./commit-plan.ts";
import type { Freelist } from "./freelist.ts";
import { encodeFreelistPage, freelistPageCount } from "./freelist-page.ts";
import { encodeMetaPage, type Meta, NO_FREELIST } from "./meta.ts";
import type { Page } from "./page.ts";
import type { PagedFile, Soon } from "./paged-file.ts";
import type { TreeDamage } from "./tree-damage.ts";
import { TreeWriter, type WriterStore } from "./tree-writer.ts";

/** The part of the TreeFile that a writer works on. */
export interface WriterHost {
  readonly file: PagedFile;
  readonly freelist: Freelist;
  /** Pages of the stored freelist; 0 when it is not stored. */
  freelistPageCount: number;
  /**
   * A longer list is not stored (it would be written at every commit) but found by a walk when
   * opening.
   */
  readonly freelistBytesMax: number;
  /** The transaction up to which dropped pages may be reused now. */
  releasableTransactionId(): number;
  /** Asserts that no earlier commit is under way. */
  assertIdle(): void;
  rolledBack(transaction: WriteTransaction): void;
  begun(transaction: WriteTransaction): void;
  committed(transaction: WriteTransaction, error: DiskError | null): void;
}

/** The file grows in steps, so that most commits change no metadata of the file system. */
const GROWTH_BYTES_MIN = 1 << 20;
const GROWTH_BYTES_MAX = 16 << 20;
const GROWTH_DIVISOR = 8;

export class WriteTransaction implements WriterStore {
  readonly pageBytes: number;
  readonly transactionId: number;
  readonly #host: WriterHost;
  readonly #base: Meta;
  readonly #root: TreeWriter;
  #state: "open" | "planned" | "committing" | "ended" = "open";
  #plan: CommitPlan | null = null;
  #meta: Meta | null = null;
  #pageCount: number;
  readonly #dropped: number[] = [];
  readonly #allocated: { pageId: number; pageCount: number }[] = [];
  /** Pages that the stored freelist takes from this transaction on. */
  freelistPageCount = 0;
  readonly #pages = new Map<number, Page>();

  constructor(host: WriterHost, base: Meta) {
    this.#host = host;
    this.#base = base;
    this.#pageCount = base.pageCount;
    this.pageBytes = base.pageBytes;
    this.transactionId = base.transactionId + 1;
    const { rootPageId, rootSequence } = base;
    this.#root = new TreeWriter(this, { rootPageId, sequence: rootSequence, inline: null });
  }

  /** The bucket of buckets; readable until the commit is done, or the next writer plans its own. */
  root(): BucketWriter {
    assert(this.#state !== "ended", "the write transaction has not ended");
    return this.#root;
  }

  /** The same with what the other files of this folder need. */
  get tree(): TreeWriter {
    assert(this.#state === "open", "the write transaction takes changes");
    return this.#root;
  }

  /** The state that this transaction makes; after plan(). */
  get meta(): Meta {
    assert(this.#meta !== null, "the write transaction is planned");
    return this.#meta;
  }

  /** Ends the changes: what a commit will do, as a value. */
  plan(): CommitPlan {
    if (this.#plan !== null) return this.#plan;
    this.assertWritable();
    const host = this.#host;
    host.assertIdle();
    host.freelist.release(host.releasableTransactionId(), (pageId) => host.file.forget(pageId));
    const changed = this.#root.finish(true);
    const freelist = this.#planFreelist();
    const meta: Meta = {
      pageBytes: this.pageBytes,
      rootPageId: changed?.rootPageId ?? this.#base.rootPageId,
      rootSequence: this.#root.sequence(),
      freelistPageId: freelist?.pageId ?? NO_FREELIST,
      pageCount: this.#pageCount,
      transactionId: this.transactionId,
    };
    const parts = [...this.#pages.values()].map(({ pageId, bytes }) => ({ pageId, bytes }));
    if (freelist !== null) parts.push(freelist);
    this.#meta = meta;
    this.#plan = {
      transactionId: this.transactionId,
      pageBytes: this.pageBytes,
      growToBytes: this.#growth(),
      runs: joinRuns(parts, this.pageBytes),
      metaPageId: this.transactionId % 2,
      meta: encodeMetaPage(meta, this.transactionId % 2),
      truncateToBytes: this.#cut(),
    };
    this.#state = "planned";
    return this.#plan;
  }

  /**
   * Makes the changes durable. `done` comes when both syncs are over (at once when a write fails);
   * after an error the file's content is unknown: the file refuses everything and the caller must
   * end the process. With `soon` (calls back in a later turn) the pages are written in pieces.
   */
  commit(done: (error: DiskError | null) => void, soon: Soon | null = null): void {
    const plan = this.plan();
    this.#begin();
    this.#host.file.run(
      plan,
      () => this.#written(),
      (error) => {
        this.#end(error);
        done(error);
      },
      soon,
    );
  }

  /** The same, blocking; throws DiskError. */
  commitNow(): void {
    const plan = this.plan();
    this.#begin();
    this.#host.file.runNow(plan, () => this.#written());
    this.#end(null);
  }

  /** Gives the changes up; nothing of them was written. */
  rollback(): void {
    assert(this.#state === "open" || this.#state === "planned", "only an open writer rolls back");
    const { freelist } = this.#host;
    freelist.undrop(this.#dropped);
    for (const { pageId, pageCount } of this.#allocated) {
      // Pages beyond the base's high-water mark never were in the list.
      if (pageId < this.#base.pageCount) freelist.unallocate(pageId, pageCount);
    }
    // A planned cut of the tail took free pages out of the list.
    for (let pageId = this.#pageCount; pageId < this.#base.pageCount; pageId++) {
      freelist.addFree(pageId);
    }
    this.#state = "ended";
    this.#host.rolledBack(this);
  }

  /** Pages dropped by this transaction, for the freelist to settle. */
  get dropped(): number[] {
    return this.#dropped;
  }

  // What buckets call, as their store.

  assertWritable(): void {
    assert(this.#state === "open", "the write transaction takes changes");
  }

  page(pageId: number): Page {
    return this.#pages.get(pageId) ?? this.#host.file.page(pageId);
  }

  damaged(pageId: number, reason: string): TreeDamage {
    return this.#host.file.damage(pageId, reason);
  }

  allocate(pageCount: number): number {
    let pageId = this.#host.freelist.allocate(pageCount);
    if (pageId < 0) {
      pageId = this.#pageCount;
      this.#pageCount += pageCount;
    }
    this.#allocated.push({ pageId, pageCount });
    return pageId;
  }

  free(pageId: number, pageCount: number): void {
    for (let id = pageId; id < pageId + pageCount; id++) {
      if (!this.#host.freelist.drop(id))
        throw this.damaged(id, "is in use and free, or used twice");
      this.#dropped.push(id);
    }
  }

  write(page: Page): void {
    this.#pages.set(page.pageId, page);
  }

  #planFreelist(): { pageId: number; bytes: Uint8Array } | null {
    const { freelist, freelistBytesMax } = this.#host;
    if (this.#base.freelistPageId !== NO_FREELIST) {
      this.free(this.#base.freelistPageId, this.#host.freelistPageCount);
    }
    this.#cutTail(); // before counting: what leaves the file need not be listed
    const pageCount = freelistPageCount(freelist.freePages + freelist.pendingPages, this.pageBytes);
    if (pageCount * this.pageBytes > freelistBytesMax) {
      return null;
    }
    const pageId = this.allocate(pageCount);
    this.freelistPageCount = pageCount;
    this.#cutTail();
    return { pageId, bytes: encodeFreelistPage(freelist, pageId, pageCount, this.pageBytes) };
  }

  /** Free pages at the end leave the file: the high-water mark goes down. */
  #cutTail(): void {
    const cut = this.#host.freelist.tailPages(this.#pageCount);
    if (cut === 0) return;
    this.#host.freelist.cutTail(this.#pageCount - cut, this.#pageCount);
    this.#pageCount -= cut;
  }

  #growthStep(): number {
    const part = (this.#pageCount * this.pageBytes) / GROWTH_DIVISOR;
    const step = Math.min(Math.max(part, GROWTH_BYTES_MIN), GROWTH_BYTES_MAX);
    return Math.ceil(step / this.pageBytes) * this.pageBytes;
  }

  #growth(): number {
    const needed = this.#pageCount * this.pageBytes;
    return needed > this.#host.file.sizeBytes ? needed + this.#growthStep() : 0;
  }

  /** The file keeps one step of room; cutting closer would only make it grow again. */
  #cut(): number | null {
    const keep = this.#pageCount * this.pageBytes + this.#growthStep();
    const slack = this.#host.file.sizeBytes - keep;
    const isShrinking = this.#pageCount < this.#base.pageCount;
    return isShrinking && slack >= this.#growthStep() ? keep : null;
  }

  #begin(): void {
    assert(this.#state === "planned", "a transaction is committed once");
    this.#state = "committing";
    this.#host.begun(this);
    this.#host.file.beginWriting(this.#pages);
  }

  #written(): void {
    this.#host.file.endWriting();
    this.#pages.clear();
  }

  #end(error: DiskError | null): void {
    this.#state = "ended";
    this.#host.committed(this, error);
  }
}
