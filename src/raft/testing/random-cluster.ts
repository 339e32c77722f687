// A cluster whose every step is drawn from one seed: messages are lost, repeated, reordered and cut
// off; disks are late; members crash with what is durable, pause, join, leave and are promoted;
// leadership is moved about.

import { assert } from "../../base/assert.ts";
import { changed, isMember, type MembershipChange } from "../conf-change.ts";
import { ENTRY_COMMAND } from "../entry.ts";
import type { Message } from "../message.ts";
import { RAFT_DEFAULTS } from "../ready.ts";
import { Invariants } from "./invariants.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedMember } from "./simulated-member.ts";
import { configurationOf, decodeChange, encodeChange } from "./test-member.ts";

const MEMBERS_MAX = 6;
const MESSAGES_MAX = 300;
const HEALING_STEPS_MAX = 400_000;

export interface RunResult {
  readonly trace: number;
  readonly committed: number;
  readonly reads: number;
  readonly elections: number;
}

export class RandomCluster {
  readonly members = new Map<bigint, SimulatedMember>();
  readonly invariants = new Invariants(this.members);
  readonly #random: SeededRandom;
  readonly #options;
  #bag: Message[] = [];
  #now = 0;
  #delayed: Message[] = [];
  #side = new Map<bigint, number>();
  #nextCommand = 1;
  #nextRead = 1;
  #trace = 0;
  #isHealing = false;
  /** Chances of this run; some runs are calm, some wild. */
  readonly #loss: number;
  readonly #duplication: number;
  readonly #delay: number;
  readonly #trouble: number;
  /** How fast time passes beside everything else. */
  readonly #pace: number;
  /** Commit notices wait for the next tick. */
  readonly #tells: boolean;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#tells = seed % 2 === 0;
    this.#loss = random.pick([0, 0.02, 0.2]);
    this.#duplication = random.pick([0, 0.05, 0.2]);
    this.#delay = random.pick([0, 0.01, 0.1]);
    this.#trouble = random.pick([0.002, 0.005, 0.01]);
    this.#pace = random.pick([4, 7]);
    const checkQuorum = random.chance(0.7);
    const readMode: "lease" | "safe" = checkQuorum && random.chance(0.4) ? "lease" : "safe";
    const count = random.pick([1, 2, 3, 3, 3, 5, 5]);
    const voters = Array.from({ length: count }, (_, i) => i + 1);
    this.#options = {
      ...RAFT_DEFAULTS,
      configuration: configurationOf(voters),
      preVote: random.chance(0.7),
      checkQuorum,
      readMode,
      electionTimeoutTicks: random.pick([5, 10]),
      stepDownOnRemoval: random.chance(0.5),
      commitsWait: this.#tells,
      messageBytesMax: random.pick([1, 100, 1e6]),
      inflightMessagesMax: random.pick([1, 3, 64]),
      inflightBytesMax: random.pick([50, 1e6]),
      committedPageBytes: random.pick([1, 200, 1e6]),
      applyingBytesMax: random.pick([1, 500, 1e6]),
      uncommittedBytesMax: random.pick([20, 300]),
      waitingReadsMax: 50,
    };
    for (const id of voters) this.#addMember(BigInt(id));
  }

  run(steps: number): RunResult {
    for (let i = 0; i < steps; i++) this.#step();
    this.#heal();
    const { committed, readsAnswered: reads, elections } = this.invariants;
    return { trace: this.#trace, committed: committed.length, reads, elections };
  }

  #addMember(id: bigint): void {
    if (this.members.has(id)) return;
    const member = new SimulatedMember(
      { ...this.#options, memberId: id },
      this.invariants,
      this.#random,
    );
    member.nextTickAt = this.#now + this.#random.below(100);
    this.members.set(id, member);
  }

  /** One event somewhere. */
  #step(): void {
    const random = this.#random;
    this.#now += random.below(this.#pace);
    if (!this.#isHealing && random.chance(this.#trouble)) this.#makeTrouble();
    if (this.#delayed.length > 0 && random.chance(0.03)) this.#releaseDelayed();
    const member = random.pick([...this.members.values()]);
    if (!member.isUp) {
      if (this.#isHealing || random.chance(0.02)) this.#restart(member);
      return;
    }
    if (member.isPaused) {
      if (this.#isHealing || random.chance(0.02)) member.isPaused = false;
      return;
    }
    this.#tickIfDue(member);
    const dice = random.below(100);
    if (dice < 40) this.#deliver(1 + random.below(6));
    else if (dice < 75) this.#turn(member);
    else if (dice < 85) member.sync(random.chance(0.7) ? 1000 : 1);
    else if (dice < 92) member.apply(1 + random.below(30));
    else if (dice < 97) {
      // With windows of one entry and elections all the time a log can grow faster than it is copied.
      if (!this.#isHealing || random.chance(0.1)) this.#propose(member);
    } else this.#read(member);
  }

  /** All due ticks come before anything else: what lease reads ask of the caller. */
  #tickIfDue(member: SimulatedMember): void {
    while (member.nextTickAt <= this.#now) {
      member.nextTickAt += member.tickEvery;
      member.raft.tick();
      if (this.#tells) member.raft.tellCommits();
    }
  }

  #turn(member: SimulatedMember): void {
    for (const message of member.turn()) {
      this.#note(message);
      if (this.#isLost(message)) {
        this.#reportLoss(member, message);
        continue;
      }
      if (this.#random.chance(this.#delay)) this.#delayed.push(message);
      else this.#bag.push(message);
      if (this.#random.chance(this.#duplication)) this.#delayed.push(message);
    }
    while (this.#delayed.length > MESSAGES_MAX) this.#releaseDelayed();
    while (this.#bag.length > MESSAGES_MAX) {
      const [lost] = this.#bag.splice(this.#random.below(this.#bag.length), 1);
      const sender = this.members.get(lost!.from);
      if (sender?.isUp) this.#reportLoss(sender, lost!);
    }
  }

  /** Out of another time: terms may have passed since it was sent. */
  #releaseDelayed(): void {
    const [message] = this.#delayed.splice(this.#random.below(this.#delayed.length), 1);
    this.#bag.unshift(message!);
  }

  #isLost(message: Message): boolean {
    if (this.#isHealing) return false;
    const cut = (this.#side.get(message.from) ?? 0) !== (this.#side.get(message.to) ?? 0);
    return cut || this.#random.chance(this.#loss);
  }

  #reportLoss(sender: SimulatedMember, message: Message): void {
    if (message.kind === "snapshot") sender.raft.reportSnapshot(message.to, false);
    else if (this.#random.chance(0.1)) sender.raft.reportUnreachable(message.to);
  }

  #deliver(count: number): void {
    for (let i = 0; i < count && this.#bag.length > 0; i++) this.#deliverOne();
  }

  #deliverOne(): void {
    // Mostly in order, sometimes not.
    const at = this.#random.chance(0.7) ? 0 : this.#random.below(this.#bag.length);
    const [message] = this.#bag.splice(at, 1);
    const target = this.members.get(message!.to);
    const isAway = target === undefined || !target.isUp || target.isPaused;
    if (!isAway) {
      this.#tickIfDue(target);
      target.raft.step(message!);
    }
    const sender = this.members.get(message!.from);
    if (message!.kind === "snapshot" && sender?.isUp) {
      sender.raft.reportSnapshot(message!.to, !isAway);
    }
  }

  #propose(member: SimulatedMember): void {
    const text = `${this.#nextCommand++}`;
    member.raft.propose(ENTRY_COMMAND, new TextEncoder().encode(text));
  }

  #read(member: SimulatedMember): void {
    const context = this.#nextRead++;
    this.invariants.readAsked(context);
    member.raft.readIndex(context);
  }

  #restart(member: SimulatedMember): void {
    member.restart();
    member.nextTickAt = this.#now + this.#random.below(member.tickEvery);
  }

  #makeTrouble(): void {
    const random = this.#random;
    const member = random.pick([...this.members.values()]);
    const dice = random.below(100);
    if (dice < 25) {
      if (member.isUp) member.crash();
    } else if (dice < 35) {
      member.isPaused = member.isUp;
    } else if (dice < 55) {
      this.#partition();
    } else if (dice < 69) {
      this.#side = new Map();
    } else if (!member.isUp || member.isPaused) {
      return;
    } else if (dice < 76) {
      this.#tickIfDue(member);
      member.compact(random.pick([0, 3, 100]));
    } else if (dice < 90) {
      this.#changeMembers(member);
    } else if (dice < 96) {
      this.#tickIfDue(member);
      member.raft.transferLeadership(random.pick([...this.members.keys()]));
    } else if (dice < 98) {
      this.#tickIfDue(member);
      member.raft.forgetLeader();
    } else {
      this.#tickIfDue(member);
      member.raft.campaign();
    }
  }

  /** At random, or a leader with few others against the rest: what makes logs differ. */
  #partition(): void {
    const random = this.#random;
    const leader = [...this.members.values()].find(
      ({ raft, isUp }) => isUp && raft.status().role === "leader",
    );
    const share = random.chance(0.5) ? 0.5 : 0.2;
    const sideOf = (id: bigint) => (id === leader?.id || random.chance(share) ? 1 : 0);
    this.#side = new Map([...this.members.keys()].map((id) => [id, sideOf(id)]));
  }

  #changeMembers(member: SimulatedMember): void {
    const random = this.#random;
    this.#tickIfDue(member);
    const kind = random.pick(["add-voter", "add-learner", "remove", "update"] as const);
    const target = BigInt(1 + random.below(MEMBERS_MAX));
    const change: MembershipChange = { kind, member: target };
    if (kind === "add-voter" || kind === "add-learner") this.#addMember(target);
    member.raft.proposeMembershipChange(change, encodeChange(change));
  }

  /**
   * The faults end: the members of the last configuration must agree on something new in bounded
   * time.
   */
  #heal(): void {
    this.#isHealing = true;
    this.#side = new Map();
    let probe = 0;
    for (let step = 0; step < HEALING_STEPS_MAX; step++) {
      this.#step();
      if (step % 500 !== 0) continue;
      for (const member of this.members.values()) this.#retireIfRemoved(member);
      if (probe > 0 && this.#agreesBeyond(probe)) return;
      if (probe === 0 && step >= 5_000) probe = this.invariants.committed.length;
    }
    assert(false, `no agreement in ${HEALING_STEPS_MAX} steps: ${this.#describe()}`);
  }

  /** A leader that is no member any more hands over, as its server would before it stops. */
  #retireIfRemoved({ raft, id, isUp }: SimulatedMember): void {
    const { role, configuration } = raft.status();
    const [successor] = configuration.voters;
    if (!isUp || role !== "leader" || isMember(configuration, id)) return;
    raft.transferLeadership(successor!);
  }

  #agreesBeyond(index: number): boolean {
    if (this.invariants.committed.length <= index) return false;
    let configuration = this.#options.configuration as ReturnType<typeof configurationOf>;
    for (const { data } of this.invariants.committed) {
      if (!data.startsWith("1:")) continue;
      const next = changed(configuration, decodeChange(new TextEncoder().encode(data.slice(2))));
      if (typeof next !== "string") configuration = next;
    }
    return configuration.voters.every((id) => this.members.get(id)!.applied > index);
  }

  #describe(): string {
    return [...this.members.values()]
      .map(({ id, raft, isUp }) => {
        const { role, term, leader, commit, applied, lastIndex, configuration } = raft.status();
        const place = `${role} of ${leader} in ${term}, ${applied}/${commit}/${lastIndex}`;
        return `${id}${isUp ? "" : " (down)"}: ${place}, voters ${configuration.voters}`;
      })
      .join("; ");
  }

  /** A running hash of all messages: equal seeds give equal runs. */
  #note(message: Message): void {
    const text = `${message.kind}${message.from}${message.to}${message.term}`;
    for (let i = 0; i < text.length; i++) {
      this.#trace = (Math.imul(this.#trace, 31) + text.charCodeAt(i)) | 0;
    }
  }
}
