// The guarantees of a watch, W1 to W9, over what one watcher received and the replayed history:
//
// filter (W1)        every event matches the key or range and the filters
// ordered (W2)       revisions never go down
// unique (W3)        no change comes twice
// atomic (W4)        one revision is never split over two responses, unless they say so (fragments)
// reliable (W5)      from the first revision asked for to the last one seen nothing is missing, nothing extra
// resumable (W6)     the first event is the first matching one at or after the start; nothing before it
// bookmarkable (W7)  a progress notice at R means all up to R was sent; notices go neither back, nor behind
//                    events already sent, nor come before the start revision is reached
// prev-kv (W8)       the previous value is the one just before the event; it may be missing once compacted
// is-create (W9)     an event says "created" iff the key did not exist just before
//
// A cancelled or broken watch promises nothing after its end.

import {
  isInRange,
  type KeyValue,
  type KvEvent,
  sameEvent,
  sameKeyValue,
} from "./kv-operations.ts";
import { withBigints } from "./revision-checks.ts";
import type { RevisionHistory } from "./revision-history.ts";
import { type Violation, Violations } from "./violations.ts";

export interface WatchRequest {
  readonly key: string;
  readonly rangeEnd: string;
  /** 0: from now on. */
  readonly startRevision: number;
  readonly previous: boolean;
  readonly filters: readonly ("no-put" | "no-delete")[];
}

export interface WatchedEvent extends KvEvent {
  /** null: not sent. */
  readonly previous: KeyValue | null;
}

export type WatchResponse =
  | {
      readonly kind: "events";
      readonly revision: number;
      readonly events: readonly WatchedEvent[];
      /** More of the same batch follows in the next response. */
      readonly fragment: boolean;
    }
  /** Without events: by progress_notify, or the answer to a progress request. */
  | { readonly kind: "progress"; readonly revision: number }
  | { readonly kind: "canceled"; readonly compactRevision: number };

export interface RecordedWatch {
  readonly name: string;
  readonly request: WatchRequest;
  /** The header's revision of the response that said "created". */
  readonly createdRevision: number;
  /** In order of arrival, after the creation. */
  readonly responses: readonly WatchResponse[];
}

export function checkWatch(
  watch: RecordedWatch,
  history: RevisionHistory,
  /** The highest compaction of the run: below it a previous value may be missing. */
  compactedRevision = -1,
): Violation[] {
  return new WatchCheck(watch, history, compactedRevision).run();
}

class WatchCheck {
  readonly #watch: RecordedWatch;
  readonly #history: RevisionHistory;
  readonly #compactedRevision: number;
  readonly #violations = new Violations();
  readonly #events: WatchedEvent[] = [];
  #lastEventRevision = 0;
  #lastProgressRevision = 0;
  /** The batch goes on in the next response. */
  #inFragments = false;
  #canceled = false;

  constructor(watch: RecordedWatch, history: RevisionHistory, compactedRevision: number) {
    this.#watch = watch;
    this.#history = history;
    this.#compactedRevision = compactedRevision;
  }

  run(): Violation[] {
    for (const response of this.#watch.responses) {
      if (this.#canceled) this.#add("ordered", "a response comes after the cancellation");
      if (response.kind === "canceled") this.#canceled = true;
      if (response.kind === "progress") this.#progress(response.revision);
      if (response.kind === "events") this.#batch(response);
    }
    this.#againstHistory();
    return this.#violations.list;
  }

  #batch({ events, fragment, revision }: WatchResponse & { kind: "events" }): void {
    const [first] = events;
    if (first === undefined) {
      this.#add("reliable", "a response has neither events nor a meaning");
      return;
    }
    if (!this.#inFragments && revisionOf(first) === this.#lastEventRevision) {
      this.#add("atomic", `revision ${revisionOf(first)} is split over two responses`);
    }
    this.#inFragments = fragment;
    for (const event of events) this.#event(event);
    if (revision < this.#lastEventRevision) {
      this.#add("ordered", `the header says ${revision}, an event ${this.#lastEventRevision}`);
    }
  }

  #event(event: WatchedEvent): void {
    const { request } = this.#watch;
    const { keyValue, kind } = event;
    const revision = keyValue.modRevision;
    const dropped = request.filters.includes(kind === "put" ? "no-put" : "no-delete");
    if (dropped || !isWatched(request, keyValue.key)) {
      this.#add("filter", `${show(event)} was not asked for`);
    }
    if (revision < request.startRevision) {
      this.#add("resumable", `${show(event)} is before the start ${request.startRevision}`);
    }
    if (revision < this.#lastEventRevision) {
      this.#add("ordered", `${show(event)} comes after revision ${this.#lastEventRevision}`);
    }
    if (revision <= this.#lastProgressRevision) {
      const message = `${show(event)} comes after a notice at ${this.#lastProgressRevision}`;
      this.#add("bookmarkable", message);
    }
    this.#previous(event);
    this.#isCreate(event);
    this.#lastEventRevision = Math.max(this.#lastEventRevision, revision);
    this.#events.push(event);
  }

  #previous({ kind, keyValue, previous }: WatchedEvent): void {
    const before = this.#before(keyValue);
    if (before === undefined) return;
    if (previous !== null) {
      if (!sameKeyValue(previous, before)) {
        const message = `${keyValue.key} before ${keyValue.modRevision} was ${show(before)}, not ${show(previous)}`;
        this.#add("prev-kv", message);
      }
      return;
    }
    const mayBeGone = keyValue.modRevision - 1 < this.#compactedRevision;
    if (this.#watch.request.previous && before !== null && !mayBeGone) {
      this.#add("prev-kv", `${kind} ${keyValue.key} at ${keyValue.modRevision} has none`);
    }
  }

  #isCreate({ kind, keyValue }: WatchedEvent): void {
    const before = this.#before(keyValue);
    if (kind === "delete" || before === undefined) return;
    const saysCreate = keyValue.createRevision === keyValue.modRevision;
    if (saysCreate === (before === null) && saysCreate === (keyValue.version === 1)) return;
    this.#add("is-create", `${show(keyValue)} came on ${show(before)}`);
  }

  /** undefined: not known. */
  #before({ key, modRevision }: KeyValue): KeyValue | null | undefined {
    if (!this.#history.covers(modRevision - 1)) return undefined;
    return this.#history.keyAt(key, modRevision - 1);
  }

  #progress(revision: number): void {
    const { startRevision } = this.#watch.request;
    if (this.#inFragments) this.#add("bookmarkable", `a notice at ${revision} parts fragments`);
    if (revision < startRevision) {
      this.#add("bookmarkable", `a notice at ${revision} is before the start ${startRevision}`);
    }
    const latest = Math.max(this.#lastProgressRevision, this.#lastEventRevision);
    if (revision < latest) this.#add("bookmarkable", `a notice at ${revision} is behind ${latest}`);
    this.#lastProgressRevision = Math.max(this.#lastProgressRevision, revision);
  }

  /** What had to come, in order, against what came. */
  #againstHistory(): void {
    const history = this.#history;
    const seen = this.#unique();
    const end = Math.max(this.#lastEventRevision, this.#lastProgressRevision);
    if (end > history.lastRevision) {
      this.#add("reliable", `revision ${end} was seen, the log ends at ${history.lastRevision}`);
    }
    const start = this.#startRevision();
    let at = 0;
    const skipExtra = (revision: number) => {
      while (at < seen.length && revisionOf(seen[at]!) < revision) this.#extra(seen[at++]!);
    };
    for (let revision = start; revision <= Math.min(end, history.lastRevision); revision++) {
      skipExtra(revision);
      // The batch that was cut off may lack the rest of its last revision.
      const mayMiss = this.#inFragments && revision === end;
      at = this.#compareRevision(revision, seen, at, mayMiss);
    }
    skipExtra(Number.POSITIVE_INFINITY);
  }

  #compareRevision(
    revision: number,
    seen: readonly WatchedEvent[],
    from: number,
    mayMiss: boolean,
  ): number {
    const got: WatchedEvent[] = [];
    let at = from;
    while (at < seen.length && revisionOf(seen[at]!) === revision) got.push(seen[at++]!);
    const wanted = this.#history.eventsAt(revision).filter((event) => this.#isWanted(event));
    for (const [place, event] of wanted.entries()) {
      if (mayMiss && place >= got.length) break;
      if (got.some((each) => sameEvent(each, event))) continue;
      const isFirst = !this.#hasEventBefore(revision);
      this.#add(isFirst ? "resumable" : "reliable", `${show(event)} never came`);
    }
    for (const [place, event] of got.entries()) {
      const right = wanted.findIndex((each) => sameEvent(each, event));
      if (right < 0) this.#extra(event);
      else if (right !== place && got.length === wanted.length) {
        this.#add("ordered", `${show(event)} is out of order within its revision`);
      }
    }
    return at;
  }

  #hasEventBefore(revision: number): boolean {
    return this.#events.some((event) => revisionOf(event) < revision);
  }

  #extra(event: WatchedEvent): void {
    // What was not asked for has been told already.
    if (this.#isWanted(event)) this.#add("reliable", `${show(event)} is not in the log`);
  }

  /** From now on: the store may have moved on before it said "created", then the first event tells. */
  #startRevision(): number {
    const { startRevision } = this.#watch.request;
    const first = this.#events[0];
    const from = startRevision > 0 ? startRevision : this.#watch.createdRevision + 1;
    const start = startRevision === 0 && first ? Math.min(from, revisionOf(first)) : from;
    return Math.max(start, this.#history.baseRevision + 1);
  }

  #unique(): WatchedEvent[] {
    const keys = new Set<string>();
    const unique: WatchedEvent[] = [];
    for (const event of this.#events) {
      const { key, modRevision, version } = event.keyValue;
      const name = JSON.stringify([modRevision, event.kind, key, version]);
      if (keys.has(name)) this.#add("unique", `${show(event)} came twice`);
      else unique.push(event);
      keys.add(name);
    }
    // Those out of order have been told; the comparison needs an order.
    return unique.sort((a, b) => revisionOf(a) - revisionOf(b));
  }

  #isWanted({ kind, keyValue }: KvEvent): boolean {
    const { request } = this.#watch;
    if (request.filters.includes(kind === "put" ? "no-put" : "no-delete")) return false;
    return isWatched(request, keyValue.key);
  }

  #add(rule: string, message: string): void {
    this.#violations.add(rule, `watch ${this.#watch.name}: ${message}`);
  }
}

function isWatched({ key, rangeEnd }: WatchRequest, candidate: string): boolean {
  return isInRange(candidate, key, rangeEnd);
}

function revisionOf(event: KvEvent): number {
  return event.keyValue.modRevision;
}

function show(value: KvEvent | KeyValue | null): string {
  return JSON.stringify(value, withBigints);
}
