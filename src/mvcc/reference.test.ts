/**
 * The store beside a real etcd: equal hashes for equal operations, and each reads the other's file.
 */
import { expect, test } from "bun:test";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "../../test/disk/seeded-random.ts";
import { describeWithReference, referenceProgram } from "../../test/reference.ts";
import { type Member, startMember } from "../../test/reference-etcd.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { BackendHash, Database } from "../database/index.ts";
import { BunDisk } from "../io/bun/index.ts";
import { KeyValueHashTask } from "./key-value-hash.ts";
import { RecordReader } from "./record.ts";
import { Store } from "./store.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const EVERYTHING = new Uint8Array([0]);
const NEWEST = { revision: 0, limit: 0, countOnly: false, keysOnly: false };

interface Answer {
  header: { revision: string };
  hash?: number;
  compact_revision?: string;
  message?: string;
  ID?: string;
  kvs?: unknown[];
}

async function call(etcd: Member, path: string, body: unknown): Promise<Answer> {
  const answer = await fetch(`${etcd.url}${path}`, { method: "POST", body: JSON.stringify(body) });
  return (await answer.json()) as Answer;
}

function open(path: string): { database: Database; store: Store } {
  const database = Database.open({
    file: new BunDisk().open(path, { create: true }),
    pageCacheBytes: 4 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
  return { database, store: Store.open({ database, onChanges: () => {} }) };
}

function hashOf(store: Store, database: Database, revision: number) {
  database.commitNow();
  const task = store.beginHash(revision);
  if (!(task instanceof KeyValueHashTask)) return task;
  while (!task.step(10));
  return task.result();
}

/** The same operation on both; several puts and deletes in one revision now and then. */
async function perform(random: SeededRandom, etcd: Member, store: Store): Promise<void> {
  const transaction = store.beginTransaction();
  const requests: unknown[] = [];
  const used = new Set<string>();
  for (let i = 0; i < 1 + random.below(3); i++) {
    const key = `key-${random.below(12)}`;
    if (used.has(key)) continue;
    used.add(key);
    if (random.below(3) === 0) {
      transaction.deleteRange(utf8(key), utf8(""), false);
      requests.push({ request_delete_range: { key: base64(key) } });
    } else {
      const value = "v".repeat(random.below(300));
      transaction.put(utf8(key), utf8(value), 0n, false);
      requests.push({ request_put: { key: base64(key), value: base64(value) } });
    }
  }
  transaction.end();
  const answer = await call(etcd, "/v3/kv/txn", { success: requests });
  expect(Number(answer.header.revision)).toBe(store.revision());
}

async function expectEqualHashes(etcd: Member, store: Store, database: Database): Promise<void> {
  for (let revision = 0; revision <= store.revision() + 1; revision += 1 + (revision >> 3)) {
    const theirs = await call(etcd, "/v3/maintenance/hashkv", { revision });
    const ours = hashOf(store, database, revision);
    if (typeof ours === "string") {
      const text = { compacted: "required revision has been compacted", future: "future revision" };
      expect(theirs.message).toContain(text[ours]);
      continue;
    }
    // Where nothing lives etcd hashes what its sweep has left (docs/divergence.md, hash-where-nothing-lives).
    const livesNothing = store.count(EVERYTHING, EVERYTHING, revision) === 0;
    const isTheirOwn = livesNothing && ours.compactRevision > 0 && theirs.hash !== ours.hash;
    expect([revision, ours.hash, ours.compactRevision]).toEqual([
      revision,
      isTheirOwn ? ours.hash : (theirs.hash ?? 0),
      Number(theirs.compact_revision),
    ]);
  }
}

describeWithReference("Store beside a real etcd", () => {
  test("hashes are equal at every revision, before, in and after compactions", async () => {
    const directory = mkdtempSync(join(tmpdir(), "cairn-mvcc-"));
    const etcd = await startMember({ kind: "etcd" });
    const { database, store } = open(join(directory, "db"));
    try {
      const random = new SeededRandom(20);
      for (let round = 0; round < 4; round++) {
        for (let i = 0; i < 25; i++) await perform(random, etcd, store);
        if (round === 3) {
          const everything = { key: base64("key"), range_end: base64("kez") };
          await call(etcd, "/v3/kv/deleterange", everything);
          const transaction = store.beginTransaction();
          transaction.deleteRange(utf8("key"), utf8("kez"), false);
          transaction.end();
        }
        await expectEqualHashes(etcd, store, database);
        const revision = store.revision() - random.below(4);
        await call(etcd, "/v3/kv/compaction", { revision, physical: true });
        expect(store.scheduleCompaction(revision)).toBeUndefined();
        database.commitNow();
        let result: ReturnType<Store["compactionStep"]>;
        do result = store.compactionStep(7);
        while (result === undefined);
        expect(etcd.log()).toContain(`"compact-revision":${revision}`);
        const line = etcd
          .log()
          .split("\n")
          .findLast((l) => l.includes("finished scheduled"))!;
        expect(JSON.parse(line).hash).toBe(result.hash);
        await expectEqualHashes(etcd, store, database);
      }
    } finally {
      await etcd.remove();
      database.close();
      rmSync(directory, { recursive: true });
    }
  }, 60_000);

  test("a real etcd's file opens and reads equal, and so does ours in its tools", async () => {
    const directory = mkdtempSync(join(tmpdir(), "cairn-mvcc-"));
    const etcd = await startMember({ kind: "etcd" });
    try {
      const lease = await call(etcd, "/v3/lease/grant", { TTL: 6000, ID: "77" });
      for (let i = 0; i < 300; i++) {
        const key = base64(`k${i % 120}`);
        const leased = i % 7 === 0 ? { lease: lease.ID } : {};
        await call(etcd, "/v3/kv/put", { key, value: base64(`value ${i}`), ...leased });
        if (i % 11 === 0) await call(etcd, "/v3/kv/deleterange", { key });
      }
      await call(etcd, "/v3/kv/compaction", { revision: 150, physical: true });
      const all = { key: base64("\0"), range_end: base64("\0") };
      const theirs = await call(etcd, "/v3/kv/range", all);
      const hashes = await call(etcd, "/v3/maintenance/hashkv", {});
      const whole = await call(etcd, "/v3/maintenance/hash", {});
      await etcd.stop();
      const path = join(directory, "db");
      copyFileSync(join(etcd.dataDirectory, "member", "snap", "db"), path);
      const { database, store } = open(path);
      const ours = store.range(utf8("\0"), utf8("\0"), NEWEST);
      if (typeof ours === "string") throw new Error(ours);
      expect(ours.kvs.map(asJson)).toEqual(theirs.kvs as never);
      expect(store.revision()).toBe(Number(theirs.header.revision));
      expect(store.compactRevision()).toBe(150);
      expect(database.consistentIndex()).toBeGreaterThan(300);
      expect(hashOf(store, database, 0)).toMatchObject({ hash: hashes.hash });
      const hash = new BackendHash(database.openSnapshot());
      while (!hash.step(100));
      expect(hash.hash()).toBe(whole.hash ?? 0);
      checkWithEtcdutl(directory, database, store);
      database.close();
    } finally {
      await etcd.remove();
      rmSync(directory, { recursive: true });
    }
  }, 60_000);
});

function checkWithEtcdutl(directory: string, database: Database, store: Store): void {
  const transaction = store.beginTransaction();
  transaction.put(utf8("ours"), utf8("more"), 0n, false);
  transaction.end();
  database.commitNow();
  const snapshot = database.openSnapshot();
  const bytes = new Uint8Array(snapshot.totalBytes);
  expect(snapshot.read(bytes)).toBe(bytes.length);
  snapshot.close();
  const path = join(directory, "snapshot");
  writeFileSync(path, bytes);
  const run = Bun.spawnSync([
    referenceProgram("etcdutl"),
    "snapshot",
    "status",
    path,
    "-w",
    "json",
  ]);
  expect(run.stderr.toString()).toBe("");
  const status = JSON.parse(run.stdout.toString());
  expect(status.revision).toBe(store.revision());
}

function asJson(record: Uint8Array) {
  const reader = new RecordReader();
  expect(reader.read(record)).toBe(true);
  const value = utf8Text(record.subarray(reader.valueStart, reader.valueEnd));
  return {
    key: base64(utf8Text(record.subarray(reader.keyStart, reader.keyEnd))),
    create_revision: String(reader.create),
    mod_revision: String(reader.mod),
    version: String(reader.version),
    value: base64(value),
    ...(reader.lease === 0n ? {} : { lease: String(reader.lease) }),
  };
}
