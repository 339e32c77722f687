/**
 * What watchers must have been sent, worked out from the whole history, for the tests of the hub. A model
 * stream checks W1-W9 of every response as it comes and keeps what each watcher saw.
 */
import { decodeKeyValue, decodeWatchResponse } from "../../api/index.ts";
import { concatBytes } from "../../base/bytes.ts";
import type { ChangeEvent } from "../types.ts";
import type { MemoryChangeSource } from "./change-source-model.ts";
import type { EventSelection } from "./event-selection.ts";
import { keyText } from "./key-text.ts";
import type { WatchHub } from "./watch-hub.ts";
import type { WatchStream } from "./watch-stream.ts";
import type { Watcher, WatcherRequest, WatchSink } from "./watcher.ts";

export interface ModelWatcher {
  readonly watcher: Watcher;
  readonly request: WatcherRequest;
  /** The first revision that concerns it. */
  readonly fromRevision: number;
  /** `revision/index` of the events it was sent, in order. */
  readonly seen: string[];
  lastRevision: number;
  /** No event at or below may come any more. */
  progressRevision: number;
  compactRevision: number | null;
}

function fail(text: string): never {
  throw new Error(text);
}

export function wants(request: WatcherRequest, event: ChangeEvent): boolean {
  if (event.type === 0 ? request.dropPuts : request.dropDeletes) return false;
  const key = keyText(event.key);
  const start = keyText(request.key);
  if (request.rangeEnd.length === 0) return key === start;
  const end = keyText(request.rangeEnd);
  return key >= start && (end === "\u0000" || key < end);
}

export class ModelStream implements WatchSink {
  readonly stream: WatchStream;
  readonly watchers = new Map<number, ModelWatcher>();
  /** Responses that the consumer still takes. */
  room = Infinity;
  responses = 0;
  lastProgress = 0;
  readonly #hub: WatchHub;
  readonly #source: MemoryChangeSource;

  constructor(hub: WatchHub, source: MemoryChangeSource) {
    this.#hub = hub;
    this.#source = source;
    this.stream = hub.openStream(this);
  }

  get writable(): boolean {
    return this.room > 0;
  }

  create(request: Partial<WatcherRequest> & { key: Uint8Array }): ModelWatcher | string {
    const full: WatcherRequest = {
      rangeEnd: new Uint8Array(0),
      startRevision: 0,
      id: 0,
      dropPuts: false,
      dropDeletes: false,
      withPrevious: false,
      fragment: false,
      progressNotify: false,
      ...request,
    };
    const watcher = this.stream.create(full);
    if (typeof watcher === "string") return watcher;
    const fromRevision = full.startRevision || this.#source.revision() + 1;
    const model: ModelWatcher = {
      watcher,
      request: full,
      fromRevision,
      seen: [],
      lastRevision: 0,
      progressRevision: 0,
      compactRevision: null,
    };
    this.watchers.set(watcher.id, model);
    return model;
  }

  cancel(id: number): void {
    this.stream.cancel(id);
    this.watchers.delete(id);
  }

  drain(room: number): void {
    this.room = room;
    if (room > 0) this.stream.drained();
  }

  /** W7: what a progress reply promises. */
  progress(): number | null {
    const revision = this.stream.progressRevision();
    if (revision === null) return null;
    if (revision < this.lastProgress) fail(`progress went back to ${revision}`);
    this.lastProgress = revision;
    for (const model of this.watchers.values()) {
      if (revision < model.request.startRevision) fail("progress below a start revision");
      if (revision < model.lastRevision) fail("progress below events already sent");
      this.#expectSeen(model, revision + 1);
      model.progressRevision = revision;
    }
    return revision;
  }

  deliver(watcher: Watcher, events: EventSelection, headerRevision: number): void {
    if (this.room <= 0) fail("sent to a full consumer");
    this.room--;
    this.responses++;
    const model = this.watchers.get(watcher.id) ?? fail("event for an unknown watcher");
    const response = decodeWatchResponse(concatBytes(events.fields() as Uint8Array[]));
    if (response.events.length !== events.eventCount) fail("events lost in encoding");
    // W4: a revision that was begun in an earlier response is over.
    const closed = model.lastRevision;
    for (const event of response.events) {
      const revision = event.kv!.mod_revision;
      if (revision <= closed) fail(`revision ${revision} again or split after ${closed}`);
      if (revision < model.lastRevision) fail("revisions out of order");
      if (revision <= model.progressRevision) fail("event at or below a progress notice");
      if (revision < model.fromRevision) fail("event below the start revision");
      if (revision > headerRevision) fail("header behind its events");
      model.lastRevision = revision;
      const batch = this.#source.log[revision - 2]!;
      const index = batch.events.findIndex((one) => keyText(one.key) === keyText(event.kv!.key));
      const original = batch.events[index] ?? fail(`no such event at ${revision}`);
      if (!wants(model.request, original)) fail("an event that was not asked for");
      if (event.type !== original.type) fail("wrong type");
      this.#checkPrevious(model, original, event.prev_kv?.mod_revision);
      model.seen.push(`${revision}/${index}`);
    }
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    const model = this.watchers.get(watcher.id) ?? fail("unknown watcher compacted");
    if (model.compactRevision !== null) fail("compacted twice");
    if (compactRevision !== this.#source.compactRevision()) fail("wrong compact revision");
    if (watcher.nextRevision >= compactRevision) fail("nothing it needs is compacted");
    model.compactRevision = compactRevision;
  }

  /** W5, W6: exactly what happened since the start, up to where the hub claims to be with it. */
  check(): void {
    for (const model of this.watchers.values()) {
      const { watcher } = model;
      const told =
        watcher.state === "synced"
          ? Math.max(this.#hub.revision + 1, model.fromRevision)
          : watcher.nextRevision;
      if (watcher.state !== "synced" && watcher.nextRevision > this.#hub.revision) {
        fail("behind, but nothing is missing");
      }
      this.#expectSeen(model, told);
    }
  }

  #expectSeen(model: ModelWatcher, beforeRevision: number): void {
    const expected: string[] = [];
    for (let revision = model.fromRevision; revision < beforeRevision; revision++) {
      const batch = this.#source.log[revision - 2];
      if (batch === undefined) continue;
      batch.events.forEach((event, index) => {
        if (wants(model.request, event)) expected.push(`${revision}/${index}`);
      });
    }
    const seen = model.seen.join(" ");
    if (seen !== expected.join(" ")) {
      fail(`watcher ${model.watcher.id} saw [${seen}], not [${expected.join(" ")}]`);
    }
  }

  /** W8: prev_kv is the record just before, or absent where there was none or it is compacted. */
  #checkPrevious(model: ModelWatcher, event: ChangeEvent, found: number | undefined): void {
    const before = this.#source.recordBefore(event.key, event.revision);
    if ((before === undefined) !== event.created && event.type === 0) fail("wrong create flag");
    if (found !== undefined) {
      if (!model.request.withPrevious) fail("prev_kv was not asked for");
      if (before === undefined) fail("prev_kv of a creation");
      if (decodeKeyValue(before).mod_revision !== found) fail("wrong prev_kv");
    } else if (model.request.withPrevious && before !== undefined) {
      if (event.revision - 1 >= this.#source.compactRevision()) fail("prev_kv is missing");
    }
  }
}
