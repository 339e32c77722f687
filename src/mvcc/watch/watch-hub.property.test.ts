import { expect, test } from "bun:test";
import fc from "fast-check";
import { MemoryChangeSource } from "./memory-change-source.ts";
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

class World {
  readonly source = new MemoryChangeSource();
  readonly hub = new WatchHub(this.source);
  readonly streams = Array.from({ length: STREAMS }, () => new ModelStream(this.hub, this.source));

  constructor() {
    this.source.revisionsPerReadMax = 2;
  }

  run(command: Command): void {
    if ("transaction" in command) {
      const batch = this.source.commit(command.transaction);
      if (batch !== null) this.hub.notify(batch);
    } else if ("transactions" in command) {
      for (const transaction of command.transactions) this.source.commit(transaction);
      if (command.compactBack !== null) this.#compact(command.compactBack);
      this.hub.onStoreReplaced();
    } else if ("back" in command) this.#compact(command.back);
    else if ("units" in command) this.hub.pump(command.units);
    else this.#runOnStream(this.streams[command.stream]!, command);
    for (const stream of this.streams) stream.check();
  }

  #runOnStream(stream: ModelStream, command: Extract<Command, { stream: number }>): void {
    if ("room" in command) stream.drain(command.room);
    else if ("startOffset" in command) {
      const { startOffset } = command;
      const startRevision = startOffset === null ? 0 : this.source.revision() + startOffset;
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
    const revision = this.source.revision() - back;
    if (revision > this.source.compactRevision() && revision >= 1) this.source.compact(revision);
  }
}

test("WatchHub keeps W1-W9 through transactions, compactions, slow consumers and replaced stores", () => {
  let progressReplies = 0;
  fc.assert(
    fc.property(fc.array(commandArbitrary, { minLength: 20, maxLength: 120 }), (commands) => {
      const world = new World();
      for (const command of commands) world.run(command);
      world.finish();
      progressReplies += world.streams.reduce((sum, stream) => sum + stream.lastProgress, 0);
    }),
    { numRuns: Number(process.env.CAIRN_WATCH_RUNS ?? 400) },
  );
  expect(progressReplies).toBeGreaterThan(0);
});
