import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../../test/disk/fault-disk.ts";
import { Database } from "../../database/index.ts";
import { Store } from "../store.ts";
import type { ChangeBatch, ChangeSource } from "../types.ts";
import { type MemoryChange, MemoryChangeSource } from "./change-source-model.ts";
import { WatchHub } from "./watch-hub.ts";
import { ModelStream } from "./watch-model.ts";

const STREAMS = 3;

const keyArbitrary = fc.constantFrom("a", "ab", "b", "b\u0000", "c").map((key) => Buffer.from(key));
const endArbitrary = fc
  .constantFrom("", "", "\u0000", "b", "c", "d", "a")
  .map((end) => Buffer.from(end));
const streamArbitrary = fc.nat(STREAMS - 1);

const transactionArbitrary = fc
  .uniqueArray(fc.tuple(keyArbitrary, fc.boolean()), {
    minLength: 1,
    maxLength: 4,
    selector: ([key]) => key.toString("latin1"),
  })
  .map((changes) =>
    changes.map(([key, isDelete]) => (isDelete ? { key } : { key, value: Buffer.from("value") })),
  );

const commandArbitrary = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("commit"), transaction: transactionArbitrary }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("create"),
      stream: streamArbitrary,
      key: keyArbitrary,
      rangeEnd: endArbitrary,
      /** Relative to the revision now; null for "from now on". */
      startOffset: fc.option(fc.integer({ min: -12, max: 4 })),
      id: fc.constantFrom(0, 0, 0, 1, 2, -5),
      dropPuts: fc.nat(5).map((n) => n === 0),
      dropDeletes: fc.nat(5).map((n) => n === 0),
      withPrevious: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("cancel"), stream: streamArbitrary, nth: fc.nat(5) }),
  },
  // A client that lost its connection comes back with the revision after the last one it saw.
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("resume"), stream: streamArbitrary, nth: fc.nat(5) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("room"),
      stream: streamArbitrary,
      room: fc.constantFrom(0, 0, 1, 2, 3, 1000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("pump"), units: fc.constantFrom(1, 3, 10, 1000) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("progress"), stream: streamArbitrary }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact"), back: fc.nat(4) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("replace"),
      transactions: fc.array(transactionArbitrary, { maxLength: 4 }),
      compactBack: fc.option(fc.nat(3)),
    }),
  },
);

type Command = typeof commandArbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** The source under test; the model of the history is always kept beside it. */
interface Backend {
  readonly source: ChangeSource;
  commit(changes: readonly MemoryChange[]): ChangeBatch | null;
  compact(revision: number): void;
  /** A little of whatever goes on behind: the steps of a compaction. */
  step(): void;
}

class World {
  readonly model: MemoryChangeSource;
  readonly backend: Backend;
  readonly hub: WatchHub;
  readonly streams: ModelStream[];

  constructor(backendOf: (model: MemoryChangeSource) => Backend) {
    this.model = new MemoryChangeSource();
    this.model.revisionsPerReadMax = 2;
    this.backend = backendOf(this.model);
    this.hub = new WatchHub(this.backend.source);
    this.streams = Array.from({ length: STREAMS }, () => new ModelStream(this.hub, this.model));
  }

  run(command: Command): void {
    if ("transaction" in command) {
      const batch = this.backend.commit(command.transaction);
      if (batch !== null) this.hub.notify(batch);
    } else if ("transactions" in command) {
      for (const transaction of command.transactions) this.backend.commit(transaction);
      if (command.compactBack !== null) this.#compact(command.compactBack);
      this.hub.onStoreReplaced();
    } else if ("back" in command) this.#compact(command.back);
    else if ("units" in command) {
      this.hub.pump(command.units);
      this.backend.step();
    } else this.#runOnStream(this.streams[command.stream]!, command);
    for (const stream of this.streams) stream.check();
  }

  #runOnStream(stream: ModelStream, command: Extract<Command, { stream: number }>): void {
    if ("room" in command) stream.drain(command.room);
    else if ("startOffset" in command) {
      const { startOffset } = command;
      const startRevision = startOffset === null ? 0 : this.model.revision() + startOffset;
      if (startOffset !== null && startRevision < 1) return;
      stream.create({ ...command, startRevision });
    } else if ("nth" in command) {
      const chosen = [...stream.watchers.values()][command.nth];
      if (chosen === undefined) return;
      stream.cancel(chosen.watcher.id);
      if (command.kind !== "resume") return;
      const startRevision = Math.max(chosen.lastRevision + 1, chosen.fromRevision);
      stream.create({ ...chosen.request, startRevision });
    } else stream.progress();
  }

  /** Everybody reads again: all must become synced, unless compaction ended them. */
  finish(): void {
    for (const stream of this.streams) stream.drain(Infinity);
    for (let turns = 0; this.hub.pump(5); turns++) {
      if (turns > 100_000) throw new Error("catching up does not end");
    }
    for (const stream of this.streams) {
      stream.check();
      for (const { watcher, compactRevision } of stream.watchers.values()) {
        expect(watcher.state).toBe(compactRevision === null ? "synced" : "compacted");
      }
    }
    const left = this.streams.reduce((sum, stream) => sum + stream.watchers.size, 0);
    expect(this.hub.statistics()).toMatchObject({ watchers: left, slowWatchers: 0 });
    for (const stream of this.streams) stream.stream.close();
    expect(this.hub.statistics()).toMatchObject({ streams: 0, watchers: 0 });
  }

  #compact(back: number): void {
    const revision = this.model.revision() - back;
    if (revision > this.model.compactRevision() && revision >= 1) this.backend.compact(revision);
  }
}

function holds(runs: number, backendOf: (model: MemoryChangeSource) => Backend): void {
  let progressReplies = 0;
  fc.assert(
    fc.property(fc.array(commandArbitrary, { minLength: 20, maxLength: 120 }), (commands) => {
      const world = new World(backendOf);
      for (const command of commands) world.run(command);
      world.finish();
      progressReplies += world.streams.reduce((sum, stream) => sum + stream.lastProgress, 0);
    }),
    { numRuns: runs },
  );
  expect(progressReplies).toBeGreaterThan(0);
}

const RUNS = Number(process.env.CAIRN_WATCH_RUNS ?? 400);

test("WatchHub keeps W1-W9 through transactions, compactions, slow consumers and replaced stores", () => {
  holds(RUNS, (model) => ({
    source: model,
    commit: (changes) => model.commit(changes),
    compact: (revision) => model.compact(revision),
    step: () => {},
  }));
});

test("WatchHub keeps W1-W9 over the real store", () => {
  holds(RUNS / 4, (model) => {
    let batch: ChangeBatch | null = null;
    const database = Database.open({
      file: new FaultDisk().open("db", { create: true }),
      pageCacheBytes: 1 << 20,
      onFailure: (error) => {
        throw error;
      },
    });
    const store = Store.open({
      database,
      onChanges: (changes) => {
        batch = changes;
      },
      onLease: () => {},
    });
    const readChanges: ChangeSource["readChanges"] = (from, _revisionsMax, bytesMax) =>
      store.readChanges(from, 2, bytesMax);
    return {
      source: {
        revision: () => store.revision(),
        compactRevision: () => store.compactRevision(),
        readChanges,
        recordAt: (key, revision) => store.recordAt(key, revision),
      },
      commit: (changes) => {
        batch = null;
        const transaction = store.beginTransaction();
        for (const { key, value } of changes) {
          if (value === undefined) transaction.deleteRange(key, new Uint8Array(0), false);
          else transaction.put(key, value, 0n, false);
        }
        transaction.end();
        const expected = model.commit(changes);
        expect(batch === null).toBe(expected === null);
        return batch;
      },
      compact: (revision) => {
        while (store.isCompacting()) store.compactionStep(100);
        model.compact(revision);
        expect(store.scheduleCompaction(revision)).toBeUndefined();
      },
      step: () => {
        if (store.isCompacting()) store.compactionStep(1);
      },
    };
  });
});
