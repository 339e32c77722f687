/** Files go both ways between this tree and the real etcd. */
import { afterAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithReference, referenceProgram } from "../../test/reference.ts";
import { startMember } from "../../test/reference-etcd.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { crc32c } from "../base/crc32c.ts";
import { BunDisk } from "../io/bun/index.ts";
import type { BucketReader } from "./bucket.ts";
import { SnapshotReader, TreeCheck, TreeFile } from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "cairn-bbolt-"));
afterAll(() => rmSync(directory, { recursive: true }));
const disk = new BunDisk();
const options = { pageCacheBytes: 8 << 20 };
const BUCKETS = "alarm auth authRoles authUsers cluster key lease members members_removed meta";

interface SnapshotStatus {
  hash: number;
  revision: number;
  totalKey: number;
  totalSize: number;
}

function run(name: "etcdctl" | "etcdutl", ...args: string[]): string {
  const result = spawnSync(referenceProgram(name), args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${name} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

/** Runs bbolt's own consistency check, then hashes and counts everything. */
function statusOf(path: string): SnapshotStatus {
  return JSON.parse(run("etcdutl", "snapshot", "status", path, "-w", "json"));
}

function revisionKey(main: number): Uint8Array {
  const key = new Uint8Array(17);
  new DataView(key.buffer).setUint32(4, main);
  key[8] = 0x5f;
  return key;
}

/**
 * What `snapshot status` computes: crc32c over each bucket's name, keys and values; and the count.
 */
function hashOf(root: BucketReader): { hash: number; totalKey: number } {
  let hash = 0;
  let totalKey = 0;
  const buckets = root.cursor();
  for (let more = buckets.first(); more; more = buckets.next()) {
    hash = crc32c(buckets.key(), hash);
    const cursor = root.bucket(buckets.key())!.cursor();
    for (let next = cursor.first(); next; next = cursor.next()) {
      hash = crc32c(cursor.value(), crc32c(cursor.key(), hash));
      totalKey++;
    }
  }
  return { hash, totalKey };
}

function writeHistory(tree: TreeFile, pageBytes: number): void {
  let revision = 1;
  for (let round = 0; round < 12; round++) {
    const write = tree.beginWrite();
    const root = write.root();
    for (const name of BUCKETS.split(" ")) root.createBucketIfMissing(utf8(name));
    root.bucket(utf8("meta"))!.put(utf8("consistent_index"), new Uint8Array(8).fill(round));
    const key = root.bucket(utf8("key"))!;
    key.fillPercent = 0.9;
    const first = revision + 1;
    for (let n = 0; n < 1500; n++)
      key.put(revisionKey(++revision), utf8(`value ${n}`.repeat(n % 30)));
    key.put(revisionKey(++revision), new Uint8Array(3 * pageBytes + 11).fill(round));
    for (let main = first - 1000; main < first; main++) key.delete(revisionKey(main));
    for (let n = 0; n < 30; n++) root.bucket(utf8("lease"))!.put(utf8(`${round} ${n}`), utf8("x"));
    if (round === 8) root.deleteBucket(utf8("lease"));
    write.commitNow();
  }
}

describeWithReference("bbolt against the real etcd", () => {
  // A freelist can be stored, stored with the count outside of the header, or not stored.
  for (const freelistBytesMax of [1 << 24, 0]) {
    const stored = freelistBytesMax > 0 ? "stored" : "not stored";
    test(`etcdutl accepts a file written here (freelist ${stored})`, () => {
      const path = join(directory, `ours-${freelistBytesMax}.db`);
      const tree = TreeFile.open(disk.open(path, { create: true }), {
        ...options,
        freelistBytesMax,
      });
      writeHistory(tree, 4096);
      const read = tree.beginRead();
      expect(new TreeCheck(read).run()).toEqual([]);
      const status = statusOf(path);
      expect(status).toMatchObject({ ...hashOf(read.root()), totalSize: tree.sizeBytes() });
      // The copy made for snapshots is the same database.
      const snapshot = new SnapshotReader(read);
      const content = new Uint8Array(snapshot.totalBytes);
      expect(snapshot.read(content)).toBe(content.length);
      const copy = disk.open(`${path}.copy`, { create: true });
      copy.writeAt(content, 0, content.length, 0);
      copy.close();
      expect(statusOf(`${path}.copy`)).toEqual(status);
      read.close();
      tree.close();
    });
  }

  test("etcdutl accepts a freelist of more than 65,535 pages", () => {
    const path = join(directory, "long-freelist.db");
    const tree = TreeFile.open(disk.open(path, { create: true }), {
      ...options,
      pageBytes: 1024,
      freelistBytesMax: 1 << 24,
    });
    const write = tree.beginWrite();
    write.root().createBucket(utf8("meta"));
    const key = write.root().createBucket(utf8("key"));
    key.fillPercent = 1;
    for (let n = 1; n <= 70_000; n++) key.put(revisionKey(n), new Uint8Array(960));
    write.commitNow();
    const clear = tree.beginWrite();
    for (let n = 1; n < 69_990; n++) clear.root().bucket(utf8("key"))!.delete(revisionKey(n));
    clear.commitNow();
    expect(tree.freeBytes() / 1024).toBeGreaterThan(0xffff);
    const read = tree.beginRead();
    expect(new TreeCheck(read).run()).toEqual([]);
    expect(statusOf(path)).toMatchObject(hashOf(read.root()));
    read.close();
    tree.close();
    const again = TreeFile.open(disk.open(path), options);
    expect(again.freeBytes() / 1024).toBeGreaterThan(0xffff);
    again.close();
  });

  test("a file written by etcd opens, passes the check and holds what was put", async () => {
    const member = await startMember({ kind: "etcd" });
    const endpoint = ["--endpoints", member.endpoint];
    const values = new Map<string, string>();
    for (let n = 0; n < 60; n++) {
      values.set(`k${n}`, `${n}`.repeat(n * 40 + 1));
      run("etcdctl", ...endpoint, "put", `k${n}`, values.get(`k${n}`)!);
    }
    const large = "x".repeat(70_000);
    run("etcdctl", ...endpoint, "put", "large", large);
    for (let n = 0; n < 20; n++) run("etcdctl", ...endpoint, "del", `k${n}`);
    run("etcdctl", ...endpoint, "lease", "grant", "1000");
    run("etcdctl", ...endpoint, "compaction", "70");
    await member.stop();
    const path = join(member.dataDirectory, "member", "snap", "db");
    const before = statusOf(path);
    const tree = TreeFile.open(disk.open(path), options);
    const read = tree.beginRead();
    expect(new TreeCheck(read).run()).toEqual([]);
    expect(before).toMatchObject(hashOf(read.root()));
    const texts: string[] = [];
    const cursor = read.root().bucket(utf8("key"))!.cursor();
    for (let more = cursor.first(); more; more = cursor.next())
      texts.push(utf8Text(cursor.value()));
    for (let n = 20; n < 60; n++) {
      if (!texts.some((text) => text.includes(values.get(`k${n}`)!))) expect.unreachable(`k${n}`);
    }
    expect(texts.some((text) => text.includes(large))).toBe(true);
    const names: string[] = [];
    const buckets = read.root().cursor();
    for (let more = buckets.first(); more; more = buckets.next())
      names.push(utf8Text(buckets.key()));
    expect(names.join(" ")).toBe(BUCKETS);
    read.close();
    // And a change made here is one that etcdutl accepts.
    const write = tree.beginWrite();
    const extra = write.root().createBucket(utf8("cairn"));
    for (let n = 0; n < 500; n++) extra.put(revisionKey(n), utf8("was here"));
    write.commitNow();
    const after = tree.beginRead();
    expect(new TreeCheck(after).run()).toEqual([]);
    expect(statusOf(path)).toMatchObject(hashOf(after.root()));
    after.close();
    tree.close();
    // So does etcd itself, and its own later writes leave a whole file.
    const again = await startMember({ kind: "etcd", directory: member.directory });
    const got = run("etcdctl", "--endpoints", again.endpoint, "get", "k59", "--print-value-only");
    expect(got.trim()).toBe(values.get("k59")!);
    run("etcdctl", "--endpoints", again.endpoint, "put", "after", "all");
    await again.stop();
    const last = TreeFile.open(disk.open(path), options);
    const end = last.beginRead();
    expect(new TreeCheck(end).run()).toEqual([]);
    expect(end.root().bucket(utf8("cairn"))!.get(revisionKey(7))).toBeDefined();
    end.close();
    last.close();
    await member.remove();
  });
});
