/** The hand that breaks things: each fault of the plan comes at random times, and most of them end again. */
import type { SeededRandom } from "../disk/seeded-random.ts";
import { ClientCall } from "./client-call.ts";
import { MembershipChanges } from "./membership-changes.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimNetwork } from "./sim-network.ts";
import { FAULT_KINDS, type FaultKind, type Profile } from "./sim-profile.ts";
import type { SimWorld } from "./sim-world.ts";

/** A stopped leader's clients may wait so long that others are elected many times over. */
const PAUSE_MS_MAX = 6000;
const CUT_MS_MAX = 7000;

export class SimFaults {
  readonly counts = new Map<FaultKind, number>();
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #network: SimNetwork;
  readonly #profile: Profile;
  readonly #random: SeededRandom;
  readonly #membership: MembershipChanges;
  #isStopped = false;

  constructor(parts: {
    world: SimWorld;
    cluster: SimCluster;
    network: SimNetwork;
    profile: Profile;
  }) {
    this.#world = parts.world;
    this.#cluster = parts.cluster;
    this.#network = parts.network;
    this.#profile = parts.profile;
    this.#random = parts.world.random("faults");
    this.#membership = new MembershipChanges(parts.world, parts.cluster);
  }

  start(): void {
    for (const kind of FAULT_KINDS) {
      const intervalMs = this.#profile.faults[kind];
      if (intervalMs !== undefined) this.#plan(kind, intervalMs);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Ends what only this hand can end. */
  repair(): void {
    this.#membership.finish();
  }

  #plan(kind: FaultKind, intervalMs: number): void {
    const delayMs = Math.min(-intervalMs * Math.log(1 - this.#random.next()), 10 * intervalMs);
    this.#world.after(delayMs, () => {
      if (this.#isStopped) return;
      if (this.#break(kind)) this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.#plan(kind, intervalMs);
    });
  }

  /** False when nothing could be broken that way. */
  #break(kind: FaultKind): boolean {
    switch (kind) {
      case "powerAll":
      case "killAll":
        for (const each of this.#cluster.members) this.#crash(each, kind === "powerAll");
        return true;
      case "pauseLeader":
        return this.#pause(this.#cluster.leader());
      case "isolateLeader":
        return this.#isolate(this.#cluster.leader());
      case "isolateFollower": {
        const leader = this.#cluster.leader();
        const others = this.#cluster.serving().filter((each) => each !== leader);
        return this.#isolate(this.#pick(others));
      }
      case "partition":
        return this.#partition();
      case "badLinks":
        return this.#badLinks();
      case "transfer":
        return this.#transfer();
      case "membership":
        return this.#membership.change();
      case "replace":
        return this.#membership.replace();
      default: {
        const member = this.#pick(this.#cluster.serving());
        return member !== null && this.#breakOne(kind, member);
      }
    }
  }

  #breakOne(kind: FaultKind, member: SimMember): boolean {
    switch (kind) {
      case "kill":
      case "power":
        this.#crash(member, kind === "power");
        return true;
      case "crashAt":
        member.disk.crashAfter = member.disk.operationCount + this.#random.below(60);
        return true;
      case "flicker":
        return this.#flicker(member);
      case "crashSweep":
        member.crashNext.sweep = true;
        return true;
      case "crashSnapshot":
        member.crashNext.snapshot = true;
        return true;
      case "pause":
        return this.#pause(member);
      case "oneWay":
        return this.#oneWay(member);
      case "slowLink":
        return this.#slowLink(member);
      case "stallDisk":
        this.#world.note(`stall ${member.name}`);
        member.disk.stall(200 + this.#random.below(this.#random.chance(0.3) ? 6000 : 1500));
        return true;
      case "diskError": {
        const operation = this.#random.chance(0.6) ? "sync" : "write";
        const skip = this.#random.below(6);
        member.disk.inject({ operation, skip, effect: { kind: "fail", code: "EIO" } });
        return true;
      }
      case "diskFull":
        return this.#diskFull(member);
      case "drift": {
        const { clockDriftMax } = this.#profile.settings;
        // Any two clocks stay within the bound.
        member.process.drift(1 + clockDriftMax * 0.95 * this.#random.next());
        return true;
      }
      case "wallJump":
        member.process.jumpWall((this.#random.next() - 0.5) * 10 ** this.#random.below(9));
        return true;
      case "cleanRestart":
        member.stop(() => this.#cluster.restartLater(member));
        return true;
      case "rot":
        return this.#rot(member);
      case "defragment":
        member.process.input(0, () =>
          member.services?.maintenance.defragment({}, new ClientCall(() => {})),
        );
        return true;
      default:
        return false;
    }
  }

  #crash(member: SimMember, withPower: boolean): void {
    if (member.isRetired) return;
    if (withPower) member.losePower(this.#random.below(2 ** 31));
    else member.kill();
    // Some come back at once: right after they promised something.
    this.#cluster.restartLater(
      member,
      this.#random.chance(0.4) ? this.#random.below(50) : undefined,
    );
  }

  /** Killed, back at once, and then the power goes: was what it read after the kill on the disk? */
  #flicker(member: SimMember): boolean {
    member.kill();
    this.#cluster.restartLater(member, this.#random.below(20));
    if (this.#random.chance(0.5)) member.disk.stall(this.#random.below(800));
    const isForAll = this.#random.chance(0.3);
    this.#world.after(20 + this.#random.below(500), () => {
      if (this.#isStopped) return;
      for (const each of isForAll ? this.#cluster.members : [member]) this.#crash(each, true);
    });
    return true;
  }

  #pause(member: SimMember | null): boolean {
    if (member === null || member.process.isPaused || !member.isUp) return false;
    member.pause();
    const { life } = member.process;
    this.#world.after(50 + this.#random.below(PAUSE_MS_MAX), () => {
      if (member.process.life === life) member.resume();
    });
    return true;
  }

  #isolate(member: SimMember | null): boolean {
    if (member === null) return false;
    const others = this.#cluster.members.filter((each) => each !== member);
    this.#cut([member], others, true);
    return true;
  }

  #partition(): boolean {
    const sides: [SimMember[], SimMember[]] = [[], []];
    for (const each of this.#cluster.members) sides[this.#random.below(2)]!.push(each);
    this.#cut(sides[0], sides[1], true);
    return sides[0].length > 0 && sides[1].length > 0;
  }

  #oneWay(member: SimMember): boolean {
    const others = this.#cluster.members.filter((each) => each !== member);
    const some = others.filter(() => this.#random.chance(0.6));
    if (this.#random.chance(0.5)) this.#cut([member], some, false);
    else this.#cut(some, [member], false);
    return some.length > 0;
  }

  #cut(from: readonly SimMember[], to: readonly SimMember[], bothWays: boolean): void {
    this.#world.note(`cut ${namesOf(from)} from ${namesOf(to)}${bothWays ? "" : " one way"}`);
    for (const a of from) {
      for (const b of to) {
        this.#network.cut(a.name, b.name);
        if (bothWays) this.#network.cut(b.name, a.name);
      }
    }
    this.#healLater();
  }

  #healLater(): void {
    this.#world.after(100 + this.#random.below(CUT_MS_MAX), () => {
      if (this.#isStopped) return;
      this.#world.note("heal");
      this.#network.heal();
    });
  }

  #badLinks(): boolean {
    this.#world.note("bad links");
    const loss = this.#random.next() * 0.4;
    const duplication = this.#random.next() * 0.4;
    const reordering = this.#random.next() * 0.5;
    const delayMsMean = this.#random.below(120);
    for (const a of this.#cluster.members) {
      for (const b of this.#cluster.members) {
        const quality = { delayMsMin: 0.5, delayMsMean, loss, duplication, reordering };
        if (a !== b && this.#random.chance(0.6)) this.#network.degrade(a.name, b.name, quality);
      }
    }
    this.#healLater();
    return true;
  }

  #slowLink(member: SimMember): boolean {
    const other = this.#pick(this.#cluster.members.filter((each) => each !== member));
    if (other === null) return false;
    const delayMsMin = this.#random.below(800);
    const quality = { ...this.#network.quality, delayMsMin, delayMsMean: delayMsMin / 4 };
    this.#network.degrade(member.name, other.name, quality);
    this.#healLater();
    return true;
  }

  #diskFull(member: SimMember): boolean {
    const { disk } = member;
    this.#world.note(`full ${member.name}`);
    disk.capacityBytes = disk.usedBytes() + this.#random.below(64 * 1024);
    this.#world.after(2000 + this.#random.below(5000), () => {
      disk.capacityBytes = Number.POSITIVE_INFINITY;
    });
    return true;
  }

  #transfer(): boolean {
    const leader = this.#cluster.leader();
    const target = this.#pick(this.#cluster.serving().filter((each) => each !== leader));
    if (leader === null || target === null) return false;
    this.#world.note(`transfer ${leader.name} to ${target.name}`);
    leader.process.input(0, () =>
      leader.services?.maintenance.moveLeader(
        { targetID: target.memberId },
        new ClientCall(() => {}),
      ),
    );
    return true;
  }

  /** One bit of a member's log or database, while it is down; never of more members than the others can replace. */
  #rot(member: SimMember): boolean {
    const { members } = this.#cluster;
    if (members.some(({ isRotten, isRetired }) => isRotten || isRetired)) return false;
    if (this.#membership.isBusy) return false;
    member.kill();
    const paths = member.disk
      .list("/data/member/wal")
      .filter((name) => name.endsWith(".wal"))
      .map((name) => `/data/member/wal/${name}`);
    const path = this.#pick(paths);
    if (path === null) return false;
    const used = usedBytes(member.disk.contents(path));
    member.disk.rot(path, this.#random.below(Math.max(1, used)), 1 << this.#random.below(8));
    member.isRotten = true;
    this.#world.note(`rot ${member.name} ${path}`);
    this.#cluster.restartLater(member);
    return true;
  }

  #pick<Item>(items: readonly Item[]): Item | null {
    return items.length === 0 ? null : items[this.#random.below(items.length)]!;
  }
}

/** Up to the last byte that is not zero: the rest of a log was never written. */
function usedBytes(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

function namesOf(members: readonly SimMember[]): string {
  return members.map(({ name }) => name).join("+");
}
