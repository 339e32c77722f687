import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "../disk.ts";
import { BunDisk } from "./bun-disk.ts";

const directory = mkdtempSync(join(tmpdir(), "cairn-disk-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("BunDisk writes at a position, reads back, syncs, preallocates and truncates", async () => {
  const file = new BunDisk().open(join(directory, "a"), { create: true });
  file.preallocate(100_000);
  expect(file.sizeBytes()).toBe(100_000);
  file.writeManyAt([new Uint8Array([1, 2]), new Uint8Array([3]), new Uint8Array(0)], 5000);
  file.writeAt(new Uint8Array([9, 4, 9]), 1, 1, 5003);
  const back = new Uint8Array(6);
  expect(file.readAt(back, 1, 4, 5000)).toBe(4);
  expect([...back]).toEqual([0, 1, 2, 3, 4, 0]);
  expect(await new Promise((resolve) => file.sync(resolve))).toBeNull();
  file.truncate(3);
  expect(file.readAt(back, 0, 6, 0)).toBe(3);
  file.close();
});

test("BunDisk gives more buffers than one system call takes in order", () => {
  const file = new BunDisk().open(join(directory, "many"), { create: true });
  const buffers = Array.from({ length: 3000 }, (_, i) => new Uint8Array([i & 0xff, i >> 8]));
  file.writeManyAt(buffers, 0);
  const back = new Uint8Array(6000);
  file.readAt(back, 0, 6000, 0);
  for (let i = 0; i < 3000; i++) expect(back[2 * i]! | (back[2 * i + 1]! << 8)).toBe(i);
  file.close();
});

test("BunDisk errors name the operation, the path and the system's code", () => {
  const path = join(directory, "missing", "b");
  try {
    new BunDisk().open(path);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    expect((error as DiskError).code).toBe("ENOENT");
    expect((error as DiskError).path).toBe(path);
  }
});

test("BunDisk tryLock is refused while another descriptor holds the lock", () => {
  const disk = new BunDisk();
  const first = disk.open(join(directory, "lock"), { create: true });
  const second = disk.open(join(directory, "lock"));
  expect(first.tryLock()).toBe(true);
  expect(second.tryLock()).toBe(process.platform !== "linux");
  first.close();
  expect(second.tryLock()).toBe(true);
  second.close();
});
