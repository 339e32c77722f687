import { expect, test } from "bun:test";
import { FaultDisk, PowerCut } from "../../test/disk/fault-disk.ts";
import { loadNewestSnapshot, purgeSnapshots, saveSnapshot } from "./snapshot-file.ts";

const DIRECTORY = "/snap";

function newDisk(): FaultDisk {
  const disk = new FaultDisk();
  disk.makeDirectory(DIRECTORY);
  disk.syncDirectory("/");
  return disk;
}

const snapshot = (index: number, term: number) => ({
  index,
  term,
  membership: new Uint8Array([index & 0xff, 2, 3]),
});

test("the newest saved snapshot is loaded, by term before index", () => {
  const disk = newDisk();
  expect(loadNewestSnapshot(disk, DIRECTORY)).toEqual({ snapshot: null, broken: [] });
  saveSnapshot(disk, DIRECTORY, snapshot(100, 2));
  saveSnapshot(disk, DIRECTORY, snapshot(90, 3));
  const name = saveSnapshot(disk, DIRECTORY, snapshot(2 ** 50, 3));
  expect(name).toBe("0000000000000003-0004000000000000.snap");
  expect(loadNewestSnapshot(disk, DIRECTORY).snapshot).toEqual(snapshot(2 ** 50, 3));
  const accepted = loadNewestSnapshot(disk, DIRECTORY, ({ index }) => index <= 100).snapshot;
  expect(accepted).toEqual(snapshot(90, 3));
  expect(purgeSnapshots(disk, DIRECTORY, 2)).toEqual(["0000000000000002-0000000000000064.snap"]);
  expect(disk.list(DIRECTORY).length).toBe(2);
});

test("a changed byte anywhere sets the file aside and the older snapshot counts", () => {
  const length = (() => {
    const disk = newDisk();
    const name = saveSnapshot(disk, DIRECTORY, snapshot(5, 1));
    return disk.contents(`${DIRECTORY}/${name}`).length;
  })();
  for (let at = 0; at < length; at++) {
    const disk = newDisk();
    saveSnapshot(disk, DIRECTORY, snapshot(4, 1));
    const newest = saveSnapshot(disk, DIRECTORY, snapshot(5, 1));
    disk.rot(`${DIRECTORY}/${newest}`, at, 1 << (at % 8));
    const loaded = loadNewestSnapshot(disk, DIRECTORY);
    expect(loaded.snapshot).toEqual(snapshot(4, 1));
    expect(loaded.broken.map(({ file }) => file)).toEqual([newest]);
    expect(disk.exists(`${DIRECTORY}/${newest}.broken`)).toBe(true);
  }
});

test("a power cut at any step leaves the old snapshot or the new one, and no leftovers after loading", () => {
  for (let cut = 1; cut <= 5; cut++) {
    for (let seed = 0; seed < 20; seed++) {
      const disk = newDisk();
      saveSnapshot(disk, DIRECTORY, snapshot(4, 1));
      disk.crashAfter = disk.operationCount + cut - 1;
      let saved = false;
      try {
        saveSnapshot(disk, DIRECTORY, snapshot(5, 1));
        saved = true;
      } catch (error) {
        expect(error).toBeInstanceOf(PowerCut);
      }
      disk.crash(seed);
      const loaded = loadNewestSnapshot(disk, DIRECTORY);
      expect(loaded.broken).toEqual([]);
      expect([4, 5]).toContain(loaded.snapshot!.index);
      if (saved) expect(loaded.snapshot!.index).toBe(5);
      expect(disk.list(DIRECTORY).every((name) => name.endsWith(".snap"))).toBe(true);
    }
  }
});
