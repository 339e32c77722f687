// The start decision: what a disk and the settings may say together, and every refusal.
import { expect, test } from "bun:test";
import type { FaultDisk } from "../../test/disk/fault-disk.ts";
import type { SimClock } from "../../test/simulation/sim-clock.ts";
import { Database } from "../database/index.ts";
import type { DiskFile } from "../io/index.ts";
import { bootstrap } from "./bootstrap.ts";
import { Member } from "./member.ts";
import type { MemberOptions } from "./member-options.ts";
import { StartProblem } from "./start-problem.ts";
import { newWorld, pass, type RecordingLogger, testMemberOptions } from "./testing/stand-ins.ts";

const DATABASE = "/data/member/snap/db";

function start(disk: FaultDisk, clock: SimClock, extra: Partial<MemberOptions> = {}) {
  const options = testMemberOptions(disk, clock, extra);
  return { ...bootstrap(options), logger: options.logger as RecordingLogger };
}

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof StartProblem) return error.message;
    throw error;
  }
  return "not refused";
}

/** A member that ran and stopped in good order. */
function ranBefore() {
  const world = newWorld();
  const member = new Member(testMemberOptions(world.disk, world.clock));
  let ready = false;
  member.start(() => {
    ready = true;
  });
  pass(world.clock, 1000);
  expect(ready).toBe(true);
  let stopped = false;
  member.stop(() => {
    stopped = true;
  });
  expect(stopped).toBe(true);
  return { ...world, memberId: member.memberId, clusterId: member.clusterId };
}

test("bootstrap makes a new member, its id from its sorted peer URLs and the token", () => {
  const urls = ["http://b:1", "http://a:1"];
  const cluster = "one=http://b:1,one=http://a:1";
  const make = (extra: Partial<MemberOptions>) => {
    const { disk, clock } = newWorld();
    return start(disk, clock, { initialPeerUrls: urls, initialCluster: cluster, ...extra });
  };
  const first = make({});
  expect(first.isNew).toBe(true);
  expect(first.entries.length).toBe(1);
  expect(first.hardState).toEqual({ term: 1, vote: 0n, commit: 1 });
  const turned = make({
    initialPeerUrls: [...urls].reverse(),
    name: "other",
    initialCluster: "other=http://a:1,other=http://b:1",
  });
  expect(turned.memberId).toBe(first.memberId);
  expect(turned.clusterId).toBe(first.clusterId);
  expect(make({ clusterToken: "t2" }).memberId).not.toBe(first.memberId);
});

test("bootstrap restarts what is there, whatever the initial settings say now", () => {
  const { disk, clock, memberId, clusterId } = ranBefore();
  const again = start(disk, clock, {
    name: "renamed",
    initialCluster: "other=http://x:1",
    initialClusterState: "existing",
    clusterToken: "another",
  });
  expect(again.isNew).toBe(false);
  expect(again.memberId).toBe(memberId);
  expect(again.clusterId).toBe(clusterId);
  // All of it lies in the database, and there is no follower to send it to.
  expect(again.entries).toEqual([]);
  expect(again.previous).toEqual({ index: again.database.consistentIndex(), term: 2 });
  expect(again.configuration).toEqual({ voters: [memberId], learners: [] });
  expect(again.logger.messages()).toContain("restarting local member");
});

test("bootstrap refuses a log whose database is missing", () => {
  const { disk, clock } = ranBefore();
  disk.remove(DATABASE);
  expect(refusal(() => start(disk, clock))).toBe(
    `database file (${DATABASE}) of the backend is missing`,
  );
});

test("bootstrap refuses a used database without a log", () => {
  const { disk, clock } = ranBefore();
  for (const name of disk.list("/data/member/wal")) disk.remove(`/data/member/wal/${name}`);
  expect(refusal(() => start(disk, clock))).toMatch(
    /^the database .* has applied index \d+, but there is no write-ahead log in .*restore/,
  );
});

test("bootstrap takes an empty database without a log: a first start that was cut short", () => {
  const { disk, clock } = newWorld();
  disk.makeDirectory("/data/member/snap");
  Database.open({
    file: disk.open(DATABASE, { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: () => {},
  }).close();
  expect(start(disk, clock).isNew).toBe(true);
});

test("bootstrap refuses a log that ends before what the database has applied", () => {
  const { disk, clock } = ranBefore();
  const database = Database.open({
    file: disk.open(DATABASE),
    pageCacheBytes: 1 << 20,
    onFailure: () => {},
  });
  database.setConsistentIndex(1000, 9);
  database.commitNow();
  database.close();
  expect(refusal(() => start(disk, clock))).toMatch(
    /^the database has applied index 1000, but the write-ahead log ends at \d+: they do not belong/,
  );
});

test.each([
  [{ name: "x" }, `couldn't find local name "x" in the initial cluster configuration`],
  [
    { initialPeerUrls: ["http://a:1"] },
    "--initial-cluster has one=http://localhost:2380 but missing from --initial-advertise-peer-urls=http://a:1",
  ],
] as const)("bootstrap refuses %j and leaves nothing behind", (extra, message) => {
  const { disk, clock } = newWorld();
  expect(refusal(() => start(disk, clock, extra))).toBe(message);
  expect(disk.list("/data")).toEqual([]);
  // The settings are put right: the member starts.
  expect(start(disk, clock).isNew).toBe(true);
});

test("bootstrap waits for another process that has the database, and says so", () => {
  const { disk, clock } = newWorld();
  let refused = 2;
  const open = disk.open.bind(disk);
  disk.open = (path, options) => {
    const file = open(path, options);
    if (path !== DATABASE) return file;
    const lock = file.tryLock.bind(file);
    return Object.assign(file, {
      tryLock: () => {
        pass(clock, 11_000);
        return refused-- > 0 ? false : lock();
      },
    }) satisfies DiskFile;
  };
  const { logger } = start(disk, clock);
  const said = logger.lines.filter(({ message }) => message.startsWith("db file is flocked"));
  expect(said.map(({ level }) => level)).toEqual(["warn", "warn"]);
});

test("bootstrap of a new member is there whole after a crash at once, or not at all", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { disk, clock } = newWorld();
    const first = start(disk, clock);
    disk.crash(seed);
    const again = start(disk, clock);
    expect(again.isNew).toBe(false);
    expect(again.hardState).toEqual({ term: 1, vote: 0n, commit: 1 });
    expect(again.entries).toEqual(first.entries);
    expect([again.memberId, again.clusterId]).toEqual([first.memberId, first.clusterId]);
  }
});

test("bootstrap tells the write-ahead log of an etcd from a damaged one of its own", () => {
  const { disk, clock } = newWorld();
  disk.makeDirectory("/data/member/wal");
  disk.makeDirectory("/data/member/snap");
  const path = "/data/member/wal/0000000000000000-0000000000000000.wal";
  const log = disk.open(path, { create: true });
  // The checksum record that every etcd segment begins with.
  const head = Uint8Array.from([4, 0, 0, 0, 0, 0, 0, 0x84, 8, 4, 0x10, 0, 0, 0, 0, 0]);
  log.writeAt(head, 0, head.length, 0);
  log.close();
  disk.open(DATABASE, { create: true }).close();
  expect(refusal(() => start(disk, clock))).toContain("write-ahead log of an etcd");
});
