/**
 * SHELL: the file as pages. Reads go through the bounded cache, a commit plan is run step by step.
 * After a failed write or sync nothing more is done with the file: what it holds is then unknown
 * (and a second sync could falsely succeed), so every later call throws that first error again.
 */
import { assert, verify } from "../base/assert.ts";
import type { DiskFile } from "../io/index.ts";
import { DiskError } from "../io/index.ts";
import { type CommitPlan, type CommitStep, commitSteps, STEP_BYTES_MAX } from "./commit-plan.ts";
import type { Page } from "./page.ts";
import { PageCache } from "./page-cache.ts";
import {
  decodePage,
  type PageHeader,
  readPageHeader,
  runLengthProblem,
  treeHeaderProblem,
} from "./page-decode.ts";
import { TreeDamage } from "./tree-damage.ts";

/** What trees read pages from. */
export interface PageSource {
  readonly pageBytes: number;
  /** A branch or leaf page; throws TreeDamage when the file does not hold one there. */
  page(pageId: number): Page;
  damage(pageId: number, reason: string): TreeDamage;
}

/** Calls back in a later turn, after others had theirs. */
export type Soon = (fire: () => void) => void;

export class PagedFile implements PageSource {
  readonly pageBytes: number;
  /**
   * Pages that may be referred to: the high-water mark of the newest transaction, written or being
   * written.
   */
  pageCount: number;
  readonly #file: DiskFile;
  readonly #cache: PageCache;
  /** Pages of the commit under way while the file does not have them yet. */
  #unwritten: ReadonlyMap<number, Page> | null = null;
  #sizeBytes: number;
  #failure: DiskError | null = null;
  #closed = false;

  constructor(file: DiskFile, pageBytes: number, pageCount: number, cacheBytes: number) {
    this.#file = file;
    this.pageBytes = pageBytes;
    this.pageCount = pageCount;
    this.#cache = new PageCache(cacheBytes);
    this.#sizeBytes = file.sizeBytes();
  }

  get path(): string {
    return this.#file.path;
  }

  /** The length of the file itself, which may be more than its pages need. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get cachedBytes(): number {
    return this.#cache.bytes;
  }

  page(pageId: number): Page {
    return this.#cache.get(pageId) ?? this.#unwritten?.get(pageId) ?? this.#load(pageId);
  }

  /** Reads past the cache and leaves no trace in it: for walks over the whole file. */
  readPage(pageId: number): Page {
    this.refuseAfterFailure();
    if (pageId < 2 || pageId >= this.pageCount) {
      throw this.damage(pageId, "is referred to but outside of the file's pages");
    }
    let memory = new ArrayBuffer(this.pageBytes);
    const overflow = this.#readHead(new Uint8Array(memory), pageId).overflow;
    if (overflow > 0) {
      memory = new ArrayBuffer((overflow + 1) * this.pageBytes);
      this.#readHead(new Uint8Array(memory), pageId);
    }
    const page = decodePage(pageId, memory, overflow + 1, this.pageCount);
    if (typeof page === "string") throw this.damage(pageId, page);
    return page;
  }

  /** Bytes of whole pages as they are, zeros beyond the end of the file. */
  readRaw(target: Uint8Array, offset: number, length: number, position: number): void {
    this.refuseAfterFailure();
    const count = this.#file.readAt(target, offset, length, position);
    if (count < length) target.fill(0, offset + count, offset + length);
  }

  damage(pageId: number, reason: string): TreeDamage {
    return new TreeDamage(this.path, pageId, `${reason} (offset ${pageId * this.pageBytes})`);
  }

  /** From here on the next writer reads these pages, which a commit is going to write. */
  beginWriting(pages: ReadonlyMap<number, Page>): void {
    assert(this.#unwritten === null, "one commit writes at a time");
    this.#unwritten = pages;
  }

  /** All of them are written: reading them from the file gives the same bytes. */
  endWriting(): void {
    assert(this.#unwritten !== null, "a commit was writing");
    for (const page of this.#unwritten.values()) this.#remember(page);
    this.#unwritten = null;
  }

  #remember(page: Page): void {
    verify(() => {
      const again = decodePage(
        page.pageId,
        page.bytes.slice().buffer,
        page.pageCount,
        this.pageCount,
      );
      assert(typeof again !== "string", `page ${page.pageId} to be written ${again}`);
    });
    this.#cache.put(page);
  }

  forget(pageId: number): void {
    this.#cache.drop(pageId);
  }

  /**
   * Runs a plan; `done` comes later, or at once when a write fails. `written` comes before the
   * first sync. With `soon`, writes go on in a later turn after each STEP_BYTES_MAX: the system
   * needs milliseconds to take a large commit, and nobody else is served meanwhile.
   */
  run(
    plan: CommitPlan,
    written: () => void,
    done: (error: DiskError | null) => void,
    soon: Soon | null,
  ): void {
    this.refuseAfterFailure();
    const steps = commitSteps(plan);
    let next = 0;
    let syncs = 0;
    const proceed = (): void => {
      let turnBytes = 0;
      while (next < steps.length) {
        const step = steps[next]!;
        if (step.kind !== "sync") {
          const bytes = stepBytes(step);
          if (soon !== null && turnBytes > 0 && turnBytes + bytes > STEP_BYTES_MAX) {
            soon(proceed);
            return;
          }
          turnBytes += bytes;
          next++;
          const error = this.#attempt(() => this.#runStep(step));
          if (error !== null) {
            done(error);
            return;
          }
          continue;
        }
        next++;
        if (syncs++ === 0) written();
        this.#file.sync((error) => {
          if (error !== null) {
            this.#failure = error;
            done(error);
          } else proceed();
        });
        return;
      }
      done(null);
    };
    proceed();
  }

  /** The same, blocking; throws DiskError. */
  runNow(plan: CommitPlan, written: () => void): void {
    this.refuseAfterFailure();
    let syncs = 0;
    for (const step of commitSteps(plan)) {
      const error = this.#attempt(() => this.#runStep(step));
      if (error !== null) throw error;
      if (step.kind === "sync" && syncs++ === 0) written();
    }
  }

  refuseAfterFailure(): void {
    if (this.#failure !== null) throw this.#failure;
    assert(!this.#closed, "the tree file is open");
  }

  close(): void {
    assert(!this.#closed, "the tree file is closed once");
    this.#closed = true;
    this.#file.close();
  }

  #load(pageId: number): Page {
    const page = this.readPage(pageId);
    this.#cache.put(page);
    return page;
  }

  #readHead(target: Uint8Array, pageId: number): PageHeader {
    this.#readFully(target, pageId);
    const header = readPageHeader(target);
    const problem =
      treeHeaderProblem(header, pageId, this.pageCount) ??
      (header.overflow > 0 ? runLengthProblem(target, header, this.pageBytes) : null);
    if (problem !== null) throw this.damage(pageId, problem);
    return header;
  }

  #readFully(target: Uint8Array, pageId: number): void {
    const count = this.#file.readAt(target, 0, target.length, pageId * this.pageBytes);
    if (count < target.length) throw this.damage(pageId, "lies beyond the end of the file");
  }

  #attempt(action: () => void): DiskError | null {
    try {
      action();
      return null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#failure = error;
      return error;
    }
  }

  #runStep(step: CommitStep): void {
    switch (step.kind) {
      case "grow":
        this.#file.preallocate(step.sizeBytes);
        this.#sizeBytes = Math.max(this.#sizeBytes, step.sizeBytes);
        return;
      case "write":
        this.#file.writeManyAt(step.buffers, step.position);
        return;
      case "sync":
        this.#file.syncNow();
        return;
      case "truncate":
        this.#file.truncate(step.sizeBytes);
        this.#sizeBytes = step.sizeBytes;
        return;
    }
  }
}

function stepBytes(step: CommitStep): number {
  if (step.kind !== "write") return 0;
  let bytes = 0;
  for (const buffer of step.buffers) bytes += buffer.length;
  return bytes;
}
