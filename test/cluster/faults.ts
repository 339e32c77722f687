// What is done to a cluster of real processes. Each fault injects, waits, and undoes what can be undone; a round
// ends with `recover`, which makes everything whole whatever a fault left.

import type { SeededRandom } from "../disk/seeded-random.ts";
import type { ClusterMember } from "./cluster-member.ts";
import type { ClusterProcesses } from "./cluster-processes.ts";
import { limitFileSize } from "./small-disk.ts";

export interface FaultContext {
  readonly cluster: ClusterProcesses;
  readonly random: SeededRandom;
  /** What must not have happened although the process goes on. */
  readonly violate: (rule: string, message: string) => void;
}

export type Fault = (context: FaultContext) => Promise<void>;

/** More than two snapshots of the log and what is kept behind them (snapshotFlags). */
const entriesBehind = 250;

/** Long enough for an election, and a bit of life after it. */
async function lapse({ cluster, random }: FaultContext, electionTimeouts = 2): Promise<void> {
  const { electionMs } = cluster.options;
  await Bun.sleep(electionMs * (electionTimeouts / 2 + random.next() * electionTimeouts));
}

async function someFollower({ cluster, random }: FaultContext): Promise<ClusterMember> {
  const leader = await cluster.waitForLeader();
  const followers = cluster.othersOf(leader).filter((each) => each.isRunning);
  return followers[random.below(followers.length)]!;
}

async function killAndRestart(context: FaultContext, victims: readonly ClusterMember[]) {
  const { cluster } = context;
  await Promise.all(victims.map((victim) => victim.kill()));
  await lapse(context);
  for (const victim of victims) cluster.restart(victim);
  await cluster.waitHealthy();
}

async function cutAway(context: FaultContext, member: ClusterMember, way: "both" | "in" | "out") {
  const { cluster, random } = context;
  const cut = way === "both" && random.chance(0.5) ? "reset" : "drop";
  for (const other of cluster.othersOf(member)) {
    if (way !== "in") cluster.links.set(member.name, other.name, { cut });
    if (way !== "out") cluster.links.set(other.name, member.name, { cut });
  }
  await lapse(context, 3);
  cluster.links.heal();
  await cluster.waitHealthy();
}

async function pauseMember(context: FaultContext, member: ClusterMember): Promise<void> {
  member.pause();
  await lapse(context, 3);
  member.resume();
  await context.cluster.waitHealthy();
}

/** Removes a member from the cluster and puts a new one with a fresh directory in its place. */
async function replace(context: FaultContext, victim: ClusterMember): Promise<void> {
  const { cluster } = context;
  await victim.kill();
  await cluster.removeMember(victim);
  await cluster.forget(victim);
  const fresh = await cluster.make();
  await cluster.addMember(fresh);
  fresh.spawn(cluster.flagsOf("existing"));
  await cluster.waitHealthy();
}

async function fillDisk(context: FaultContext, victim: ClusterMember): Promise<void> {
  const { cluster } = context;
  const disk = cluster.disks.get(victim.name);
  if (disk !== undefined) disk.fill();
  else if (victim.pid !== null) limitFileSize(victim.pid, 4096);
  await lapse(context, 4);
  disk?.empty();
  // It may go on, refusing, or have ended; either way it comes back whole.
  if (victim.isRunning) await victim.kill();
  cluster.restart(victim);
  await cluster.waitHealthy();
}

/** Nothing of what it holds is wrong, but it cannot lead: the others have to do without it. */
async function stallDisk(context: FaultContext, how: "writes" | "syncs"): Promise<void> {
  const { cluster, violate } = context;
  const leader = await cluster.waitForLeader();
  const disk = cluster.disks.get(leader.name);
  if (disk === undefined) return;
  if (how === "writes") disk.freeze();
  else if (leader.pid === null || !disk.crawl(leader.pid)) return;
  const endMs = performance.now() + cluster.options.electionMs * 8;
  let next: ClusterMember | null = leader;
  while ((next === null || next === leader) && performance.now() < endMs) {
    await Bun.sleep(50);
    next = await cluster.leader();
  }
  if (next === null || next === leader) violate("stall", `${leader.name} leads on a dead disk`);
  await lapse(context);
  disk.thaw();
  await cluster.waitHealthy();
}

/** A follower that has to be sent the whole database, over links that are slow and break again and again. */
async function snapshotOverBrokenLinks(context: FaultContext): Promise<void> {
  const { cluster, random } = context;
  const victim = await fallBehind(context);
  cluster.restart(victim);
  for (let i = 0; i < 3; i++) {
    for (const other of cluster.othersOf(victim)) {
      const bytesPerSecond = 500_000 * (1 + random.below(8));
      cluster.links.setBoth(victim.name, other.name, { cut: "none", bytesPerSecond });
    }
    await Bun.sleep(300 + random.below(700));
    for (const other of cluster.othersOf(victim)) {
      const cut = random.chance(0.5) ? "reset" : "drop";
      cluster.links.setBoth(victim.name, other.name, { cut });
    }
    await Bun.sleep(random.below(300));
  }
  cluster.links.heal();
  await cluster.waitHealthy();
}

/** Killed at any moment between the first piece and the restart on the new database. */
async function killedWhileReceiving(context: FaultContext): Promise<void> {
  const { cluster, random } = context;
  const victim = await fallBehind(context);
  for (let i = 0; i < 3; i++) {
    cluster.restart(victim);
    await Bun.sleep(100 + random.below(500));
    if (random.chance(0.3)) await (await cluster.waitForLeader()).kill();
    await victim.kill();
    for (const member of cluster.othersOf(victim)) {
      if (!member.isRunning) cluster.restart(member);
    }
    await cluster.waitHealthy(cluster.othersOf(victim));
  }
  cluster.restart(victim);
  await cluster.waitHealthy();
}

/** Kills a follower and waits until the others have let go of the log it needs. */
async function fallBehind(context: FaultContext): Promise<ClusterMember> {
  const { cluster } = context;
  const victim = await someFollower(context);
  const before = await victim.status();
  await victim.kill();
  await cluster.wait("progress without a follower", 20_000, async () => {
    const status = await (await cluster.waitForLeader()).status();
    return status !== null && status.appliedIndex > (before?.appliedIndex ?? 0) + entriesBehind;
  });
  return victim;
}

/** With its old id and nothing of its log it could vote twice: it must end, or at least not take part. */
async function wipe(context: FaultContext, state: "new" | "existing"): Promise<void> {
  const { cluster, violate } = context;
  const victim = await someFollower(context);
  await victim.kill();
  victim.wipe();
  victim.spawn(cluster.flagsOf(state));
  const endMs = performance.now() + cluster.options.electionMs * 4;
  while (victim.isRunning && performance.now() < endMs) {
    if (await victim.isHealthy()) {
      violate("refusal", `${victim.name} took part with an empty directory (${state})`);
      break;
    }
    await Bun.sleep(50);
  }
  await replace(context, victim);
}

/** Followers are told by who leads at the moment, so that each kind of member has its turn. */
export const faults = {
  "kill leader": async (context) =>
    killAndRestart(context, [await context.cluster.waitForLeader()]),
  "kill follower": async (context) => killAndRestart(context, [await someFollower(context)]),
  "kill all": (context) => killAndRestart(context, [...context.cluster.members]),
  "pause leader": async (context) => pauseMember(context, await context.cluster.waitForLeader()),
  "pause follower": async (context) => pauseMember(context, await someFollower(context)),
  "cut leader away": async (context) =>
    cutAway(context, await context.cluster.waitForLeader(), "both"),
  "leader hears nothing": async (context) =>
    cutAway(context, await context.cluster.waitForLeader(), "in"),
  "leader is not heard": async (context) =>
    cutAway(context, await context.cluster.waitForLeader(), "out"),
  "cut follower away": async (context) => cutAway(context, await someFollower(context), "both"),
  "follower is not heard": async (context) => cutAway(context, await someFollower(context), "out"),
  "cut one pair": async (context) => {
    const { cluster } = context;
    const leader = await cluster.waitForLeader();
    const follower = await someFollower(context);
    if (leader !== follower) cluster.links.setBoth(leader.name, follower.name, { cut: "drop" });
    await lapse(context, 3);
    cluster.links.heal();
    await cluster.waitHealthy();
  },
  "cut all pairs": async (context) => {
    const { cluster } = context;
    for (const a of cluster.members) {
      for (const b of cluster.othersOf(a)) cluster.links.set(a.name, b.name, { cut: "drop" });
    }
    await lapse(context);
    cluster.links.heal();
    await cluster.waitHealthy();
  },
  "slow links": async (context) => {
    const { cluster, random } = context;
    for (const a of cluster.members) {
      for (const b of cluster.othersOf(a)) {
        const delayMs = random.below(cluster.options.heartbeatMs);
        const bytesPerSecond = random.chance(0.5) ? 50_000 : 0;
        cluster.links.set(a.name, b.name, { delayMs, bytesPerSecond });
      }
    }
    await lapse(context, 3);
    cluster.links.heal();
    await cluster.waitHealthy();
  },
  "quorum lost": async (context) => {
    const { cluster, random } = context;
    const survivor = cluster.members[random.below(cluster.members.length)]!;
    await killAndRestart(context, cluster.othersOf(survivor));
  },
  "rolling restart": async ({ cluster }) => {
    for (const member of [...cluster.members]) {
      await member.terminate();
      cluster.restart(member);
      await cluster.waitHealthy();
    }
  },
  "full disk of leader": async (context) =>
    fillDisk(context, await context.cluster.waitForLeader()),
  "full disk of follower": async (context) => fillDisk(context, await someFollower(context)),
  "disk of leader stalls": (context) => stallDisk(context, "writes"),
  "disk of leader crawls": (context) => stallDisk(context, "syncs"),
  "snapshot over broken links": snapshotOverBrokenLinks,
  "killed while receiving": killedWhileReceiving,
  "replace member": async (context) => {
    const { cluster, random } = context;
    await replace(context, cluster.members[random.below(cluster.members.length)]!);
  },
  "wiped follower started as new": (context) => wipe(context, "new"),
  "wiped follower started as joining": (context) => wipe(context, "existing"),
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

export const faultNames = Object.keys(faults) as FaultName[];

/** Those that do nothing, or something else, without a file system per member. */
export function needsSmallDisks(name: FaultName): boolean {
  return name.startsWith("full disk") || name.startsWith("disk of");
}

/** Whatever a fault that failed left behind. */
export async function recover(cluster: ClusterProcesses): Promise<void> {
  cluster.links.heal();
  for (const disk of cluster.disks.values()) {
    disk.thaw();
    disk.empty();
  }
  for (const member of cluster.members) {
    member.resume();
    if (!member.isRunning) cluster.restart(member);
  }
  await cluster.waitHealthy();
}
