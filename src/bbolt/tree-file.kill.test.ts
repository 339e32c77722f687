// kill -9, then loss of power: found by the simulator (seed 925 of its day).
import { expect, test } from "bun:test";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { utf8, utf8Text } from "../base/bytes.ts";
import { TreeCheck, TreeFile } from "./index.ts";

const NAME = utf8("b");
const SEEDS = 100;

function open(disk: FaultDisk): TreeFile {
  return TreeFile.open(disk.open("/d/db", { create: true }), {
    pageCacheBytes: 1 << 16,
    pageBytes: 1024,
  });
}

function write(tree: TreeFile, value: string) {
  const transaction = tree.beginWrite();
  const bucket = transaction.root().createBucketIfMissing(NAME);
  for (let i = 0; i < 40; i++) bucket.put(utf8(`key-${i}`), utf8(`${value}-${i}`.padEnd(60, ".")));
  return transaction;
}

function read(tree: TreeFile): string {
  const transaction = tree.beginRead();
  expect(new TreeCheck(transaction).run()).toEqual([]);
  const value = utf8Text(transaction.root().bucket(NAME)!.get(utf8("key-7"))!);
  transaction.close();
  return value.slice(0, value.indexOf("-"));
}

test("a commit that a killed process left unsynced is synced before the next one is built on it", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const disk = new FaultDisk();
    disk.makeDirectory("/d");
    disk.syncDirectory("/");
    const first = open(disk);
    disk.syncDirectory("/d");
    write(first, "one").commitNow();
    write(first, "two").commitNow();
    disk.syncMode = "step";
    write(first, "three").commit(() => {});
    // The pages are synced, the meta page that names them is written and is not.
    expect(disk.step()).toBe(true);
    disk.kill();
    const second = open(disk);
    expect(read(second)).toBe("three");
    write(second, "four").commit(() => {});
    disk.crash(seed);
    expect(["three", "four"]).toContain(read(open(disk)));
  }
});
