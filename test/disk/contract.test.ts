/** What every disk must do, run against the real one and the one that tests use. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BunDisk } from "../../src/io/bun/index.ts";
import { type Disk, DiskError } from "../../src/io/index.ts";
import { FaultDisk } from "./fault-disk.ts";

const realDirectory = mkdtempSync(join(tmpdir(), "cairn-contract-"));
afterAll(() => rmSync(realDirectory, { recursive: true }));

const faultDisk = new FaultDisk();
faultDisk.makeDirectory("/data");

const disks: [string, Disk, string][] = [
  ["BunDisk", new BunDisk(), realDirectory],
  ["FaultDisk", faultDisk, "/data"],
];

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError);
    return (error as DiskError).code;
  }
  return "no error";
};

describe.each(disks)("%s", (_name, disk, directory) => {
  test("reads what was written, short only at the end", () => {
    const file = disk.open(`${directory}/rw`, { create: true });
    expect(file.sizeBytes()).toBe(0);
    file.writeAt(new Uint8Array([1, 2, 3, 4]), 1, 2, 10);
    expect(file.sizeBytes()).toBe(12);
    const back = new Uint8Array(8).fill(7);
    expect(file.readAt(back, 1, 7, 8)).toBe(4);
    expect([...back]).toEqual([7, 0, 0, 2, 3, 7, 7, 7]);
    expect(file.readAt(back, 0, 4, 12)).toBe(0);
    file.close();
  });

  test("writes many buffers in a row", () => {
    const file = disk.open(`${directory}/many`, { create: true });
    file.writeManyAt([new Uint8Array([1]), new Uint8Array(0), new Uint8Array([2, 3])], 2);
    const back = new Uint8Array(5);
    expect(file.readAt(back, 0, 5, 0)).toBe(5);
    expect([...back]).toEqual([0, 0, 1, 2, 3]);
    file.close();
  });

  test("preallocate grows with zeros and never shrinks; truncate does both", () => {
    const file = disk.open(`${directory}/grow`, { create: true });
    file.writeAt(new Uint8Array([9]), 0, 1, 0);
    file.preallocate(1000);
    file.preallocate(10);
    expect(file.sizeBytes()).toBe(1000);
    const back = new Uint8Array(1000);
    file.readAt(back, 0, 1000, 0);
    expect(back[0]).toBe(9);
    expect(back.subarray(1).every((byte) => byte === 0)).toBe(true);
    file.truncate(0);
    file.truncate(4);
    file.readAt(back, 0, 4, 0);
    expect([...back.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    file.close();
  });

  test("sync calls back without an error, syncNow returns", async () => {
    const file = disk.open(`${directory}/sync`, { create: true });
    file.writeAt(new Uint8Array([1]), 0, 1, 0);
    expect(await new Promise((resolve) => file.sync(resolve))).toBeNull();
    file.syncNow();
    file.close();
  });

  test("open refuses a missing file, exclusive a present one", () => {
    expect(codeOf(() => disk.open(`${directory}/none`))).toBe("ENOENT");
    expect(codeOf(() => disk.open(`${directory}/no/where`, { create: true }))).toBe("ENOENT");
    disk.open(`${directory}/once`, { create: true, exclusive: true }).close();
    expect(codeOf(() => disk.open(`${directory}/once`, { create: true, exclusive: true }))).toBe(
      "EEXIST",
    );
  });

  test("a read-only file takes no writes", () => {
    disk.open(`${directory}/read-only`, { create: true }).close();
    const file = disk.open(`${directory}/read-only`, { readOnly: true });
    expect(codeOf(() => file.writeAt(new Uint8Array(1), 0, 1, 0))).toBe("EBADF");
    file.close();
  });

  test("directories are made with parents, listed in order, renamed and removed with content", () => {
    disk.makeDirectory(`${directory}/a/b/c`);
    disk.makeDirectory(`${directory}/a/b/c`);
    for (const name of ["2", "10", "1"]) {
      disk.open(`${directory}/a/b/c/${name}`, { create: true }).close();
    }
    disk.rename(`${directory}/a/b`, `${directory}/a/z`);
    disk.syncDirectory(`${directory}/a`);
    expect(disk.list(`${directory}/a/z/c`)).toEqual(["1", "10", "2"]);
    expect(disk.exists(`${directory}/a/b`)).toBe(false);
    expect(disk.isDirectory(`${directory}/a/z/c`)).toBe(true);
    expect(disk.isDirectory(`${directory}/a/z/c/1`)).toBe(false);
    disk.remove(`${directory}/a`);
    expect(disk.exists(`${directory}/a`)).toBe(false);
  });

  test("rename replaces the target; an open handle keeps its file", () => {
    const first = disk.open(`${directory}/first`, { create: true });
    first.writeAt(new Uint8Array([1]), 0, 1, 0);
    const second = disk.open(`${directory}/second`, { create: true });
    disk.rename(`${directory}/first`, `${directory}/second`);
    expect(disk.exists(`${directory}/first`)).toBe(false);
    expect(disk.open(`${directory}/second`).sizeBytes()).toBe(1);
    expect(second.sizeBytes()).toBe(0);
    first.close();
    second.close();
  });

  test("missing names give ENOENT", () => {
    expect(codeOf(() => disk.remove(`${directory}/none`))).toBe("ENOENT");
    expect(codeOf(() => disk.rename(`${directory}/none`, `${directory}/x`))).toBe("ENOENT");
    expect(codeOf(() => disk.list(`${directory}/none`))).toBe("ENOENT");
    expect(codeOf(() => disk.syncDirectory(`${directory}/none`))).toBe("ENOENT");
  });

  test("a file is current while its path leads to it", () => {
    const first = disk.open(`${directory}/current`, { create: true });
    const second = disk.open(`${directory}/newer`, { create: true });
    expect(first.isCurrent()).toBe(true);
    disk.rename(`${directory}/newer`, `${directory}/current`);
    expect([first.isCurrent(), second.isCurrent()]).toEqual([false, false]);
    disk.remove(`${directory}/current`);
    expect(disk.open(`${directory}/current`, { create: true }).isCurrent()).toBe(true);
    first.close();
    second.close();
  });

  test("a lock is held until its handle is closed", () => {
    if (process.platform !== "linux" && disk instanceof BunDisk) return;
    const first = disk.open(`${directory}/lock`, { create: true });
    const second = disk.open(`${directory}/lock`);
    expect(first.tryLock()).toBe(true);
    expect(second.tryLock()).toBe(false);
    first.close();
    expect(second.tryLock()).toBe(true);
    second.close();
  });
});
