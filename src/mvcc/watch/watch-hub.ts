/**
 * All watchers of one member. The apply loop calls `notify` once per committed transaction, in the turn that
 * commits it and before it handles further input; the watch service opens streams and calls `pump` in spare
 * turns as long as it answers that work remains.
 *
 * What holds at every moment: a synced watcher has been sent everything up to `revision` that concerns it; any
 * other watcher has been sent everything below its nextRevision and either gets the rest from history or is
 * told that history was compacted. No watcher is skipped ahead (incident 9).
 */
import { assert } from "../../base/assert.ts";
import type { ChangeBatch, ChangeSource } from "../types.ts";
import { CatchUp, type CatchUpOwner } from "./catch-up.ts";
import { EventMatcher } from "./event-matcher.ts";
import { WatchStream, type WatchStreamHub } from "./watch-stream.ts";
import type { Watcher, WatchSink } from "./watcher.ts";
import { WatcherGroup } from "./watcher-group.ts";

export interface WatchStatistics {
  /** etcd_debugging_mvcc_watch_stream_total */
  readonly streams: number;
  /** etcd_debugging_mvcc_watcher_total */
  readonly watchers: number;
  /** etcd_debugging_mvcc_slow_watcher_total: watchers that are not synced. */
  readonly slowWatchers: number;
  /** etcd_debugging_mvcc_events_total: events sent, counted per watcher. */
  readonly eventsTotal: number;
}

export class WatchHub implements WatchStreamHub, CatchUpOwner {
  readonly #source: ChangeSource;
  readonly #synced = new WatcherGroup();
  readonly #catchUp: CatchUp;
  readonly #streams = new Set<WatchStream>();
  #revision: number;
  #round = 0;
  #watcherCount = 0;
  #parkedCount = 0;
  #eventsTotal = 0;
  #onWork: () => void = () => {};
  /** Who sees the batch at hand; kept to save an array per transaction. */
  readonly #matched: Watcher[] = [];

  constructor(source: ChangeSource) {
    this.#source = source;
    this.#revision = source.revision();
    this.#catchUp = new CatchUp(source, this, () => ++this.#round);
  }

  /** The newest revision that was notified: what synced watchers have been sent. */
  get revision(): number {
    return this.#revision;
  }

  /** The newest committed revision, told or not: the one that answers to creates carry. */
  get storeRevision(): number {
    return Math.max(this.#revision, this.#source.revision());
  }

  /** Whoever calls `pump` is told here that there is something to do. */
  onWork(listener: () => void): void {
    this.#onWork = listener;
  }

  openStream(sink: WatchSink): WatchStream {
    const stream = new WatchStream(this, sink);
    this.#streams.add(stream);
    return stream;
  }

  /** Tells synced watchers of a committed transaction. Every revision comes here exactly once, in order. */
  notify(batch: ChangeBatch): void {
    assert(batch.revision === this.#revision + 1, "a revision was left out or told twice");
    assert(batch.events.length > 0, "a batch without events");
    this.#revision = batch.revision;
    if (this.#synced.size === 0) return;
    const matched = this.#matched;
    const matcher = new EventMatcher(this.#source, this.#synced, ++this.#round);
    for (const event of batch.events) matcher.match(event, matched);
    // First all is matched, then it is sent: a sink may close streams while it is told.
    for (const watcher of matched) {
      if (watcher.state !== "synced") continue;
      if (!this.deliver(watcher)) {
        watcher.nextRevision = Math.max(watcher.nextRevision, batch.revision);
        this.park(watcher);
      }
      watcher.selection = null;
    }
    matched.length = 0;
  }

  /** Catches watchers up for about `units` of work (some microsecond each); whether work remains. */
  pump(units: number): boolean {
    return this.#catchUp.pump(units);
  }

  /**
   * The store's content was replaced (snapshot of a leader, restore). Every watcher goes on from its own next
   * revision: synced ones from after what they were sent, not from where they once started (incident 8).
   */
  onStoreReplaced(): void {
    this.#catchUp.dropSlice();
    const told = this.#revision;
    this.#revision = this.#source.revision();
    for (const stream of this.#streams) {
      for (const watcher of stream.watchers.values()) {
        if (watcher.state === "synced") {
          watcher.nextRevision = Math.max(watcher.nextRevision, told + 1);
        } else if (watcher.state !== "catching-up") continue;
        this.#withdraw(watcher);
        this.admit(watcher);
      }
    }
  }

  statistics(): WatchStatistics {
    return {
      streams: this.#streams.size,
      watchers: this.#watcherCount,
      slowWatchers: this.#catchUp.size + this.#parkedCount,
      eventsTotal: this.#eventsTotal,
    };
  }

  // For WatchStream and CatchUp, not for callers of the hub.

  admit(watcher: Watcher): void {
    if (watcher.state === "parked") this.#parkedCount--;
    else if (watcher.state === "closed") this.#watcherCount++;
    if (watcher.nextRevision > this.#revision) {
      watcher.state = "synced";
      this.#synced.add(watcher);
      return;
    }
    watcher.state = "catching-up";
    this.#catchUp.add(watcher);
    this.#onWork();
  }

  dismiss(watcher: Watcher): void {
    this.#withdraw(watcher);
    watcher.state = "closed";
    this.#watcherCount--;
  }

  forget(stream: WatchStream): void {
    this.#streams.delete(stream);
  }

  deliver(watcher: Watcher): boolean {
    const { sink } = watcher.stream;
    if (!sink.writable) return false;
    const events = watcher.selection;
    assert(events !== null && events.eventCount > 0, "a response needs events");
    this.#eventsTotal += events.eventCount;
    sink.deliver(watcher, events, this.#revision);
    return true;
  }

  synced(watcher: Watcher): void {
    this.#withdraw(watcher);
    watcher.state = "synced";
    this.#synced.add(watcher);
  }

  park(watcher: Watcher): void {
    this.#withdraw(watcher);
    watcher.state = "parked";
    watcher.stream.parked.add(watcher);
    this.#parkedCount++;
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    this.#withdraw(watcher);
    watcher.state = "compacted";
    watcher.stream.sink.compacted(watcher, compactRevision);
  }

  /** Takes the watcher out of the set that its state puts it in. */
  #withdraw(watcher: Watcher): void {
    if (watcher.state === "synced") this.#synced.remove(watcher);
    else if (watcher.state === "catching-up") this.#catchUp.remove(watcher);
    else if (watcher.state === "parked") {
      watcher.stream.parked.delete(watcher);
      this.#parkedCount--;
    }
  }
}
