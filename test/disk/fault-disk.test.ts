import { expect, test } from "bun:test";
import { DiskError } from "../../src/io/index.ts";
import { FaultDisk, PowerCut } from "./fault-disk.ts";

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

function diskWithFile(): { disk: FaultDisk; file: ReturnType<FaultDisk["open"]> } {
  const disk = new FaultDisk();
  disk.makeDirectory("/d");
  disk.syncDirectory("/");
  const file = disk.open("/d/f", { create: true });
  disk.syncDirectory("/d");
  return { disk, file };
}

test("a crash keeps what was synced and may lose, keep or tear what was not", () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const { disk, file } = diskWithFile();
    file.writeAt(bytes(2048, 1), 0, 2048, 0);
    file.syncNow();
    file.writeAt(bytes(1024, 2), 0, 1024, 512);
    disk.crash(seed);
    const left = disk.contents("/d/f");
    expect(left.length).toBe(2048);
    expect(left.subarray(0, 512)).toEqual(bytes(512, 1));
    expect(left.subarray(1536)).toEqual(bytes(512, 1));
    for (const at of [512, 1024]) {
      expect(left.subarray(at, at + 512)).toEqual(bytes(512, left[at]!));
    }
    seen.add(`${left[512]}${left[1024]}`);
  }
  expect([...seen].sort()).toEqual(["11", "12", "21", "22"]);
});

test("the same seed leaves the same bytes", () => {
  const run = () => {
    const { disk, file } = diskWithFile();
    for (let i = 0; i < 20; i++) file.writeAt(bytes(700, i), 0, 700, i * 300);
    disk.crash(42);
    return disk.contents("/d/f");
  };
  expect(run()).toEqual(run());
});

test("a name is durable only after its directory was synced", () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 50; seed++) {
    const { disk } = diskWithFile();
    disk.rename("/d/f", "/d/g");
    disk.crash(seed);
    outcomes.add(disk.list("/d").join());
  }
  expect([...outcomes].sort()).toEqual(["f", "g"]);
  const { disk } = diskWithFile();
  disk.rename("/d/f", "/d/g");
  disk.syncDirectory("/d");
  disk.crash(1);
  expect(disk.list("/d")).toEqual(["g"]);
});

test("a sync covers the writes before its call, not those before its completion", () => {
  const { disk, file } = diskWithFile();
  disk.syncMode = "step";
  file.writeAt(bytes(10, 1), 0, 10, 0);
  let done = 0;
  file.sync(() => done++);
  file.writeAt(bytes(10, 2), 0, 10, 600);
  expect(done).toBe(0);
  expect(disk.step()).toBe(true);
  expect(disk.step()).toBe(false);
  expect(done).toBe(1);
  let lost = 0;
  for (let seed = 0; seed < 20; seed++) {
    const copy = diskWithFile();
    copy.disk.syncMode = "step";
    copy.file.writeAt(bytes(10, 1), 0, 10, 0);
    copy.file.sync(() => {});
    copy.file.writeAt(bytes(10, 2), 0, 10, 600);
    copy.disk.step();
    copy.disk.crash(seed);
    expect(copy.disk.contents("/d/f").subarray(0, 10)).toEqual(bytes(10, 1));
    if (copy.disk.contents("/d/f").length < 600) lost++;
  }
  expect(lost).toBeGreaterThan(0);
});

test("a failed sync drops its writes for good; a second one pretends success", () => {
  const { disk, file } = diskWithFile();
  file.writeAt(bytes(10, 1), 0, 10, 0);
  disk.inject({ operation: "sync", effect: { kind: "fail", code: "EIO" } });
  let error: DiskError | null = null;
  file.sync((result) => {
    error = result;
  });
  expect(error).toBeInstanceOf(DiskError);
  file.syncNow();
  expect(disk.contents("/d/f").length).toBe(10);
  disk.crash(1);
  expect(disk.contents("/d/f").length).toBe(0);
});

test("lost and misdirected writes, rot, and a full disk", () => {
  const { disk, file } = diskWithFile();
  file.preallocate(4096);
  disk.inject({ operation: "write", effect: { kind: "lose" } });
  file.writeAt(bytes(8, 5), 0, 8, 0);
  expect(disk.contents("/d/f")[0]).toBe(5);
  disk.inject({
    operation: "write",
    pathIncludes: "f",
    effect: { kind: "misdirect", byBytes: 512 },
  });
  file.writeAt(bytes(8, 6), 0, 8, 1024);
  file.syncNow();
  disk.rot("/d/f", 1536, 0x80);
  disk.crash(1);
  const left = disk.contents("/d/f");
  expect([left[0], left[1024], left[1536], left[1537]]).toEqual([0, 0, 0x86, 6]);
  disk.capacityBytes = 5000;
  const other = disk.open("/d/other", { create: true });
  expect(() => other.preallocate(1000)).toThrow(DiskError);
  other.writeAt(bytes(900, 1), 0, 900, 0);
  expect(() => other.writeAt(bytes(100, 1), 0, 100, 900)).toThrow("no space left");
});

test("the power goes after the operation that the test names", () => {
  const { disk, file } = diskWithFile();
  disk.crashAfter = disk.operationCount + 1;
  file.writeAt(bytes(1, 1), 0, 1, 0);
  expect(() => file.syncNow()).toThrow(PowerCut);
  disk.crash(3);
  expect(disk.contents("/d/f").length).toBe(1);
  expect(() => file.sizeBytes()).toThrow("before the crash");
});
