/** The three checks on members whose data is equal, or differs on purpose. Member 1 leads. */
import { expect, test } from "bun:test";
import { AlarmType } from "../api/index.ts";
import { HASH_KV } from "./hash-messages.ts";
import { HashCluster, type HashMember, NO_CHECKS } from "./testing/hash-cluster.ts";
import { pass } from "./testing/stand-ins.ts";

/** Three members with twenty revisions; one of them may have lost its mind at one. */
function newCluster(damaged = 0, count = 3, checks = NO_CHECKS): HashCluster {
  const cluster = new HashCluster(count, checks);
  for (let i = 0; i < 20; i++) {
    for (const member of cluster.members) {
      const isWrong = i === 7 && member.id === BigInt(damaged);
      member.put(`key-${i % 5}`, isWrong ? "wrong" : `value-${i}`);
    }
  }
  return cluster;
}

function runPeriodic(cluster: HashCluster, member = cluster.member(1)): void {
  let isDone = false;
  member.checker.periodicCheck(() => {
    isDone = true;
  });
  pass(cluster.clock, 1000);
  expect(isDone).toBe(true);
}

function runCompaction(cluster: HashCluster): void {
  let isDone = false;
  cluster.member(1).checker.compactionCheck(() => {
    isDone = true;
  });
  pass(cluster.clock, 1000);
  expect(isDone).toBe(true);
}

function checkedPeers(member: HashMember): unknown {
  return member.logged("finished peer corruption check").at(-1)?.["number-of-peers-checked"];
}

test("periodicCheck of equal members accuses nobody, also while they sweep at their own pace", () => {
  const cluster = newCluster();
  runPeriodic(cluster);
  expect(checkedPeers(cluster.member(1))).toBe(2);
  for (const { store } of cluster.members) store.scheduleCompaction(15);
  cluster.member(2).sweep();
  cluster.member(3).store.compactionStep(3);
  runPeriodic(cluster);
  cluster.compactAll(21);
  runPeriodic(cluster);
  expect(checkedPeers(cluster.member(1))).toBe(2);
  expect(cluster.member(1).accused()).toEqual([]);
});

test("periodicCheck accuses the follower that differs, and a leader whom a majority contradicts", () => {
  const follower = newCluster(3);
  runPeriodic(follower);
  expect(follower.member(1).accused()).toEqual([3n]);
  expect(follower.member(1).logged("same compact revision then hashes must match")).toHaveLength(1);
  const leader = newCluster(1);
  runPeriodic(leader);
  expect(leader.member(1).accused()).toEqual([1n]);
  const two = newCluster(2, 2);
  runPeriodic(two);
  expect(two.member(1).accused()).toEqual([2n]);
});

test("periodicCheck passes over members that are behind, compacted otherwise or silent", () => {
  const cluster = newCluster();
  cluster.member(1).put("more", "x");
  cluster.member(3).isReachable = false;
  runPeriodic(cluster);
  expect(checkedPeers(cluster.member(1))).toBe(0);
  cluster.member(2).put("more", "x");
  cluster.member(1).compact(10);
  runPeriodic(cluster);
  expect(checkedPeers(cluster.member(1))).toBe(0);
  expect(cluster.member(1).accused()).toEqual([]);
});

test("periodicCheck accuses a follower that is beyond the leader after a linearizable read", () => {
  const cluster = newCluster();
  cluster.member(2).put("more", "x");
  runPeriodic(cluster);
  expect(cluster.member(1).accused()).toEqual([2n]);
  const compacted = newCluster();
  compacted.member(3).compact(20);
  runPeriodic(compacted);
  expect(compacted.member(1).accused()).toEqual([3n]);
});

test("periodicCheck lets a follower be ahead as long as the leader catches up by the read", () => {
  const cluster = newCluster();
  cluster.member(2).put("more", "x");
  cluster.member(1).beforeRead = () => cluster.member(1).put("more", "x");
  runPeriodic(cluster);
  expect(cluster.member(1).accused()).toEqual([]);
});

test("checks do nothing where the member does not lead, and raise nothing in another term", () => {
  const cluster = newCluster(3);
  runPeriodic(cluster, cluster.member(2));
  expect(cluster.member(2).accused()).toEqual([]);
  expect(cluster.member(2).logger.lines).toEqual([]);
  const leader = cluster.member(1);
  leader.beforeRead = () => leader.raft.learn(3, 1n);
  runPeriodic(cluster);
  expect(leader.accused()).toEqual([]);
});

test("an alarm that stands is not proposed again", () => {
  const cluster = newCluster(3);
  runPeriodic(cluster);
  cluster.member(1).alarms.activate(3n, AlarmType.CORRUPT);
  runPeriodic(cluster);
  expect(cluster.member(1).accused()).toEqual([3n]);
});

test("compactionCheck compares what compactions left, and each only once", () => {
  const cluster = newCluster();
  cluster.compactAll(10);
  cluster.compactAll(15);
  runCompaction(cluster);
  const leader = cluster.member(1);
  expect(leader.logged("successfully checked hash on whole cluster")).toHaveLength(1);
  expect(leader.logged("finished compaction hash check")).toEqual([
    { "number-of-hashes-checked": 1 },
  ]);
  runCompaction(cluster);
  expect(leader.logged("finished compaction hash check")[1]).toEqual({
    "number-of-hashes-checked": 0,
  });
  expect(leader.accused()).toEqual([]);
});

test("compactionCheck goes on to older compactions where somebody has no hash", () => {
  const cluster = newCluster();
  cluster.compactAll(10);
  for (const member of cluster.members) {
    member.store.scheduleCompaction(15);
    if (member.id !== 3n) member.sweep();
  }
  runCompaction(cluster);
  const leader = cluster.member(1);
  expect(leader.logged("Skipped peer's hash")).toHaveLength(1);
  expect(leader.logged("successfully checked hash on partial cluster")).toHaveLength(1);
  expect(leader.logged("successfully checked hash on whole cluster")).toHaveLength(1);
});

test("compactionCheck accuses the minority, and the whole cluster where there is no majority", () => {
  for (const [damaged, count, accused] of [
    [3, 3, [3n]],
    [1, 3, [1n]],
    [2, 2, [0n]],
    [4, 5, [4n]],
  ] as const) {
    const cluster = newCluster(damaged, count);
    cluster.compactAll(15);
    runCompaction(cluster);
    expect(cluster.member(1).accused()).toEqual([...accused]);
    expect(cluster.member(1).logged("Detected compaction hash mismatch")).not.toHaveLength(0);
  }
  const silent = newCluster(3);
  silent.member(2).isReachable = false;
  silent.compactAll(15);
  runCompaction(silent);
  expect(silent.member(1).accused()).toEqual([0n]);
});

function runInitial(cluster: HashCluster, id: number): string | null | undefined {
  let problem: string | null | undefined;
  cluster.member(id).checker.initialCheck((found) => {
    problem = found;
  });
  pass(cluster.clock, 5000);
  return problem;
}

const INITIAL = { ...NO_CHECKS, initial: true };

test("initialCheck refuses data that others contradict, and only that", () => {
  expect(runInitial(newCluster(2, 3, INITIAL), 2)).toBe("2 found data inconsistency with peers");
  expect(runInitial(newCluster(0, 3, INITIAL), 2)).toBeNull();
  expect(runInitial(newCluster(2, 3, NO_CHECKS), 2)).toBeNull();
  const ahead = newCluster(2, 3, INITIAL);
  ahead.member(1).compact(10);
  ahead.member(3).compact(20);
  expect(runInitial(ahead, 2)).toBeNull();
  const messages = ahead.member(2).logger.messages();
  expect(messages).toContain("found different compact revision values from remote peer");
});

test("initialCheck goes on where nobody can be asked, and waits a moment for those who start too", () => {
  const alone = newCluster(2, 3, INITIAL);
  alone.member(1).isReachable = false;
  alone.member(3).isReachable = false;
  expect(runInitial(alone, 2)).toBeNull();
  expect(alone.member(2).logged("failed hash kv request")).toHaveLength(2);
  const late = newCluster(2, 3, INITIAL);
  late.member(1).isReachable = false;
  late.clock.setTimer(1500, () => {
    late.member(1).isReachable = true;
  });
  expect(runInitial(late, 2)).toBe("2 found data inconsistency with peers");
});

test("start runs the checks at their intervals until stop", () => {
  const checks = { initial: false, periodMs: 60_000, compactionPeriodMs: 20_000 };
  const cluster = newCluster(0, 3, checks);
  const { checker } = cluster.member(1);
  checker.start();
  pass(cluster.clock, 125_000);
  expect(cluster.member(1).logged("finished peer corruption check")).toHaveLength(2);
  expect(cluster.member(1).logged("finished compaction hash check")).toHaveLength(6);
  checker.stop();
  pass(cluster.clock, 125_000);
  expect(cluster.member(1).logged("finished peer corruption check")).toHaveLength(2);
});

test("MemberHashes shares one computation per revision and turns away what is too much", () => {
  const cluster = newCluster();
  const member = cluster.member(2);
  let answered = 0;
  let busy = 0;
  const transport = cluster.transportOf(1n);
  for (let i = 0; i < 40; i++) {
    const revision = 1 + (i % 20);
    const body = new Uint8Array([0x82, revision, 0x20]);
    transport.request(2n, HASH_KV, body, 1000, (answer) => {
      answered++;
      if (answer?.status === 3) busy++;
    });
  }
  pass(cluster.clock, 2000);
  expect([answered, busy]).toEqual([40, 8]);
  member.hashes.stop();
  transport.request(2n, HASH_KV, new Uint8Array([0x82, 5, 0x20]), 1000, (answer) => {
    expect(answer?.status).toBe(3);
  });
  pass(cluster.clock, 2000);
});
