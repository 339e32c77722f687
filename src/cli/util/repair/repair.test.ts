import { expect, test } from "bun:test";
import { PowerCut } from "../../../../test/disk/fault-disk.ts";
import { WriteAheadLog } from "../../../wal/index.ts";
import { type Inspection, inspect } from "./inspect.ts";
import { RepairProblem } from "./repair-problem.ts";
import { replaceDatabase } from "./replace-database.ts";
import { replaceMember, resumeReplacement } from "./replace-member.ts";
import { reportLines } from "./report.ts";
import {
  CLUSTER,
  type FakePeers,
  makeDatabase,
  makeLog,
  memberOf,
  PATHS,
  RepairBench,
  SELF,
  statusOf,
} from "./testing/repair-bench.ts";

function look(bench: RepairBench): Inspection {
  return inspect(bench.disk, PATHS);
}

function repairDatabase(bench: RepairBench): Promise<void> {
  return replaceDatabase(bench.parts, look(bench));
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof RepairProblem) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** All names and bytes, to show that nothing was changed. */
function filesOf({ disk }: RepairBench): string {
  return [PATHS.snapshotDirectory, PATHS.walDirectory]
    .flatMap((directory) =>
      disk.list(directory).map((name) => {
        const path = `${directory}/${name}`;
        return `${path} ${Bun.hash(disk.contents(path))}`;
      }),
    )
    .join("\n");
}

test("inspect finds nothing in whole files, and changes nothing whatever it finds", () => {
  const bench = RepairBench.whole();
  const before = filesOf(bench);
  expect(look(bench)).toMatchObject({ damaged: "nothing", reason: "" });
  expect(filesOf(bench)).toBe(before);
  bench.rotDatabase();
  bench.rotLog();
  const rotten = filesOf(bench);
  expect(look(bench).damaged).toBe("log");
  expect(filesOf(bench)).toBe(rotten);
});

test("inspect tells a damaged database from a damaged log", () => {
  const database = RepairBench.whole();
  database.rotDatabase();
  expect(look(database).damaged).toBe("database");
  expect(reportLines(PATHS, look(database)).at(-1)).toContain("the log is whole");
  const missing = RepairBench.whole();
  missing.disk.remove(PATHS.databasePath);
  expect(look(missing)).toMatchObject({ damaged: "database", reason: "it is missing" });
  for (const position of [20, 600, 4000, 9000]) {
    const log = RepairBench.whole();
    log.rotLog(position);
    expect([position, look(log).damaged]).toEqual([position, "log"]);
  }
  const none = RepairBench.whole();
  none.disk.remove(PATHS.walDirectory);
  expect(look(none)).toMatchObject({ damaged: "log", reason: "the write-ahead log is missing" });
});

test("inspect takes a database beyond the log for a log that lost entries", () => {
  const bench = new RepairBench();
  makeLog(bench.disk, [1, 1, 1], { term: 1, vote: 0n, commit: 3 });
  makeDatabase(bench.disk, PATHS.databasePath, { index: 9, term: 1 });
  expect(look(bench)).toMatchObject({ damaged: "log" });
  expect(look(bench).reason).toContain("lost entries");
});

test("inspect refuses what is no member, and a member that was removed", () => {
  expect(() => look(new RepairBench())).toThrow("there is no member in /data");
  const bench = new RepairBench();
  makeLog(bench.disk, [1, 1, 1], { term: 1, vote: 0n, commit: 3 });
  makeDatabase(bench.disk, PATHS.databasePath, { index: 3, term: 1, removed: [SELF] });
  expect(() => look(bench)).toThrow("was removed");
});

test("replaceDatabase puts a state that the log reaches in place, and keeps log and damaged file", async () => {
  const bench = RepairBench.whole();
  bench.rotDatabase();
  bench.peers.statusList = [statusOf(0xa2n, 47)];
  bench.peers.serve("e2", { index: 47, term: 3 });
  await repairDatabase(bench);
  const after = look(bench);
  expect(after).toMatchObject({ damaged: "nothing", database: { index: 47, term: 3 } });
  expect(after.log).toMatchObject({ report: { lastIndex: 50, hardState: { vote: 0xa2n } } });
  const names = bench.disk.list(PATHS.snapshotDirectory);
  expect(names.filter((name) => name.startsWith("db.damaged-"))).toHaveLength(1);
  expect(names).toHaveLength(2);
});

test("replaceDatabase goes on from a state beyond the log as from a received snapshot", async () => {
  const bench = RepairBench.whole();
  bench.rotDatabase();
  bench.peers.statusList = [statusOf(0xa3n, 90)];
  bench.peers.serve("e3", { index: 90, term: 6 });
  await repairDatabase(bench);
  expect(look(bench)).toMatchObject({ damaged: "nothing", database: { index: 90, term: 6 } });
  const options = { disk: bench.disk, directory: PATHS.walDirectory };
  const { log, recovered } = WriteAheadLog.open(options, 90, 0);
  expect(recovered.previous).toEqual({ index: 90, term: 6 });
  expect(recovered.entries).toEqual([]);
  // A newer term began: its vote is free. The log is the same member's.
  expect(recovered.hardState).toEqual({ term: 6, vote: 0n, commit: 90 });
  expect(recovered.metadata).toEqual({ memberId: SELF, clusterId: CLUSTER });
  log.close();
});

test("replaceDatabase never forgets a vote of the term it is in", async () => {
  const bench = RepairBench.whole();
  bench.rotDatabase();
  bench.peers.statusList = [statusOf(0xa3n, 90)];
  bench.peers.serve("e3", { index: 90, term: 4 });
  await repairDatabase(bench);
  const { log } = look(bench);
  expect(log).toMatchObject({ report: { hardState: { term: 4, vote: 0xa2n, commit: 90 } } });
});

test("replaceDatabase drops entries that the cluster went on without, never committed ones", async () => {
  const uncommitted = RepairBench.whole();
  uncommitted.rotDatabase();
  uncommitted.peers.statusList = [statusOf(0xa2n, 49)];
  uncommitted.peers.serve("e2", { index: 49, term: 5 });
  await repairDatabase(uncommitted);
  expect(look(uncommitted)).toMatchObject({ damaged: "nothing", database: { index: 49, term: 5 } });
  const committed = RepairBench.whole();
  committed.rotDatabase();
  const before = filesOf(committed);
  committed.peers.statusList = [statusOf(0xa2n, 47)];
  committed.peers.serve("e2", { index: 47, term: 5 });
  expect(await problemOf(repairDatabase(committed))).toContain("other histories");
  expect(filesOf(committed)).toBe(before);
});

test("replaceDatabase refuses what does not fit, and then changes nothing", async () => {
  const cases: [string, (peers: FakePeers) => void][] = [
    ["it broke", (peers) => peers.images.delete("e2")],
    ["does not know member a1", (peers) => peers.serve("e2", { index: 47, term: 3, members: [] })],
    ["was removed", (peers) => peers.serve("e2", { index: 47, term: 3, removed: [SELF] })],
    ["no member answers", (peers) => peers.statusList.splice(0)],
    [
      "is of cluster c2",
      (peers) => peers.statusList.push({ ...statusOf(0xa3n, 50), clusterId: 0xc2n }),
    ],
    ["is running at e1", (peers) => peers.statusList.push(statusOf(SELF, 50))],
    [
      "names every member",
      (peers) => peers.statusList.splice(0, 1, { ...statusOf(0xa2n, 47), corrupt: [0xa2n] }),
    ],
    [
      "names no member",
      (peers) => peers.statusList.splice(0, 1, { ...statusOf(0xa2n, 47), corrupt: [0n] }),
    ],
    [
      "page",
      (peers) =>
        peers.images.set(
          "e2",
          peers.images.get("e2")!.map((byte, i) => (i < 9000 ? byte : byte ^ 0x55)),
        ),
    ],
  ];
  for (const [reason, change] of cases) {
    const bench = RepairBench.whole();
    bench.rotDatabase();
    bench.peers.statusList = [statusOf(0xa2n, 47)];
    bench.peers.serve("e2", { index: 47, term: 3 });
    change(bench.peers);
    const before = filesOf(bench);
    expect(await problemOf(repairDatabase(bench))).toContain(reason);
    expect(filesOf(bench)).toBe(before);
  }
});

test("replaceDatabase asks the next member where the first has nothing that fits", async () => {
  const bench = RepairBench.whole();
  bench.rotDatabase();
  bench.peers.statusList = [statusOf(0xa2n, 47), { ...statusOf(0xa3n, 60), corrupt: [0xa3n] }];
  bench.peers.serve("e2", { index: 47, term: 3 });
  bench.peers.serve("e3", { index: 60, term: 3 });
  await repairDatabase(bench);
  expect(bench.peers.calls).toEqual(["fetch e2"]);
  const second = RepairBench.whole();
  second.rotDatabase();
  second.peers.serve("e2", { index: 47, term: 3 });
  await repairDatabase(second);
  expect(second.peers.calls).toEqual(["fetch e3", "fetch e2"]);
});

/** Runs with the power going after each operation in turn, then once more without. */
async function cutEverywhere(
  make: () => RepairBench,
  run: (bench: RepairBench) => Promise<void>,
  check: (bench: RepairBench) => void,
): Promise<number> {
  for (let operations = 1; ; operations++) {
    const bench = make();
    bench.disk.crashAfter = bench.disk.operationCount + operations;
    let isCut = false;
    try {
      await run(bench);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      isCut = true;
    }
    if (isCut) {
      bench.disk.crash(operations);
      await run(bench);
    }
    check(bench);
    if (!isCut) return operations;
  }
}

test("replaceDatabase ends well after the power went at any step", async () => {
  for (const index of [47, 90]) {
    const make = () => {
      const bench = RepairBench.whole();
      bench.rotDatabase();
      bench.peers.statusList = [statusOf(0xa2n, index)];
      bench.peers.serve("e2", { index, term: index === 47 ? 3 : 5 });
      return bench;
    };
    const run = async (bench: RepairBench) => {
      const found = look(bench);
      if (found.damaged !== "nothing") await replaceDatabase(bench.parts, found);
    };
    const steps = await cutEverywhere(make, run, (bench) => {
      expect(look(bench)).toMatchObject({ damaged: "nothing", database: { index } });
    });
    expect(steps).toBeGreaterThan(index === 47 ? 5 : 10);
  }
});

function damagedLog(): RepairBench {
  const bench = RepairBench.whole();
  bench.rotLog();
  return bench;
}

test("replaceMember takes the old member out, a new one in, and makes its files", async () => {
  const bench = damagedLog();
  await replaceMember(bench.parts, look(bench), "");
  const [url] = memberOf(SELF).peerUrls;
  expect(bench.peers.calls).toEqual(["remove a1", `add b1 ${url}`]);
  const after = look(bench);
  expect(after).toMatchObject({
    damaged: "nothing",
    database: { index: 0, members: [] },
    log: { report: { metadata: { memberId: 0xb1n, clusterId: CLUSTER }, lastIndex: 0 } },
  });
  const { disk } = bench;
  expect(disk.list(PATHS.dataDirectory).filter((name) => name.includes("damaged"))).toHaveLength(1);
  const joining = new TextDecoder().decode(disk.contents(`${PATHS.memberDirectory}/joining.json`));
  expect(joining.trim().split("\n")).toHaveLength(2);
  expect(disk.exists(`${PATHS.dataDirectory}/repair-under-way.json`)).toBe(false);
});

test("replaceMember refuses without a majority, without a name, and where the member runs", async () => {
  const cases: [string, string, (bench: RepairBench) => void][] = [
    ["it takes 2", "", ({ peers }) => peers.statusList.splice(1)],
    [
      "it takes 2",
      "",
      ({ peers }) => peers.statusList.splice(1, 1, { ...statusOf(0xa3n, 9), hasLeader: false }),
    ],
    ["is running", "", ({ peers }) => peers.statusList.push(statusOf(SELF, 1))],
    ["say so with --name", "", ({ disk }) => disk.remove(PATHS.walDirectory)],
    ["no member named other", "other", ({ disk }) => disk.remove(PATHS.walDirectory)],
    ["whose name is m1", "other", () => {}],
    ["no member a1", "", ({ peers }) => peers.memberList.shift()],
  ];
  for (const [reason, name, change] of cases) {
    const bench = damagedLog();
    change(bench);
    expect(await problemOf(replaceMember(bench.parts, look(bench), name))).toContain(reason);
    expect(bench.peers.calls).toEqual([]);
    expect(bench.disk.list(PATHS.dataDirectory)).toEqual(["member"]);
  }
});

test("replaceMember finds the member by its name where the log is gone", async () => {
  const bench = RepairBench.whole();
  bench.disk.remove(PATHS.walDirectory);
  await replaceMember(bench.parts, look(bench), "m1");
  expect(bench.peers.calls[0]).toBe("remove a1");
});

test("replaceMember goes on where it stood, and adds one member only, wherever the power went", async () => {
  const run = async (bench: RepairBench) => {
    if (await resumeReplacement(bench.parts)) return;
    const found = look(bench);
    if (found.damaged !== "nothing") await replaceMember(bench.parts, found, "");
  };
  const steps = await cutEverywhere(damagedLog, run, (bench) => {
    const { log } = look(bench);
    expect(log).toMatchObject({ kind: "whole", report: { metadata: { memberId: 0xb1n } } });
    expect(bench.peers.memberList.map(({ id }) => id)).toEqual([0xa2n, 0xa3n, 0xb1n]);
    expect(bench.disk.exists(`${PATHS.dataDirectory}/repair-under-way.json`)).toBe(false);
  });
  expect(steps).toBeGreaterThan(30);
});
