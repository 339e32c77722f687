/** All members of a run, and what happens when one of them ends by itself. */
import { AssertionError } from "../../src/base/assert.ts";
import { DiskError } from "../../src/io/index.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type { MemberOracles } from "./member-oracles.ts";
import type { Recorder } from "./recorder.ts";
import { type Beginning, type MemberSettings, SimMember } from "./sim-member.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { ProcessEnd } from "./sim-process.ts";
import type { SimWorld } from "./sim-world.ts";

export interface ClusterParts {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly settings: MemberSettings;
  readonly oracles: MemberOracles;
  readonly recorder: Recorder;
}

const RESTART_MS_MAX = 3000;

export class SimCluster {
  readonly members: SimMember[] = [];
  /** How often members ended by themselves, by why. */
  readonly ends = new Map<string, number>();
  /** No member is started again by itself. */
  keepDown = false;
  readonly #parts: ClusterParts;
  readonly #random: SeededRandom;

  constructor(parts: ClusterParts, size: number) {
    this.#parts = parts;
    this.#random = parts.world.random("cluster");
    const names = Array.from({ length: size }, (_, i) => `m${i + 1}`);
    const initialCluster = initialClusterOf(names);
    for (const name of names) this.#add(name, { kind: "new", initialCluster });
  }

  /** Starts all, not at the same moment. */
  start(): void {
    for (const member of this.members) {
      this.#parts.world.after(this.#random.below(200), () => member.start());
    }
  }

  /** A machine more, on which a member may begin. */
  addMachine(beginning: Beginning): SimMember {
    return this.#add(`m${this.members.length + 1}`, beginning);
  }

  /** Members that clients may try: also stopped processes, which do not answer. */
  serving(): SimMember[] {
    return this.members.filter(({ isUp }) => isUp);
  }

  /** The one that leads in the newest term, as far as anybody knows. */
  leader(): SimMember | null {
    let found: SimMember | null = null;
    let term = -1;
    for (const each of this.members) {
      if (each.member === null || !each.member.raft.isLeader()) continue;
      if (each.member.raft.term() <= term) continue;
      found = each;
      term = each.member.raft.term();
    }
    return found;
  }

  restartLater(member: SimMember, delayMs = this.#random.below(RESTART_MS_MAX)): void {
    this.#parts.world.after(delayMs, () => {
      if (!this.keepDown && !member.isRetired) member.start();
    });
  }

  /**
   * Why the members do not agree yet: null when one leads, all have applied everything and are in the same
   * state. Retired ones do not count.
   */
  disagreement(): string | null {
    const members = this.members.filter(({ isRetired }) => !isRetired);
    const leader = this.leader();
    if (leader?.member == null) return "nobody leads";
    const commit = leader.member.raft.commit();
    if (leader.member.raft.lastIndex() !== commit) return `${leader.name} has uncommitted entries`;
    const voters = new Set(leader.member.state.membership.members().map(({ id }) => id));
    for (const each of members) {
      const { member, name } = each;
      if (member === null) return `${name} is down`;
      if (!voters.has(each.memberId)) continue;
      if (!each.isReady) return `${name} is not ready`;
      if (member.raft.leader() !== leader.memberId)
        return `${name} follows ${member.raft.leader()}`;
      const applied = member.state.stateMachine.appliedIndex();
      if (applied !== commit) return `${name} applied ${applied} of ${commit}`;
      const { store, storage } = member.state;
      if (store.isCompacting()) return `${name} is compacting`;
      if (storage.database.pendingWrites() > 0) return `${name} has writes that are not committed`;
    }
    return null;
  }

  #add(name: string, beginning: Beginning): SimMember {
    const { world, network, settings, oracles } = this.#parts;
    const onEnd = (ended: SimMember, end: ProcessEnd) => this.#ended(ended, end);
    const member = new SimMember(name, beginning, { world, network, settings, oracles, onEnd });
    this.members.push(member);
    return member;
  }

  #ended(member: SimMember, end: ProcessEnd): void {
    const { world, recorder } = this.#parts;
    world.note(`end ${member.name} ${textOf(end)}`);
    this.#count(end.kind === "exit" ? end.reason.split(":")[0]! : end.kind);
    if (end.kind === "power") {
      if (this.#random.chance(0.3)) member.disk.kill();
      else member.losePower(this.#random.below(2 ** 31));
      this.restartLater(member);
      return;
    }
    if (isDiskFailure(end)) {
      // The machine is rebooted: pages that could not be written are gone.
      member.losePower(this.#random.below(2 ** 31));
      member.disk.capacityBytes = Number.POSITIVE_INFINITY;
      this.restartLater(member);
      return;
    }
    member.disk.kill();
    if (member.isRetired) return;
    if (!member.isRotten) {
      recorder.report({ rule: "ended", message: `${member.name} ended: ${textOf(end)}` });
    }
    member.isRetired = true;
  }

  #count(kind: string): void {
    this.ends.set(kind, (this.ends.get(kind) ?? 0) + 1);
  }
}

export function initialClusterOf(names: readonly string[]): string {
  return names.map((name) => `${name}=http://${name}.test:2380`).join(",");
}

/** One that was injected: any other is the program's own mistake. */
function isDiskFailure(end: ProcessEnd): boolean {
  if (end.kind === "exit") return /^disk (EIO|ENOSPC):/.test(end.reason);
  if (end.kind !== "broken" || !(end.error instanceof DiskError)) return false;
  return end.error.code === "EIO" || end.error.code === "ENOSPC";
}

function textOf(end: ProcessEnd): string {
  if (end.kind === "power") return "without power";
  if (end.kind === "exit") return end.reason;
  const { error } = end;
  if (!(error instanceof Error)) return String(error);
  const kind = error instanceof AssertionError ? "assertion" : error.name;
  return `${kind}: ${error.message}\n${error.stack ?? ""}`;
}
