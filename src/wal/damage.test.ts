/** Damage to bytes on disk: synced data is never dropped silently, and no bytes make opening hang, grow or throw oddly. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { WalDamage, type WalEntry, type WalRecovery, WriteAheadLog } from "./index.ts";
import { parseSegmentName } from "./segment-name.ts";
import { startState } from "./segment-reader.ts";
import { encodeSegmentStart } from "./segment-start.ts";
import { verifyLog } from "./verify-log.ts";

const DIRECTORY = "/member/wal";
const METADATA = { memberId: 5n, clusterId: 6n };
const SEGMENT_BYTES = 1536;

const summary = (recovered: WalRecovery) =>
  JSON.stringify([
    recovered.entries.map((e) => [e.index, e.term, e.kind, Buffer.from(e.data).toString("hex")]),
    [recovered.hardState.term, String(recovered.hardState.vote), recovered.hardState.commit],
  ]);

type Ending = "unmarked" | "marked" | "closed";

/** A log of several batches; the last one is followed by nothing, an idle mark, or the closing mark. */
function buildLog(segmentBytes: number, batches: number, ending: Ending): FaultDisk {
  const disk = new FaultDisk();
  disk.makeDirectory("/member");
  const log = WriteAheadLog.create({ disk, directory: DIRECTORY, segmentBytes }, METADATA);
  let index = 0;
  for (let batch = 1; batch <= batches; batch++) {
    const entries: WalEntry[] = [];
    for (let i = 0; i < 1 + (batch % 3); i++) {
      index++;
      const data = new Uint8Array(30 + ((index * 37) % 90)).fill(index | 0x80);
      entries.push({ term: 2, index, kind: index % 2, data });
    }
    log.append(entries, batch % 2 === 0 ? { term: 2, vote: 9n, commit: index - 1 } : null);
    log.flush(() => {});
  }
  if (ending === "closed") log.close();
  if (ending === "marked") log.markSynced();
  return disk;
}

/** The segments' bytes, by name. */
function images(disk: FaultDisk): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const file of disk.list(DIRECTORY)) {
    if (parseSegmentName(file) !== null) out.set(file, disk.contents(`${DIRECTORY}/${file}`));
  }
  return out;
}

function diskWith(files: ReadonlyMap<string, Uint8Array>): FaultDisk {
  const disk = new FaultDisk();
  disk.makeDirectory(DIRECTORY);
  for (const [name, bytes] of files) {
    const file = disk.open(`${DIRECTORY}/${name}`, { create: true });
    file.writeAt(bytes, 0, bytes.length, 0);
    file.close();
  }
  return disk;
}

/** What opening these bytes gives: the content, or "damage". Anything thrown but WalDamage fails the test. */
function openBytes(files: ReadonlyMap<string, Uint8Array>): WalRecovery | "damage" {
  try {
    return WriteAheadLog.open({ disk: diskWith(files), directory: DIRECTORY }, 0).recovered;
  } catch (error) {
    if (error instanceof WalDamage) return "damage";
    throw error;
  }
}

const newestOf = (files: ReadonlyMap<string, Uint8Array>) => [...files.keys()].sort().pop()!;

test("a changed byte anywhere in a synced log gives damage or the identical content, never less", () => {
  for (const ending of ["unmarked", "marked", "closed"] as const) {
    const files = images(buildLog(SEGMENT_BYTES, 9, ending));
    expect(files.size).toBeGreaterThan(1);
    const whole = summary(openBytes(files) as WalRecovery);
    for (const [name, original] of files) {
      for (let at = 0; at < original.length; at++) {
        for (const mask of [1 << (at % 8), 0xff]) {
          const changed = original.slice();
          changed[at]! ^= mask;
          const opened = openBytes(new Map(files).set(name, changed));
          if (opened !== "damage" && summary(opened) !== whole) {
            throw new Error(`${ending}: byte ${at} of ${name} ^ ${mask} lost content silently`);
          }
        }
      }
    }
  }
}, 30_000);

test("a sector of zeros before the newest proof of a sync is damage, also in the newest batch if marked", () => {
  for (const ending of ["marked", "closed"] as const) {
    const files = images(buildLog(8192, 12, ending));
    const newest = newestOf(files);
    const original = files.get(newest)!;
    const used = original.length - [...original].reverse().findIndex((byte) => byte !== 0);
    const whole = summary(openBytes(files) as WalRecovery);
    for (let at = 0; at + 96 < used; at += 8) {
      const changed = original.slice();
      changed.fill(0, at, Math.min(at + 64, used - 96));
      const opened = openBytes(new Map(files).set(newest, changed));
      if (opened !== "damage") expect(summary(opened)).toBe(whole);
    }
  }
});

test("the length of an acknowledged record changed to reach beyond the file is not taken for a torn tail", () => {
  const files = images(buildLog(8192, 4, "unmarked"));
  const newest = newestOf(files);
  const original = files.get(newest)!;
  const view = new DataView(original.buffer);
  // The third batch's header: its body length, and the length of its first record.
  let at = 0;
  for (let i = 0; i < 2; i++) at += 96 + view.getUint32(at + 8, true);
  for (const position of [at + 8, at + 96]) {
    const changed = original.slice();
    new DataView(changed.buffer).setUint32(position, 0x7fffffff, true);
    expect(openBytes(new Map(files).set(newest, changed))).toBe("damage");
  }
});

test("a damaged entry is named in the error, with file, offset and advice, and nothing is written", () => {
  const disk = buildLog(8192, 6, "unmarked");
  const [newest] = images(disk).keys();
  const path = `${DIRECTORY}/${newest}`;
  const position = disk.contents(path).indexOf(3 | 0x80); // inside the data of entry 3
  disk.rot(path, position, 0x10);
  const before = disk.operationCount;
  try {
    WriteAheadLog.open({ disk, directory: DIRECTORY }, 0);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(WalDamage);
    const damage = error as WalDamage;
    expect(damage.file).toBe(path);
    expect(damage.offset).toBeLessThan(position);
    expect(damage.reason).toContain("entry 3 of term 2 does not match its checksum");
    expect(damage.advice).toContain("nothing was changed");
  }
  expect(disk.operationCount).toBe(before);
});

test("a torn last batch is wiped and reported, and the log goes on", () => {
  const disk = buildLog(8192, 5, "unmarked");
  const [newest] = images(disk).keys();
  const path = `${DIRECTORY}/${newest}`;
  const complete = WriteAheadLog.open({ disk, directory: DIRECTORY }, 0);
  const log = complete.log;
  const from = log.lastIndex() + 1;
  disk.inject({ operation: "sync", effect: { kind: "fail", code: "EIO" } });
  log.onFailure = () => {};
  const data = new Uint8Array(2000).fill(1);
  log.append([{ term: 3, index: from, kind: 0, data }], { term: 3, vote: 0n, commit: from });
  log.flush(() => expect.unreachable());
  const image = disk.contents(path);
  const end = image.length - [...image].reverse().findIndex((byte) => byte !== 0);
  const file = disk.open(path);
  file.writeAt(new Uint8Array(512), 0, 512, Math.floor((end - 1000) / 512) * 512);
  const { recovered, log: next } = WriteAheadLog.open({ disk, directory: DIRECTORY }, 0);
  expect(summary(recovered)).toBe(summary(complete.recovered));
  expect(recovered.tornTail?.file).toBe(path);
  expect(recovered.tornTail!.offset + recovered.tornTail!.bytes).toBe(end);
  next.append([{ term: 4, index: from, kind: 0, data: new Uint8Array(10) }], null);
  let done = false;
  next.flush(() => {
    done = true;
  });
  expect(done).toBe(true);
  const last = WriteAheadLog.open({ disk, directory: DIRECTORY }, 0).recovered;
  expect([last.entries.length, last.entries.at(-1)!.term, last.tornTail]).toEqual([from, 4, null]);
});

test("a missing segment, a cut-off file and a commit index beyond the last entry are damage", () => {
  const files = images(buildLog(SEGMENT_BYTES, 20, "closed"));
  const names = [...files.keys()].sort();
  expect(names.length).toBeGreaterThan(3);
  for (const missing of names.slice(0, -1)) {
    const rest = new Map(files);
    rest.delete(missing);
    expect(openBytes(rest)).toBe("damage");
  }
  for (const [name, bytes] of files) {
    for (const length of [0, 50, 700, bytes.length - 8]) {
      expect(openBytes(new Map(files).set(name, bytes.slice(0, length)))).toBe("damage");
    }
  }
  expect(() => WriteAheadLog.open({ disk: diskWith(new Map()), directory: DIRECTORY }, 0)).toThrow(
    "holds no segment",
  );
});

test("a lost or misdirected write is found as soon as anything durable follows it", () => {
  for (const effect of [{ kind: "lose" }, { kind: "misdirect", byBytes: 1024 }] as const) {
    const disk = new FaultDisk();
    disk.makeDirectory("/member");
    const options = { disk, directory: DIRECTORY, segmentBytes: 8192 };
    const log = WriteAheadLog.create(options, METADATA);
    for (const index of [1, 2]) {
      if (index === 2) disk.inject({ operation: "write", effect });
      log.append([{ term: 1, index, kind: 0, data: new Uint8Array(50).fill(index) }], null);
      log.flush(() => {});
    }
    log.close();
    disk.crash(1);
    expect(() => WriteAheadLog.open(options, 0)).toThrow("was written after this was synced");
  }
});

test("any changes to the bytes end in content or WalDamage, in bounded time and memory", () => {
  const files = images(buildLog(4096, 14, "unmarked"));
  const names = [...files.keys()].sort();
  const change = fc.record({
    file: fc.nat(names.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.constant(new Uint8Array(8).fill(0xff)),
      fc.constant(new Uint8Array(600)),
    ),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
      const mutated = new Map([...files].map(([name, bytes]) => [name, bytes.slice()]));
      for (const { file, at, bytes, cut } of changes) {
        const name = names[file]!;
        const image = mutated.get(name)!;
        const position = Math.floor(at * Math.max(0, image.length - bytes.length));
        if (cut && at > 0.9) mutated.set(name, image.slice(0, position));
        else image.set(bytes.subarray(0, image.length - position), position);
      }
      const opened = openBytes(mutated);
      if (opened !== "damage") expect(opened.metadata).toEqual(METADATA);
    }),
    { numRuns: 1500 },
  );
});

test("verifyLog reports clean, torn and damaged logs and changes nothing", () => {
  const closed = buildLog(SEGMENT_BYTES, 9, "closed");
  const clean = verifyLog(closed, DIRECTORY);
  expect(clean.verdict).toBe("clean");
  expect([clean.firstIndex, clean.lastIndex, clean.closedInGoodOrder]).toEqual([1, 18, true]);
  expect(clean.metadata).toEqual(METADATA);

  const [oldest] = clean.segments;
  closed.rot(`${DIRECTORY}/${oldest}`, 700, 1);
  const before = closed.operationCount;
  const damaged = verifyLog(closed, DIRECTORY);
  expect([damaged.verdict, damaged.finding!.file]).toEqual(["damaged", `${DIRECTORY}/${oldest}`]);
  expect(closed.operationCount).toBe(before);

  const torn = buildLog(8192, 3, "unmarked");
  const [newest] = images(torn).keys();
  const image = torn.contents(`${DIRECTORY}/${newest}`);
  const end = image.length - [...image].reverse().findIndex((byte) => byte !== 0);
  const file = torn.open(`${DIRECTORY}/${newest}`);
  const sector = Math.floor((end - 1) / 512) * 512;
  file.writeAt(new Uint8Array(512), 0, 512, sector);
  expect(verifyLog(torn, DIRECTORY).verdict).toBe("torn");
});

test("a commit index beyond the last entry is damage: entries that were synced are gone", () => {
  const chain = { ...startState(), nextNumber: 1 };
  const hardState = { term: 1, vote: 0n, commit: 3 };
  const { bytes } = encodeSegmentStart(0, chain, METADATA, hardState, 1024);
  const image = new Uint8Array(1024);
  image.set(bytes);
  const disk = diskWith(new Map([["0000000000000000-0000000000000001.wal", image]]));
  expect(() => WriteAheadLog.open({ disk, directory: DIRECTORY }, 0)).toThrow("3 was committed");
});

test("segments of another chain that fit by their names are damage", () => {
  const build = (fill: number) => {
    const disk = new FaultDisk();
    disk.makeDirectory("/member");
    const options = { disk, directory: DIRECTORY, segmentBytes: SEGMENT_BYTES };
    const log = WriteAheadLog.create(options, METADATA);
    for (let index = 1; index <= 20; index++) {
      const data = new Uint8Array(60).fill(fill);
      log.append([{ term: 2, index, kind: 0, data }], null);
      log.flush(() => {});
    }
    return images(disk);
  };
  const ours = build(1);
  const theirs = build(2);
  expect([...ours.keys()]).toEqual([...theirs.keys()]);
  for (const name of ours.keys()) {
    expect(openBytes(new Map(ours).set(name, theirs.get(name)!))).toBe("damage");
  }
  // The same within one segment: the tail of another history spliced in where a batch begins.
  const newest = newestOf(ours);
  const spliced = ours.get(newest)!.slice();
  const view = new DataView(spliced.buffer);
  let at = 96 + view.getUint32(8, true);
  at += 96 + view.getUint32(at + 8, true);
  spliced.set(theirs.get(newest)!.subarray(at), at);
  expect(openBytes(new Map(ours).set(newest, spliced))).toBe("damage");
});

test("a batch torn over an older mark that spans two sectors is torn, not damage; the wipe is durable", () => {
  let reached = 0;
  for (let bytes = 0; bytes < 200; bytes += 8) {
    for (const closed of [false, true]) {
      const disk = new FaultDisk();
      disk.makeDirectory("/member");
      const options = { disk, directory: DIRECTORY, segmentBytes: 8192 };
      let log = WriteAheadLog.create(options, METADATA);
      log.append([{ term: 1, index: 1, kind: 0, data: new Uint8Array(bytes).fill(1) }], null);
      log.flush(() => {});
      if (closed) log.close();
      else log.markSynced();
      log = WriteAheadLog.open(options, 0).log;
      const path = `${DIRECTORY}/0000000000000000-0000000000000001.wal`;
      const before = disk.contents(path);
      const mark = Buffer.from(before).lastIndexOf("CWB1");
      const sectorEnd = Math.ceil(mark / 512) * 512;
      if (sectorEnd <= mark || sectorEnd >= mark + 96) continue;
      reached++;
      log.append([{ term: 1, index: 2, kind: 0, data: new Uint8Array(900).fill(2) }], null);
      log.flush(() => {});
      disk.open(path).writeAt(before, mark, sectorEnd - mark, mark); // the first sector was lost
      const { recovered } = WriteAheadLog.open(options, 0);
      expect([recovered.entries.length, recovered.tornTail?.offset]).toEqual([1, mark]);
      disk.crash(bytes);
      expect(
        disk
          .contents(path)
          .subarray(mark)
          .every((byte) => byte === 0),
      ).toBe(true);
    }
  }
  expect(reached).toBeGreaterThan(10);
});

/** Twenty batches of one entry each, with marks; where each batch begins, by its entry. */
function buildMarkedLog(): { files: Map<string, Uint8Array>; name: string; starts: number[] } {
  const disk = new FaultDisk();
  disk.makeDirectory("/member");
  const log = WriteAheadLog.create({ disk, directory: DIRECTORY, segmentBytes: 8192 }, METADATA);
  for (let index = 1; index <= 20; index++) {
    const data = new Uint8Array(20 + index).fill(index | 0x80);
    const hardState = index % 5 === 0 ? { term: 2, vote: 9n, commit: index - 1 } : null;
    log.append([{ term: 2, index, kind: 0, data }], hardState);
    if (index % 4 === 0) log.saveSnapshotMark(index - 1, 2);
    log.flush(() => {});
  }
  log.markSynced();
  const files = images(disk);
  const name = newestOf(files);
  const view = new DataView(files.get(name)!.buffer);
  const starts = [0];
  for (let at = 0; view.getUint32(at + 12, true) > 0; at += 96 + view.getUint32(at + 8, true)) {
    if (at > 0) starts[view.getUint32(at + 48, true)] = at;
  }
  files.set("restart.point", disk.contents(`${DIRECTORY}/restart.point`));
  return { files, name, starts };
}

function openFrom(files: ReadonlyMap<string, Uint8Array>, from: number): string {
  try {
    const options = { disk: diskWith(files), directory: DIRECTORY };
    return summary(WriteAheadLog.open(options, from).recovered);
  } catch (error) {
    if (error instanceof WalDamage) return "damage";
    throw error;
  }
}

test("opened from a later index, a changed byte before it is not read, one after it is damage", () => {
  const { files, name, starts } = buildMarkedLog();
  const original = files.get(name)!;
  const from = 17;
  const whole = openFrom(files, from);
  expect(JSON.parse(whole)[0].map((entry: unknown[]) => entry[0])).toEqual([18, 19, 20]);
  expect(JSON.parse(whole)[1]).toEqual([2, "9", 19]);
  const headersOnly = new Map(files);
  headersOnly.delete("restart.point");
  expect(openFrom(headersOnly, from)).toBe(whole);
  const end = starts[20]! + 96 + new DataView(original.buffer).getUint32(starts[20]! + 8, true);
  const all = openFrom(files, 0);
  let passed = 0;
  for (let at = 0; at < end; at += 3) {
    const changed = original.slice();
    changed[at]! ^= 1 << (at % 8);
    const fromStart = openFrom(new Map(files).set(name, changed), 0);
    if (fromStart !== "damage") expect(fromStart).toBe(all);
    if (at % 7 === 0) {
      const { verdict } = verifyLog(diskWith(new Map(files).set(name, changed)), DIRECTORY);
      expect(verdict).toBe(fromStart === "damage" ? "damaged" : "clean");
    }
    for (const some of [files, headersOnly]) {
      const opened = openFrom(new Map(some).set(name, changed), from);
      if (opened === whole) passed++;
      else expect(opened).toBe("damage");
      // What counts is verified as ever; headers before the restart point are not even read.
      if (at >= starts[18]!) expect(opened === whole).toBe(fromStart !== "damage");
      if (some === files && at >= starts[1]! && at < starts[10]!) expect(opened).toBe(whole);
    }
  }
  expect(passed).toBeGreaterThan(end / 6);
});

test("a restart point that is damaged, cut off, or of another time or log changes nothing", () => {
  const { files, starts, name } = buildMarkedLog();
  const point = files.get("restart.point")!;
  const others = [new Uint8Array(0), point.subarray(0, 95), files.get(name)!.slice(0, 96)];
  for (const start of starts.slice(1)) others.push(files.get(name)!.slice(start, start + 96));
  others.push(
    images(buildLog(8192, 12, "closed"))
      .values()
      .next()
      .value!.slice(400, 496),
  );
  for (let at = 0; at < point.length; at++) {
    const changed = point.slice();
    changed[at]! ^= 1 << (at % 8);
    others.push(changed);
  }
  for (let from = 0; from <= 20; from++) {
    const whole = openFrom(files, from);
    expect(JSON.parse(whole)[0].length).toBe(20 - from);
    for (const other of others) {
      expect(openFrom(new Map(files).set("restart.point", other), from)).toBe(whole);
    }
  }
});
