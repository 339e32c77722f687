import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { concatBytes, utf8, utf8Text } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import type { CheckpointSource, CheckpointWriter } from "./checkpoint/index.ts";
import { RecordReader } from "./record.ts";
import { Store } from "./store.ts";
import { type ModelChange, type ModelOperation, StoreModel } from "./testing/store-model.ts";
import type { ChangeBatch } from "./types.ts";

type Command =
  | { kind: "transaction"; operations: ModelOperation[] }
  | { kind: "compact"; back: number };

const READ = { revision: 0, limit: 0, countOnly: false, keysOnly: false };

/** A store on a disk that can lose power, with the log of all commands to replay after that. */
class Bench {
  readonly disk = new FaultDisk();
  readonly log: Command[] = [];
  model = new StoreModel();
  database!: Database;
  store!: Store;
  changes: ChangeBatch[] = [];
  leases = new Map<string, bigint>();
  /** The last whole checkpoint and the one being written. */
  checkpoint: Uint8Array | undefined;
  writing: { parts: Uint8Array[]; writer: CheckpointWriter } | undefined;
  checkpointsUsed = 0;

  constructor() {
    this.open();
  }

  open(): void {
    this.leases.clear();
    this.database = Database.open({
      file: this.disk.open("db", { create: true }),
      pageCacheBytes: 1 << 20,
      onFailure: (error) => {
        throw error;
      },
    });
    this.disk.syncDirectory("");
    this.writing = undefined;
    const { checkpoint, database } = this;
    const scanned = Store.open({ database, onChanges: () => {} });
    this.store = Store.open({
      database,
      checkpoint: checkpoint === undefined ? undefined : sourceOf(checkpoint),
      onChanges: (batch) => this.changes.push(batch),
      onLease: (key, id) => this.leases.set(utf8Text(key), id),
    });
    if (this.store.checkpointRevision() > 0) this.checkpointsUsed++;
    expect(this.store.indexSize()).toEqual(scanned.indexSize());
    expect(this.store.keyCount()).toBe(scanned.keyCount());
  }

  /** One step of writing a checkpoint; a whole one replaces the last. */
  stepCheckpoint(keys: number): void {
    if (this.writing === undefined) {
      const parts: Uint8Array[] = [];
      const sink = { write: (bytes: Uint8Array) => parts.push(bytes.slice()) };
      this.writing = { parts, writer: this.store.beginCheckpoint(sink) };
    }
    const { parts, writer } = this.writing;
    const progress = writer.step(keys);
    if (progress === "done") this.checkpoint = concatBytes(parts);
    if (progress === "done" || progress === "outdated") this.writing = undefined;
  }

  run(command: Command): void {
    this.log.push(command);
    this.apply(command, this.log.length);
  }

  /** Applies to store and model; the applied index goes into the same batch. */
  apply(command: Command, index: number): void {
    const before = this.changes.length;
    if (command.kind === "compact") {
      const revision = this.model.revision - command.back;
      expect(this.store.scheduleCompaction(revision)).toBe(this.model.compact(revision));
    } else {
      const transaction = this.store.beginTransaction();
      for (const operation of command.operations) {
        if (operation.kind === "put") {
          const { key, value, lease } = operation;
          transaction.put(utf8(key), utf8(value), lease, false);
        } else {
          transaction.deleteRange(utf8(operation.key), utf8(operation.rangeEnd), false);
        }
      }
      this.model.transaction(command.operations);
      expect(transaction.end()).toBe(this.model.revision);
    }
    this.database.setConsistentIndex(index, 1);
    const made = this.changes.slice(before).flatMap((batch) => batch.events);
    if (command.kind === "transaction") {
      const wanted = this.model.changes.slice(this.model.changes.length - made.length);
      expect(made.map((e) => [e.revision, e.sub, utf8Text(e.key), e.type === 1])).toEqual(
        wanted.map((c) => [c.main, c.sub, c.key, c.dead]),
      );
    }
  }

  /** Power loss: the state is then that of some prefix of the log; the rest is applied again. */
  crash(seed: number): void {
    const revisionBefore = this.database.consistentIndex();
    this.disk.crash(seed);
    this.open();
    const index = this.database.consistentIndex();
    expect(index).toBeLessThanOrEqual(revisionBefore);
    this.model = new StoreModel();
    for (const command of this.log.slice(0, index)) {
      if (command.kind === "compact") this.model.compact(this.model.revision - command.back);
      else this.model.transaction(command.operations);
    }
    this.checkAll();
    this.checkLeases();
    for (let i = index; i < this.log.length; i++) this.apply(this.log[i]!, i + 1);
  }

  reopen(): void {
    this.database.commitNow();
    this.database.close();
    this.open();
  }

  checkLeases(): void {
    const wanted = this.model.range("", "\0", Number.POSITIVE_INFINITY);
    const leased = wanted.filter((c) => c.lease !== 0n).map((c) => [c.key, c.lease]);
    expect([...this.leases].sort()).toEqual(leased as [string, bigint][]);
  }

  checkRange(key: string, rangeEnd: string, revision: number, limit: number): void {
    const { model } = this;
    const options = { ...READ, revision, limit };
    const found = this.store.range(utf8(key), utf8(rangeEnd), options);
    if (revision > model.revision) {
      expect(found).toBe("future");
      return;
    }
    if (revision > 0 && revision < model.compactRevision) {
      expect(found).toBe("compacted");
      return;
    }
    const at = revision <= 0 ? model.revision : revision;
    const wanted = model.range(key, rangeEnd, at);
    const cut = limit > 0 ? wanted.slice(0, limit) : wanted;
    if (typeof found === "string") throw new Error(found);
    expect(found.kvs.map(decoded)).toEqual(cut.map(plain));
    expect(found.count).toBe(wanted.length);
    const counted = this.store.range(utf8(key), utf8(rangeEnd), { ...options, countOnly: true });
    expect(counted).toEqual({ kvs: [], count: wanted.length });
    const keys = this.store.range(utf8(key), utf8(rangeEnd), { ...options, keysOnly: true });
    if (typeof keys === "string") throw new Error(keys);
    const bare = cut.map((c) => ({ ...plain(c), value: "", lease: 0n }));
    expect(keys.kvs.map(decoded)).toEqual(bare);
  }

  checkAll(): void {
    const { model, store } = this;
    expect(store.revision()).toBe(model.revision);
    expect(store.compactRevision()).toBe(model.compactRevision);
    for (let r = Math.max(model.compactRevision, 1); r <= model.revision; r++) {
      this.checkRange("\0", "\0", r, 0);
    }
    this.checkRange("\0", "\0", 0, 0);
    for (const { key, lease } of model.range("\0", "\0", model.revision)) {
      expect(decoded(store.getRecord(utf8(key))!)).toEqual(plain(model.at(key, model.revision)!));
      expect(store.keyRevisions(utf8(key), 0)?.lease).toBe(lease);
    }
    this.checkHistory();
  }

  /** What a watch from just after the compact revision gets, read in small portions. */
  checkHistory(): void {
    const { model, store } = this;
    const seen: unknown[] = [];
    for (let from = model.compactRevision + 1; from <= model.revision; ) {
      const read = store.readChanges(from, 3, 200);
      if (read === "compacted") throw new Error(read);
      for (const batch of read.batches) {
        for (const e of batch.events) seen.push([e.revision, e.sub, utf8Text(e.key), e.type === 1]);
      }
      expect(read.nextRevision).toBeGreaterThan(from);
      from = read.nextRevision;
    }
    const wanted = model.changesFrom(model.compactRevision + 1);
    expect(seen).toEqual(wanted.map((c) => [c.main, c.sub, c.key, c.dead]));
    if (model.compactRevision > 1) {
      expect(store.readChanges(model.compactRevision - 1, 1, 1)).toBe("compacted");
    }
  }
}

function sourceOf(bytes: Uint8Array): CheckpointSource {
  return {
    sizeBytes: () => bytes.length,
    readAt(buffer, offset, length, position) {
      const part = bytes.subarray(position, position + length);
      buffer.set(part, offset);
      return part.length;
    },
  };
}

function decoded(record: Uint8Array) {
  const reader = new RecordReader();
  expect(reader.read(record)).toBe(true);
  const { create, mod, version, lease } = reader;
  const key = utf8Text(record.subarray(reader.keyStart, reader.keyEnd));
  const value = utf8Text(record.subarray(reader.valueStart, reader.valueEnd));
  return { key, create, mod, version, value, lease };
}

function plain({ key, create, main, version, value, lease }: ModelChange) {
  return { key, create, mod: main, version, value, lease };
}

const keyName = fc.integer({ min: 0, max: 25 }).map((n) => `k${n}`);
const put = fc.record({
  kind: fc.constant("put" as const),
  key: keyName,
  value: fc.string({ maxLength: 40 }),
  lease: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0n) },
    { weight: 1, arbitrary: fc.bigInt(1n, 2n ** 63n - 1n) },
  ),
});
const remove = fc.record({
  kind: fc.constant("delete" as const),
  key: keyName,
  rangeEnd: fc.oneof(fc.constant(""), fc.constant("\0"), keyName),
});
const transaction = fc.record({
  kind: fc.constant("transaction" as const),
  operations: fc.array(fc.oneof({ weight: 4, arbitrary: put }, { weight: 1, arbitrary: remove }), {
    minLength: 1,
    maxLength: 4,
  }),
});
const compact = fc.record({
  kind: fc.constant("compact" as const),
  back: fc.integer({ min: -1, max: 15 }),
});
const checkpoint = fc.record({
  kind: fc.constant("checkpoint" as const),
  keys: fc.integer({ min: 1, max: 12 }),
});
const step = fc.oneof(
  { weight: 4, arbitrary: checkpoint },
  { weight: 12, arbitrary: transaction },
  { weight: 1, arbitrary: compact },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("sweep" as const),
      rows: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("commit" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const), seed: fc.nat() }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      key: keyName,
      rangeEnd: fc.oneof(fc.constant(""), fc.constant("\0"), keyName),
      back: fc.integer({ min: -2, max: 20 }),
      limit: fc.integer({ min: 0, max: 5 }),
    }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(bench: Bench, s: Step): void {
  if (s.kind === "transaction" || s.kind === "compact") bench.run(s);
  else if (s.kind === "sweep") bench.store.compactionStep(s.rows);
  else if (s.kind === "commit") bench.database.commit();
  else if (s.kind === "checkpoint") bench.stepCheckpoint(s.keys);
  else if (s.kind === "sync") bench.disk.step();
  else if (s.kind === "crash") bench.crash(s.seed);
  else bench.checkRange(s.key, s.rangeEnd, bench.model.revision - s.back, s.limit);
}

test("Store agrees with a list of changes over compactions, commits, checkpoints and crashes", () => {
  let checkpointsUsed = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      const bench = new Bench();
      bench.disk.syncMode = "step";
      for (const s of steps) perform(bench, s);
      bench.checkAll();
      while (bench.store.isCompacting()) {
        bench.disk.step();
        bench.store.compactionStep(7);
      }
      bench.checkAll();
      while (bench.disk.step());
      bench.reopen();
      bench.checkAll();
      bench.checkLeases();
      checkpointsUsed += bench.checkpointsUsed;
    }),
    { numRuns: 150 },
  );
  expect(checkpointsUsed).toBeGreaterThan(30);
});
