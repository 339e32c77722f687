/**
 * A set of watchers that finds those interested in a key: single keys through a map, ranges through an
 * interval tree. Watchers of the same key or range share one bucket.
 */
import { assert } from "../../base/assert.ts";
import { IntervalMap } from "./interval-map.ts";
import type { Watcher } from "./watcher.ts";

export interface WatcherBucket {
  readonly watchers: Watcher[];
}

export class WatcherGroup {
  readonly #byKey = new Map<string, WatcherBucket>();
  readonly #byRange = new IntervalMap<WatcherBucket>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(watcher: Watcher): void {
    assert(watcher.bucket === null, "a watcher is in one group at a time");
    const bucket = this.#bucketFor(watcher);
    watcher.bucket = bucket;
    watcher.slot = bucket.watchers.length;
    bucket.watchers.push(watcher);
    this.#size++;
  }

  remove(watcher: Watcher): void {
    const bucket = watcher.bucket;
    assert(bucket !== null && bucket.watchers[watcher.slot] === watcher, "watcher not in group");
    const last = bucket.watchers.pop()!;
    if (last !== watcher) {
      bucket.watchers[watcher.slot] = last;
      last.slot = watcher.slot;
    }
    watcher.bucket = null;
    this.#size--;
    if (bucket.watchers.length > 0) return;
    if (watcher.end === null) this.#byKey.delete(watcher.start);
    else this.#byRange.delete(watcher.start, watcher.end);
  }

  /** Appends the buckets of all watchers whose key or range covers the key. */
  find(key: string, found: WatcherBucket[]): void {
    const exact = this.#byKey.get(key);
    if (exact !== undefined) found.push(exact);
    this.#byRange.stab(key, found);
  }

  #bucketFor(watcher: Watcher): WatcherBucket {
    const { start, end } = watcher;
    const known = end === null ? this.#byKey.get(start) : this.#byRange.get(start, end);
    if (known !== undefined) return known;
    const bucket: WatcherBucket = { watchers: [] };
    if (end === null) this.#byKey.set(start, bucket);
    else this.#byRange.set(start, end, bucket);
    return bucket;
  }
}
