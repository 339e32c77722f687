import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk, PowerCut } from "../../test/disk/fault-disk.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { TreeCheck } from "../bbolt/index.ts";
import { BackendHash, BUCKET_NAMES, type BucketName, Database } from "./index.ts";

function open(disk: FaultDisk): Database {
  const file = disk.open("db", { create: true });
  disk.syncDirectory("");
  return Database.open({
    file,
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
}

function check(database: Database): void {
  const snapshot = database.openSnapshot();
  expect(new TreeCheck(snapshot.transaction).run()).toEqual([]);
  snapshot.close();
}

/** Everything in a database that was committed, as text. */
function contents(database: Database): string {
  const out: string[] = [];
  for (const name of BUCKET_NAMES) {
    database.forEach(name, (key, value) => out.push(`${name} ${[...key]} ${utf8Text(value)}`));
  }
  return out.join("\n");
}

const bucketName = fc.constantFrom<BucketName>("lease", "auth", "members");
const smallKey = fc.integer({ min: 0, max: 15 }).map((n) => `k${n}`);
const write = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("row" as const), size: fc.nat(600) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("put" as const), bucket: bucketName, key: smallKey }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("delete" as const),
      bucket: bucketName,
      key: smallKey,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("commit" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sync" as const) }) },
);

test("Database reads every write at once, whatever batch it is in, and keeps them over reopening", () => {
  fc.assert(
    fc.property(fc.array(write, { maxLength: 200, size: "max" }), (writes) => {
      const disk = new FaultDisk();
      disk.syncMode = "step";
      let database = open(disk);
      const rows = new Map<number, string>();
      const small = new Map<string, string>();
      let main = 1;
      for (const w of writes) {
        if (w.kind === "row") {
          main++;
          rows.set(main, `${main}`.padEnd(w.size, "."));
          database.appendRevision(main, 0, false, utf8(rows.get(main)!));
        } else if (w.kind === "put") {
          small.set(`${w.bucket} ${w.key}`, `${main}`);
          database.put(w.bucket, utf8(w.key), utf8(`${main}`));
        } else if (w.kind === "delete") {
          small.delete(`${w.bucket} ${w.key}`);
          database.delete(w.bucket, utf8(w.key));
        } else if (w.kind === "drop") {
          const revisions = [...rows.keys()].filter((r) => database.isCommitted(r));
          if (revisions.length === 0) continue;
          const gone = revisions[w.at % revisions.length]!;
          rows.delete(gone);
          database.deleteRevision(gone, 0, false);
        } else if (w.kind === "commit") database.commit();
        else disk.step();
      }
      compare(database, rows, small);
      while (disk.step());
      database.commitNow();
      compare(database, rows, small);
      check(database);
      database.close();
      database = open(disk);
      compare(database, rows, small);
      let seen = 0;
      for (const walk = database.rows(0, 0); walk.next(); seen++)
        expect(rows.has(walk.main)).toBe(true);
      expect(seen).toBe(rows.size);
    }),
    { numRuns: 60 },
  );
});

function compare(database: Database, rows: Map<number, string>, small: Map<string, string>): void {
  for (const [main, text] of rows) {
    expect(utf8Text(database.getRevision(main, 0)!)).toBe(text);
    expect(database.getRevision(main, 1)).toBeUndefined();
  }
  const seen = new Map<string, string>();
  for (const name of ["lease", "auth", "members"] as const) {
    database.forEach(name, (key, value) => seen.set(`${name} ${utf8Text(key)}`, utf8Text(value)));
  }
  expect(seen).toEqual(small);
}

test("Database.commit calls back once all writes before it are durable, one commit at a time", () => {
  const disk = new FaultDisk();
  const database = open(disk);
  disk.syncMode = "step";
  const done: string[] = [];
  database.commit(() => done.push("nothing to do"));
  expect(done).toEqual(["nothing to do"]);
  database.put("lease", utf8("a"), utf8("1"));
  database.commit(() => done.push("first"));
  expect(database.isCommitting()).toBe(true);
  expect(database.pendingWrites()).toBe(0);
  database.put("lease", utf8("b"), utf8("2"));
  database.commit(() => done.push("second"));
  expect(database.pendingWrites()).toBe(1);
  while (done.length < 2) expect(disk.step()).toBe(true);
  expect(database.isCommitting()).toBe(true);
  while (disk.step());
  expect(done).toEqual(["nothing to do", "first", "second"]);
  disk.crash(1);
  expect(contents(open(disk))).toContain("lease 98 2");
});

test("Database reports a failed sync once and calls nobody back", () => {
  const disk = new FaultDisk();
  const failures: string[] = [];
  const database = Database.open({
    file: disk.open("db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => failures.push(error.code),
  });
  database.put("lease", utf8("a"), utf8("1"));
  disk.inject({ operation: "sync", effect: { kind: "fail", code: "EIO" } });
  database.commit(() => failures.push("called back"));
  expect(failures).toEqual(["EIO"]);
});

/** Entry n puts one row of revision n + 1 and notes itself in the lease bucket. */
function applyEntry(database: Database, entry: number): void {
  database.appendRevision(entry + 1, 0, false, utf8(`entry ${entry}`.padEnd(200, "x")));
  if (entry > 60) database.deleteRevision(entry - 50, 0, false);
  database.put("lease", utf8("last"), utf8(String(entry)));
  database.setConsistentIndex(entry, 3);
}

function expectWholeEntries(database: Database): number {
  const entry = database.consistentIndex();
  const last = database.get("lease", utf8("last"));
  expect(last === undefined ? "0" : utf8Text(last)).toBe(String(entry));
  let main = 1;
  for (const rows = database.rows(0, 0); rows.next(); ) main = rows.main;
  expect(main).toBe(entry + 1);
  check(database);
  return entry;
}

/**
 * Runs entries with commits and a defragmentation in between; the power goes after `operations`.
 */
function runUntilCrash(disk: FaultDisk, operations: number): number {
  const database = open(disk);
  let acknowledged = 0;
  disk.crashAfter = disk.operationCount + operations;
  try {
    for (let entry = 1; entry <= 160; entry++) {
      applyEntry(database, entry);
      if (entry % 20 === 0)
        database.commit(() => {
          acknowledged = entry;
        });
      if (entry === 130) {
        const defragmentation = database.beginDefragmentation();
        while (defragmentation.step() !== "done");
      }
    }
  } catch (error) {
    if (!(error instanceof PowerCut)) throw error;
    return acknowledged;
  }
  return -1;
}

test("incidents 13766 and 14685: a crash at any operation, also inside a defragmentation, leaves whole entries", () => {
  for (let operations = 0; ; operations++) {
    const disk = new FaultDisk();
    const acknowledged = runUntilCrash(disk, operations);
    if (acknowledged < 0) {
      expect(operations).toBeGreaterThan(50);
      return;
    }
    disk.crash(operations);
    expect(expectWholeEntries(open(disk))).toBeGreaterThanOrEqual(acknowledged);
  }
});

test("incident 11651: an entry without effects on the store moves the applied index durably", () => {
  const disk = new FaultDisk();
  const database = open(disk);
  database.setConsistentIndex(41, 2);
  database.put("auth", utf8("authRevision"), utf8("5"));
  database.setConsistentIndex(42, 2);
  database.commit();
  database.setConsistentIndex(43, 2);
  database.commit();
  disk.crash(7);
  const again = open(disk);
  expect([again.consistentIndex(), again.consistentTerm()]).toEqual([43, 2]);
});

test("Defragmentation makes the file small while writes go on, and changes nothing in it", () => {
  const disk = new FaultDisk();
  let database = open(disk);
  const value = new Uint8Array(1000).fill(0x61);
  for (let main = 2; main < 8000; main++) database.appendRevision(main, 0, false, value);
  database.commitNow();
  for (let main = 2; main < 8000; main++)
    if (main % 10 !== 0) database.deleteRevision(main, 0, false);
  database.commitNow();
  database.put("lease", utf8("a"), utf8("b"));
  database.commitNow();
  const before = database.sizeBytes();
  const text = contents(database);
  const defragmentation = database.beginDefragmentation();
  let steps = 0;
  for (; defragmentation.step() !== "done"; steps++) {
    database.appendRevision(8000 + steps, 0, false, utf8("meanwhile"));
  }
  expect(steps).toBeGreaterThan(2);
  database.commitNow();
  for (let i = 0; i < steps; i++) database.deleteRevision(8000 + i, 0, false);
  expect(contents(database)).toBe(text);
  database.commitNow();
  expect(database.sizeBytes()).toBeLessThan(before / 3);
  check(database);
  database.close();
  database = open(disk);
  expect(contents(database)).toBe(text);
});

test("DatabaseSnapshot streams a whole database of the moment it was opened", () => {
  const disk = new FaultDisk();
  const database = open(disk);
  for (let main = 2; main < 500; main++) database.appendRevision(main, 0, false, utf8(`v${main}`));
  database.commitNow();
  const text = contents(database);
  const snapshot = database.openSnapshot();
  expect(database.openReadTransactions()).toBe(1);
  for (let main = 2; main < 500; main++) database.deleteRevision(main, 0, false);
  database.commitNow();
  const target = disk.open("copy", { create: true });
  const part = new Uint8Array(5000);
  let position = 0;
  for (let count = snapshot.read(part); count > 0; count = snapshot.read(part)) {
    target.writeAt(part, 0, count, position);
    position += count;
  }
  expect(position).toBe(snapshot.totalBytes);
  expect(position % 512).toBe(0);
  snapshot.close();
  const copy = Database.open({ file: target, pageCacheBytes: 1 << 20, onFailure: () => {} });
  expect(contents(copy)).toBe(text);
});

test("BackendHash depends on contents, not on the applied index or the layout of the file", () => {
  const hashes: number[] = [];
  for (const index of [5, 900]) {
    const database = open(new FaultDisk());
    for (let main = 2; main < 200; main++) {
      database.appendRevision(main, 0, main % 3 === 0, utf8(`v${main}`));
      if (main % (index % 7) === 0) database.commitNow();
    }
    database.setConsistentIndex(index, 1);
    database.commitNow();
    const hash = new BackendHash(database.openSnapshot());
    while (!hash.step(17));
    hashes.push(hash.hash());
    expect(database.openReadTransactions()).toBe(0);
  }
  expect(hashes[0]).toBe(hashes[1]!);
});
