/**
 * The watchers of one client stream: their ids, creation and cancellation, and what may be said about the
 * progress of the stream as a whole. Made by WatchHub.openStream, called by the watch service.
 */
import { assert } from "../../base/assert.ts";
import { isOpenEnd } from "../../base/bytes.ts";
import { OPEN_END } from "./interval-map.ts";
import { keyText } from "./key-text.ts";
import { Watcher, type WatcherRequest, type WatchSink } from "./watcher.ts";

/** Why a watcher cannot be created; the service words it. */
export type CreateProblem = "negative-revision" | "empty-range" | "duplicate-id";

/** What a stream needs of its hub. */
export interface WatchStreamHub {
  /** The newest revision that all synced watchers were told. */
  readonly revision: number;
  /** The newest revision of the store. */
  readonly storeRevision: number;
  /** Puts a new watcher among the synced or the catching-up ones. */
  admit(watcher: Watcher): void;
  /** Takes a watcher out of whatever it is in. */
  dismiss(watcher: Watcher): void;
  forget(stream: WatchStream): void;
}

export class WatchStream {
  readonly sink: WatchSink;
  readonly watchers = new Map<number, Watcher>();
  /** Watchers that wait for this stream to drain. */
  readonly parked = new Set<Watcher>();
  readonly #hub: WatchStreamHub;
  /** The next automatic id: counts up, never comes back to a freed one. */
  #nextId = 0;
  #closed = false;

  constructor(hub: WatchStreamHub, sink: WatchSink) {
    this.#hub = hub;
    this.sink = sink;
  }

  /**
   * Nothing is sent before this returns, so the answer "created" comes before the first event. The checks are
   * in etcd's order: with several faults a client sees the reason that etcd would give.
   */
  create(request: WatcherRequest): Watcher | CreateProblem {
    assert(!this.#closed, "create on a closed watch stream");
    assert(request.key.length > 0, "a watch needs a key");
    const { startRevision, rangeEnd } = request;
    if (startRevision < 0) return "negative-revision";
    const start = keyText(request.key);
    let end: string | null = null;
    if (isOpenEnd(rangeEnd)) end = OPEN_END;
    else if (rangeEnd.length > 0) {
      end = keyText(rangeEnd);
      if (end <= start) return "empty-range";
    }
    const id = this.#chooseId(request.id);
    if (id === null) return "duplicate-id";
    // "From now on" is after all that was committed, also where the hub was not yet told of it.
    const nextRevision = startRevision === 0 ? this.#hub.storeRevision + 1 : startRevision;
    const watcher = new Watcher(this, id, start, end, nextRevision, request);
    this.watchers.set(id, watcher);
    this.#hub.admit(watcher);
    return watcher;
  }

  /** Whether there was such a watcher. */
  cancel(id: number): boolean {
    const watcher = this.watchers.get(id);
    if (watcher === undefined) return false;
    this.watchers.delete(id);
    this.#hub.dismiss(watcher);
    return true;
  }

  /**
   * The revision up to which every watcher of this stream has been sent everything, or null while that cannot
   * be said: no watchers, one that is not synced (also one that compaction ended and whose id is not yet
   * cancelled), or one that starts later. It is the hub's revision, not the store's: events of the store that
   * the hub was not yet told of are still to come (incident 7).
   */
  progressRevision(): number | null {
    if (this.watchers.size === 0) return null;
    for (const watcher of this.watchers.values()) {
      if (!this.#hasProgressed(watcher)) return null;
    }
    return this.#hub.revision;
  }

  /** The same for one watcher. */
  watcherProgressRevision(watcher: Watcher): number | null {
    return this.#hasProgressed(watcher) ? this.#hub.revision : null;
  }

  /** The sink is writable again: parked watchers go on from where each of them stopped. */
  drained(): void {
    if (this.parked.size === 0) return;
    const waiting = [...this.parked];
    this.parked.clear();
    for (const watcher of waiting) this.#hub.admit(watcher);
  }

  /** Ends all watchers; nothing is sent any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const watcher of this.watchers.values()) this.#hub.dismiss(watcher);
    this.watchers.clear();
    this.#hub.forget(this);
  }

  #hasProgressed(watcher: Watcher): boolean {
    return watcher.state === "synced" && this.#hub.revision >= watcher.startRevision;
  }

  #chooseId(wanted: number): number | null {
    if (wanted !== 0) return this.watchers.has(wanted) ? null : wanted;
    while (this.watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }
}
