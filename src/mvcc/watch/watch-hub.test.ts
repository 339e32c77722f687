import { describe, expect, test } from "bun:test";
import { decodeWatchResponse } from "../../api/index.ts";
import { concatBytes, utf8 } from "../../base/bytes.ts";
import { MemoryChangeSource } from "./change-source-model.ts";
import type { EventSelection } from "./event-selection.ts";
import { WatchHub } from "./watch-hub.ts";
import { ModelStream, type ModelWatcher } from "./watch-model.ts";
import type { Watcher, WatchSink } from "./watcher.ts";

const a = utf8("a");
const b = utf8("b");
const toEnd = new Uint8Array([0]);
const value = utf8("value");

class Bench {
  readonly source = new MemoryChangeSource();
  hub = new WatchHub(this.source);
  stream = new ModelStream(this.hub, this.source);

  put(key: Uint8Array): void {
    this.hub.notify(this.source.commit([{ key, value }])!);
  }

  delete(key: Uint8Array): void {
    this.hub.notify(this.source.commit([{ key }])!);
  }

  pumpAll(): void {
    for (let turns = 0; this.hub.pump(1000); turns++) expect(turns).toBeLessThan(1000);
  }

  watch(request: Parameters<ModelStream["create"]>[0]): ModelWatcher {
    const created = this.stream.create(request);
    if (typeof created === "string") throw new Error(created);
    return created;
  }

  /** A new process over the same store. */
  restart(): void {
    this.hub = new WatchHub(this.source);
    this.stream = new ModelStream(this.hub, this.source);
  }
}

describe("incidents of etcd", () => {
  test("7 (15220): no progress is told while events wait, and it is not the store's revision", () => {
    const bench = new Bench();
    bench.watch({ key: a });
    bench.put(a);
    expect(bench.stream.progress()).toBe(2);
    bench.stream.drain(0);
    bench.put(a);
    expect(bench.stream.progress()).toBeNull();
    bench.stream.drain(1);
    // Readable again, but history is not yet read.
    expect(bench.stream.progress()).toBeNull();
    bench.pumpAll();
    expect(bench.stream.progress()).toBe(3);
    // Committed, but the hub was not yet told.
    const batch = bench.source.commit([{ key: a, value }])!;
    bench.stream.drain(10);
    expect(bench.stream.progress()).toBe(3);
    bench.hub.notify(batch);
    expect(bench.stream.progress()).toBe(4);
  });

  test("8 (15271): a replaced store makes a synced watcher go on where it was, not where it began", () => {
    const bench = new Bench();
    bench.put(a);
    bench.put(b);
    const watched = bench.watch({ key: a, startRevision: 2 });
    bench.pumpAll();
    bench.put(b);
    expect(watched.seen).toEqual(["2/0"]);
    // A leader's snapshot brings revisions 5 and 6 without a single notify.
    bench.source.commit([{ key: a, value }]);
    bench.source.commit([{ key: b, value }]);
    bench.hub.onStoreReplaced();
    expect(bench.stream.progress()).toBeNull();
    bench.pumpAll();
    bench.put(a);
    expect(watched.seen).toEqual(["2/0", "5/0", "7/0"]);
    expect(bench.stream.progress()).toBe(7);
  });

  test("8: what the new store has compacted ends the watcher instead of leaving a gap", () => {
    const bench = new Bench();
    const watched = bench.watch({ key: a });
    bench.put(a);
    bench.source.commit([{ key: a, value }]);
    bench.source.commit([{ key: a, value }]);
    bench.source.compact(4);
    bench.hub.onStoreReplaced();
    bench.pumpAll();
    expect(watched.seen).toEqual(["2/0"]);
    expect(watched.compactRevision).toBe(4);
  });

  test("9 (17529): a full consumer overtaken by compaction is told so, and skips nothing", () => {
    const bench = new Bench();
    const watched = bench.watch({ key: a });
    bench.stream.drain(1);
    for (let i = 0; i < 5; i++) bench.put(a);
    expect(watched.seen).toEqual(["2/0"]);
    expect(bench.hub.statistics().slowWatchers).toBe(1);
    bench.source.compact(5);
    bench.pumpAll();
    bench.put(a);
    expect(watched.compactRevision).toBeNull();
    bench.stream.drain(Infinity);
    bench.pumpAll();
    expect(watched.compactRevision).toBe(5);
    expect(watched.seen).toEqual(["2/0"]);
    bench.put(a);
    expect(watched.seen).toEqual(["2/0"]);
    // Its id is taken and holds progress back until the client cancels it.
    expect(bench.stream.create({ key: a, id: watched.watcher.id || -3 })).toBeObject();
    expect(bench.stream.progress()).toBeNull();
    bench.stream.cancel(watched.watcher.id);
    expect(bench.stream.progress()).not.toBeNull();
  });

  test("9: a full consumer that compaction did not overtake gets everything", () => {
    const bench = new Bench();
    const watched = bench.watch({ key: a });
    bench.stream.drain(0);
    for (let i = 0; i < 5; i++) bench.put(a);
    bench.source.compact(2);
    bench.stream.drain(Infinity);
    bench.pumpAll();
    expect(watched.seen).toEqual(["2/0", "3/0", "4/0", "5/0", "6/0"]);
  });

  test("11 (18089): a watch from the compacted revision sees the tombstone made there", () => {
    const bench = new Bench();
    bench.put(a);
    bench.delete(a);
    bench.source.compact(3);
    const watched = bench.watch({ key: a, startRevision: 3, withPrevious: true });
    bench.pumpAll();
    expect(watched.seen).toEqual(["3/0"]);
  });

  test("12 (19179): also after a restart, where the tombstone is all that is left of the key", () => {
    const bench = new Bench();
    bench.put(a);
    bench.delete(a);
    bench.source.compact(3);
    bench.restart();
    const watched = bench.watch({ key: a, startRevision: 3 });
    bench.pumpAll();
    bench.put(a);
    expect(watched.seen).toEqual(["3/0", "4/0"]);
  });

  test("13 (20221): a future watcher gets nothing below its start, also after the store was replaced", () => {
    const bench = new Bench();
    const watched = bench.watch({ key: a, startRevision: 6 });
    bench.put(a);
    expect(bench.stream.progress()).toBeNull();
    bench.source.commit([{ key: a, value }]);
    bench.source.commit([{ key: a, value }]);
    bench.hub.onStoreReplaced();
    bench.pumpAll();
    expect(bench.stream.progress()).toBeNull();
    bench.put(a);
    expect(watched.seen).toEqual([]);
    expect(bench.stream.progress()).toBeNull();
    bench.put(a);
    expect(watched.seen).toEqual(["6/0"]);
    expect(bench.stream.progress()).toBe(6);
  });
});

describe("WatchHub", () => {
  test("a parked watcher costs nothing while its stream is full", () => {
    const bench = new Bench();
    bench.watch({ key: a });
    bench.stream.drain(0);
    bench.put(a);
    expect(bench.hub.pump(1000)).toBeFalse();
    expect(bench.hub.statistics()).toMatchObject({ watchers: 1, slowWatchers: 1, eventsTotal: 0 });
  });

  test("a slow stream does not hold up another on the same key", () => {
    const bench = new Bench();
    const other = new ModelStream(bench.hub, bench.source);
    bench.watch({ key: a });
    const fast = other.create({ key: a }) as ModelWatcher;
    bench.stream.drain(0);
    for (let i = 0; i < 3; i++) bench.put(a);
    expect(fast.seen).toEqual(["2/0", "3/0", "4/0"]);
    expect(other.progress()).toBe(4);
  });

  test("history goes out in responses of at most 1000 revisions", () => {
    const bench = new Bench();
    for (let i = 0; i < 2500; i++) bench.put(a);
    const watched = bench.watch({ key: a, startRevision: 1 });
    bench.pumpAll();
    expect(watched.seen.length).toBe(2500);
    expect(bench.stream.responses).toBe(3);
  });

  test("a newcomer with a long way to go does not hold up one that is nearly there", () => {
    const bench = new Bench();
    for (let i = 0; i < 20_000; i++) bench.put(a);
    bench.watch({ key: a, startRevision: 2 });
    const near = bench.watch({ key: a, startRevision: 19_900 });
    let turns = 0;
    while (near.watcher.state !== "synced") {
      bench.hub.pump(1000);
      if (++turns > 20) throw new Error("starved");
    }
    bench.stream.check();
  });

  test("a pump of few units does little and still ends", () => {
    const bench = new Bench();
    for (let i = 0; i < 50; i++) bench.put(i % 2 === 0 ? a : b);
    const all = bench.watch({ key: a, rangeEnd: toEnd, startRevision: 1 });
    let turns = 1;
    while (bench.hub.pump(1)) turns++;
    expect(turns).toBeGreaterThan(10);
    expect(all.seen.length).toBe(50);
    expect(bench.stream.responses).toBe(1);
  });

  test("watchers that see the same are handed the same selection, encoded once", () => {
    const bench = new Bench();
    const selections: EventSelection[] = [];
    const sink: WatchSink = {
      writable: true,
      deliver: (_watcher: Watcher, events: EventSelection) => selections.push(events),
      compacted: () => {},
    };
    const request = {
      key: a,
      rangeEnd: toEnd,
      startRevision: 0,
      id: 0,
      dropPuts: false,
      dropDeletes: false,
      withPrevious: false,
      fragment: false,
      progressNotify: false,
    };
    for (let i = 0; i < 3; i++) bench.hub.openStream(sink).create(request);
    bench.hub.openStream(sink).create({ ...request, withPrevious: true });
    bench.hub.openStream(sink).create({ ...request, key: b });
    bench.put(a);
    selections.length = 0;
    bench.hub.notify(
      bench.source.commit([
        { key: a, value },
        { key: b, value },
      ])!,
    );
    expect(new Set(selections).size).toBe(3);
    const fields = selections.map((one) => one.fields());
    const [plain, , , withPrevious, onlyB] = fields.sort((x, y) => y.length - x.length);
    expect(plain!.length).toBe(2);
    expect(onlyB!.length).toBe(1);
    const sameEvent = fields.filter((list) => list.at(-1) === onlyB!.at(-1));
    expect(sameEvent.length).toBeGreaterThanOrEqual(4);
    const decoded = decodeWatchResponse(concatBytes(withPrevious as Uint8Array[]));
    expect(decoded.events.length).toBe(2);
  });

  test("a sink may close its stream while it is told", () => {
    const bench = new Bench();
    const streams: { close(): void }[] = [];
    let told = 0;
    const sink: WatchSink = {
      writable: true,
      deliver: () => {
        told++;
        for (const stream of streams) stream.close();
      },
      compacted: () => {},
    };
    for (let i = 0; i < 3; i++) {
      const stream = bench.hub.openStream(sink);
      stream.create({ ...bench.watch({ key: b, id: -1 - i }).request, key: a, id: 0 });
      streams.push(stream);
    }
    bench.put(a);
    expect(told).toBe(1);
    expect(bench.hub.statistics().streams).toBe(1);
  });

  test("a revision that is left out or told twice is a programmer's error", () => {
    const bench = new Bench();
    const first = bench.source.commit([{ key: a, value }])!;
    const second = bench.source.commit([{ key: a, value }])!;
    expect(() => bench.hub.notify(second)).toThrow("left out");
    bench.hub.notify(first);
    expect(() => bench.hub.notify(first)).toThrow("told twice");
  });
});
