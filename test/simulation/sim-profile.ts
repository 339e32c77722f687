/**
 * What kind of run a seed is: each one switches on some faults and some requests only, so that rare
 * combinations come up (swarm testing); and now and then one aims at a schedule that chance would hardly find.
 */
import { SeededRandom } from "../disk/seeded-random.ts";
import type { RequestMix } from "./request-maker.ts";
import type { MemberSettings } from "./sim-member.ts";
import type { LinkQuality } from "./sim-network.ts";

/** How often each fault comes on average, in milliseconds; absent: never. */
export type FaultPlan = Partial<Record<FaultKind, number>>;

export const FAULT_KINDS = [
  "kill",
  "flicker",
  "power",
  "powerAll",
  "killAll",
  "crashAt",
  "crashSweep",
  "crashSnapshot",
  "pause",
  "pauseLeader",
  "partition",
  "isolateLeader",
  "isolateFollower",
  "oneWay",
  "badLinks",
  "slowLink",
  "stallDisk",
  "diskError",
  "diskFull",
  "drift",
  "wallJump",
  "transfer",
  "cleanRestart",
  "membership",
  "replace",
  "rot",
  "defragment",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Profile {
  readonly name: string;
  readonly size: number;
  readonly durationMs: number;
  readonly settings: MemberSettings;
  readonly quality: LinkQuality;
  readonly mix: RequestMix;
  readonly keys: number;
  readonly clients: number;
  readonly thinkMsMean: number;
  readonly watchers: number;
  readonly watcherStallMsMax: number;
  readonly leaseSecondsMax: number;
  readonly faults: FaultPlan;
  readonly syncMsMax: number;
}

const FOCUSES = [
  "swarm",
  "swarm",
  "swarm",
  "lagging",
  "compaction",
  "restarts",
  "pauses",
  "leases",
  "leaseReads",
  "membership",
  "disks",
  "maintenance",
  "calm",
  "single",
] as const;

/** Runs of many minutes: leases that outlive leaders, and checkpoints of them. Long, so there are few. */
const LONG = "longLeases";
const LONG_SHARE = 0.01;

type Focus = (typeof FOCUSES)[number] | typeof LONG;

export function profileOf(seed: number, wanted?: string): Profile {
  const random = new SeededRandom(Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995);
  const drawn = random.chance(LONG_SHARE) ? LONG : pick(random, FOCUSES);
  const focus = (wanted ?? drawn) as Focus;
  const size = focus === "single" ? 1 : pick(random, [3, 3, 3, 3, 3, 5, 5, 1, 2, 4]);
  const faults = faultsOf(random, focus, size);
  return {
    name: focus,
    size,
    durationMs:
      focus === LONG
        ? 700_000 + random.below(400_000)
        : 8_000 + random.below(random.chance(0.2) ? 50_000 : 17_000),
    settings: settingsOf(random, focus),
    quality: qualityOf(random),
    mix: mixOf(random, focus),
    keys: 4 + random.below(12),
    clients: 2 + random.below(4),
    thinkMsMean: focus === LONG ? 5000 : pick(random, [15, 40, 100, 200]),
    watchers: 1 + random.below(4),
    watcherStallMsMax: focus === "compaction" || random.chance(0.4) ? 200 + random.below(4000) : 0,
    leaseSecondsMax: focus === LONG ? 800 : 2 + random.below(focus === "leases" ? 10 : 6),
    faults,
    syncMsMax: pick(random, [1, 4, 15]),
  };
}

function settingsOf(random: SeededRandom, focus: Focus): MemberSettings {
  const [heartbeatIntervalMs, electionTimeoutMs] = pick(random, [
    [100, 1000],
    [100, 1000],
    [50, 500],
    [100, 600],
  ] as const);
  const isLagging = focus === "lagging" || focus === "compaction";
  return {
    electionTimeoutMs,
    heartbeatIntervalMs,
    readMode: random.chance(0.2) || focus === "leaseReads" ? "lease" : "safe",
    clockDriftMax: 0.1,
    preVote: !random.chance(0.1),
    batchIntervalMs: pick(random, [10, 40, 100]),
    batchWritesMax: pick(random, [5, 15, 1000]),
    entriesPerSnapshot: isLagging ? 10 + random.below(30) : pick(random, [15, 50, 200, 5000]),
    catchupEntries: isLagging ? random.below(10) : pick(random, [3, 20, 5000]),
    walSegmentBytes: pick(random, [16, 32, 64]) * 1024,
    progressIntervalMs: pick(random, [100, 400, 2000]),
    quotaBytes: random.chance(0.05) ? 120_000 + random.below(200_000) : Number.POSITIVE_INFINITY,
    strictReconfigCheck: random.chance(0.5),
    corruptionChecks: random.chance(0.3)
      ? { initial: true, periodMs: 1700, compactionPeriodMs: 900 }
      : { initial: false, periodMs: 0, compactionPeriodMs: 0 },
  };
}

function qualityOf(random: SeededRandom): LinkQuality {
  return {
    delayMsMin: random.next() * 2,
    delayMsMean: pick(random, [0.5, 1, 5, 30]),
    loss: random.chance(0.3) ? random.next() * 0.2 : 0,
    duplication: random.chance(0.3) ? random.next() * 0.3 : 0,
    reordering: random.chance(0.4) ? random.next() * 0.3 : 0,
  };
}

function mixOf(random: SeededRandom, focus: Focus): RequestMix {
  const some = (weight: number, chance = 0.6) =>
    random.chance(chance) ? weight * random.next() : 0;
  const withLeases = focus === "leases" || focus === LONG || random.chance(0.35);
  const lease = (weight: number) => (withLeases ? weight : 0);
  return {
    put: 4 + 4 * random.next(),
    get: focus === "leaseReads" ? 8 : 1 + 4 * random.next(),
    range: some(3),
    staleRange: some(2),
    pastRange: some(1.5),
    delete: focus === "compaction" ? 3 : some(2),
    deleteRange: some(0.7),
    compareAndSwap: some(4),
    multiTxn: some(2),
    wideTxn: focus === "compaction" ? 0.7 : some(0.3, 0.2),
    pastTxn: some(1.5),
    compact: focus === "compaction" || focus === "maintenance" ? 1 : some(0.4),
    grant: lease(0.6),
    leasedPut: lease(2),
    revoke: lease(0.15),
    renew: lease(focus === "leases" ? 3 : 1.2),
  };
}

/** What a focus always has; the rest is drawn. */
const FOCUS_FAULTS: Readonly<Record<Focus, FaultPlan>> = {
  swarm: {},
  lagging: {
    isolateFollower: 5000,
    stallDisk: 4000,
    transfer: 4000,
    kill: 9000,
    crashSnapshot: 6000,
  },
  compaction: { isolateFollower: 8000, kill: 6000, power: 9000, crashSweep: 1200 },
  restarts: { kill: 1500, flicker: 1500, power: 2500, crashAt: 1500, powerAll: 9000 },
  pauses: { pauseLeader: 3000, pause: 5000, isolateLeader: 9000 },
  leaseReads: { isolateLeader: 3000, pauseLeader: 4000, drift: 2000, transfer: 6000 },
  leases: { pauseLeader: 3000, stallDisk: 5000, isolateLeader: 7000, transfer: 6000 },
  membership: { membership: 3000, replace: 9000, kill: 8000, transfer: 7000 },
  disks: { crashAt: 3000, diskError: 8000, stallDisk: 6000, diskFull: 15_000, rot: 30_000 },
  [LONG]: { transfer: 120_000, pauseLeader: 150_000, kill: 200_000, power: 300_000 },
  maintenance: { defragment: 1200, kill: 3000, crashAt: 2500, isolateFollower: 9000 },
  calm: { transfer: 15_000 },
  single: { kill: 4000, power: 3000, crashAt: 2500, pause: 6000 },
};

const SWARM_INTERVALS: Readonly<Record<FaultKind, number>> = {
  kill: 6000,
  flicker: 5000,
  power: 6000,
  powerAll: 15_000,
  killAll: 15_000,
  crashAt: 5000,
  crashSweep: 4000,
  crashSnapshot: 6000,
  pause: 6000,
  pauseLeader: 7000,
  partition: 8000,
  isolateLeader: 8000,
  isolateFollower: 8000,
  oneWay: 8000,
  badLinks: 9000,
  slowLink: 9000,
  stallDisk: 7000,
  diskError: 12_000,
  diskFull: 20_000,
  drift: 5000,
  wallJump: 6000,
  transfer: 8000,
  cleanRestart: 8000,
  membership: 7000,
  replace: 15_000,
  rot: 40_000,
  defragment: 9000,
};

function faultsOf(random: SeededRandom, focus: Focus, size: number): FaultPlan {
  const plan: FaultPlan = { ...FOCUS_FAULTS[focus] };
  const share =
    focus === "calm" || focus === LONG ? 0 : focus === "swarm" ? 0.25 + 0.2 * random.next() : 0.12;
  for (const kind of FAULT_KINDS) {
    const isOn = random.chance(share);
    const intervalMs = SWARM_INTERVALS[kind] * (0.4 + 1.6 * random.next());
    if (isOn) plan[kind] ??= intervalMs;
  }
  // One machine alone has nobody to be repaired from.
  if (size < 3) delete plan.rot;
  if (size === 1) delete plan.replace;
  return plan;
}

function pick<Item>(random: SeededRandom, items: readonly Item[]): Item {
  return items[random.below(items.length)]!;
}
