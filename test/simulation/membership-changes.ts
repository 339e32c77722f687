/**
 * Changes of who belongs to the cluster, asked of a member as an operator would: a learner comes and is promoted,
 * a member goes, a machine is replaced by an empty one. Answers may be lost; whoever asks looks before the next step.
 */
import type { MemberAddResponseInit } from "../../src/api/index.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import { ClientCall } from "./client-call.ts";
import type { SimCluster } from "./sim-cluster.ts";
import type { SimMember } from "./sim-member.ts";
import type { SimWorld } from "./sim-world.ts";

const MACHINES_MAX = 7;
const ANSWER_MS_MAX = 9000;
const PROMOTE_RETRY_MS = 700;
const PROMOTE_TRIES_MAX = 20;

export class MembershipChanges {
  readonly #world: SimWorld;
  readonly #cluster: SimCluster;
  readonly #random: SeededRandom;
  #isBusy = false;

  constructor(world: SimWorld, cluster: SimCluster) {
    this.#world = world;
    this.#cluster = cluster;
    this.#random = world.random("membership");
  }

  /** False while the last one is not over. */
  change(): boolean {
    const known = this.#membersKnown();
    if (this.#isBusy || known.length === 0 || this.#rotten() !== undefined) return false;
    const kind = this.#random.below(3);
    if (kind === 0 && known.length > 1) return this.#remove(this.#random.chance(0.3));
    if (this.#cluster.members.length >= MACHINES_MAX) return false;
    return this.#add(kind === 1);
  }

  /** An empty machine in place of one that is taken out: remove, wipe, add, start. */
  replace(): boolean {
    const known = this.#membersKnown();
    if (this.#isBusy || known.length < 3) return false;
    const rotten = this.#rotten();
    // Whoever lost its disk goes first: two at once could be the majority.
    if (rotten !== undefined && !rotten.isRetired) return false;
    const member = rotten ?? this.#pick(this.#cluster.members.filter(({ isUp }) => isUp));
    if (member === null) return false;
    this.#isBusy = true;
    this.#world.note(`replace ${member.name}`);
    this.#removeMember(member, (removed) => {
      if (!removed) {
        this.#isBusy = false;
        return;
      }
      if (member.isUp) member.kill();
      this.#join(member, true);
    });
    return true;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  #rotten(): SimMember | undefined {
    return this.#cluster.members.find(({ isRotten }) => isRotten);
  }

  #add(asLearner: boolean): boolean {
    this.#isBusy = true;
    const machine = this.#cluster.addMachine({ kind: "new", initialCluster: "" });
    machine.isRetired = true;
    this.#join(machine, asLearner);
    return true;
  }

  #join(machine: SimMember, asLearner: boolean): void {
    const ask = (done: (added: MemberAddResponseInit | null) => void) =>
      this.#ask<MemberAddResponseInit>(
        (member, call) =>
          member.services?.cluster.memberAdd(
            { peerURLs: [machine.peerUrl], isLearner: asLearner },
            call as never,
          ),
        done,
      );
    ask(() => {
      // Also without an answer it may have been added: what the members say counts.
      this.#world.after(500, () => {
        if (!this.#begin(machine)) this.#isBusy = false;
        else if (asLearner) this.#promote(machine, PROMOTE_TRIES_MAX);
        else this.#isBusy = false;
      });
    });
  }

  /**
   * Begins on an empty machine what the members know as one of theirs; false when they do not. What they
   * call by an id that ran here before is not begun anew: it would have forgotten what it promised.
   */
  #begin(machine: SimMember): boolean {
    const remote = this.#remoteWith(machine.peerUrl);
    const self = remote?.members.find(({ peerUrls }) => peerUrls.includes(machine.peerUrl));
    if (remote === null || self === undefined || machine.pastIds.has(self.id)) return false;
    const names = remote.members.map(({ id, name, peerUrls }) => ({
      name: name || `x${id}`,
      peerUrls,
    }));
    const others = names.filter(({ peerUrls }) => !peerUrls.includes(machine.peerUrl));
    const parts = others.map(({ name, peerUrls }) => `${name}=${peerUrls[0]}`);
    const initialCluster = [...parts, `${machine.name}=${machine.peerUrl}`].join(",");
    machine.wipe({ kind: "join", initialCluster, remote });
    machine.start();
    return true;
  }

  /** Somebody was added whose machine never began: without it there may be no majority. */
  finish(): void {
    for (const machine of this.#cluster.members) if (!machine.isUp) this.#begin(machine);
  }

  #promote(machine: SimMember, triesLeft: number): void {
    this.#world.after(PROMOTE_RETRY_MS, () => {
      if (triesLeft === 0 || !machine.isUp || this.#random.chance(0.02)) {
        this.#isBusy = false;
        return;
      }
      this.#ask(
        (member, call) =>
          member.services?.cluster.memberPromote({ ID: machine.memberId }, call as never),
        (answer) => {
          if (answer === null) this.#promote(machine, triesLeft - 1);
          else this.#isBusy = false;
        },
      );
    });
  }

  #remove(isLeaderWanted: boolean): boolean {
    const leader = this.#cluster.leader();
    const candidates = this.#cluster.members.filter(({ isUp, isRetired }) => isUp && !isRetired);
    const member = isLeaderWanted ? leader : this.#pick(candidates);
    if (member === null || candidates.length < 3) return false;
    this.#isBusy = true;
    this.#world.note(`remove ${member.name}`);
    this.#removeMember(member, () => {
      this.#isBusy = false;
    });
    return true;
  }

  #removeMember(machine: SimMember, done: (removed: boolean) => void): void {
    const { memberId } = machine;
    this.#ask(
      (member, call) => member.services?.cluster.memberRemove({ ID: memberId }, call as never),
      () => {
        this.#world.after(300, () => {
          const removed = this.#cluster.members.some(
            ({ member }) => member?.state.membership.isRemoved(memberId) === true,
          );
          if (removed) {
            machine.isRetired = true;
            // An operator takes it away, if it does not notice by itself.
            this.#world.after(5000, () => {
              if (machine.memberId === memberId && machine.isUp) machine.kill();
            });
          }
          done(removed);
        });
      },
    );
  }

  /** Asks any member; null after an error or without an answer. */
  #ask<Response>(
    send: (member: SimMember, call: ClientCall) => void,
    done: (response: Response | null) => void,
  ): void {
    const member = this.#pick(this.#cluster.serving());
    let isOver = false;
    const finish = (response: Response | null) => {
      if (isOver) return;
      isOver = true;
      done(response);
    };
    const call = new ClientCall((response, error) => {
      this.#world.note(`membership: ${error === null ? "done" : error.message}`);
      this.#world.after(1, () => finish(response as Response | null));
    });
    member?.process.input(1, () => send(member, call));
    this.#world.after(ANSWER_MS_MAX, () => finish(null));
  }

  /** The cluster as a member describes it that knows of this machine. */
  #remoteWith(peerUrl: string) {
    for (const { member } of this.#cluster.members) {
      const members = member?.state.membership.members() ?? [];
      if (!members.some(({ peerUrls }) => peerUrls.includes(peerUrl))) continue;
      const version = member!.state.membership.clusterVersion();
      const versions = new Map(members.map(({ id }) => [id, version]));
      return { clusterId: member!.clusterId, members, versions, addresses: new Map() };
    }
    return null;
  }

  #membersKnown() {
    return this.#cluster.leader()?.member?.state.membership.members() ?? [];
  }

  #pick<Item>(items: readonly Item[]): Item | null {
    return items.length === 0 ? null : items[this.#random.below(items.length)]!;
  }
}
