/** The simulated PeerTransport of one life of one member. */
import {
  type LeaseSettings,
  leaseObstacle,
  NEVER_MET,
  type PeerAddress,
  type PeerAnswer,
  type PeerEvents,
  type PeerTransport,
  type SnapshotMessage,
  type SnapshotSource,
} from "../../src/peer/index.ts";
import type { Message } from "../../src/raft/index.ts";
import { type SimNetwork, textOf } from "./sim-network.ts";
import type { SimProcess } from "./sim-process.ts";
import { SnapshotSending } from "./snapshot-sending.ts";

/** Unreachable peers are reported at most so often. */
const UNREACHABLE_INTERVAL_MS = 100;

export class SimTransport implements PeerTransport {
  readonly process: SimProcess;
  readonly network: SimNetwork;
  /** Known once the member read it from its disk or made it. */
  memberId = 0n;
  /** Of the member's options; set with its id. */
  leaseSettings: LeaseSettings | null = null;
  readonly life: number;
  /** A snapshot arrived whole, and raft took it. */
  onSnapshotTaken: () => void = () => {};
  readonly #oracles: { sent(name: string, messages: readonly Message[]): void };
  #events: PeerEvents | null = null;
  #peers = new Set<bigint>();
  /** Who dialed and is no peer yet: a member that this one has not heard of. It can be answered. */
  readonly #learned = new Set<bigint>();
  #removed = new Set<bigint>();
  /** By what each member said when it was last met. */
  readonly #leaseObstacles = new Map<bigint, string | null>();
  readonly #reportedMs = new Map<bigint, number>();

  constructor(
    process: SimProcess,
    network: SimNetwork,
    oracles: { sent(name: string, messages: readonly Message[]): void },
  ) {
    this.process = process;
    this.network = network;
    this.#oracles = oracles;
    this.life = process.life;
  }

  get name(): string {
    return this.process.name;
  }

  get isUp(): boolean {
    return this.#events !== null && this.life === this.process.life;
  }

  get events(): PeerEvents | null {
    return this.isUp ? this.#events : null;
  }

  start(events: PeerEvents): void {
    this.#events = events;
    this.network.attach(this);
  }

  setPeers(peers: readonly PeerAddress[]): void {
    this.#peers = new Set(peers.map(({ id }) => id));
  }

  setRemoved(members: readonly bigint[]): void {
    this.#removed = new Set(members);
  }

  send(messages: readonly Message[]): void {
    this.#oracles.sent(this.name, messages);
    const byReceiver = new Map<bigint, Message[]>();
    for (const message of messages) {
      // Snapshots travel by themselves.
      if (message.kind === "snapshot") continue;
      const list = byReceiver.get(message.to);
      if (list === undefined) byReceiver.set(message.to, [message]);
      else list.push(message);
    }
    for (const [to, list] of byReceiver) {
      if (!this.#knows(to)) continue;
      const receiver = this.network.endpoint(to);
      if (receiver === undefined || !this.network.isConnected(this, receiver)) this.#report(to);
      // A cut of one direction leaves the other open.
      if (receiver !== undefined) this.network.carry(this, receiver, list);
    }
  }

  /** Messages came: refused when they come from a member that was removed. */
  arrive(from: SimTransport, messages: readonly Message[]): void {
    const { events } = this;
    if (events === null) return;
    if (this.#removed.has(from.memberId)) {
      from.process.input(1, () => from.events?.removed());
      return;
    }
    this.#learned.add(from.memberId);
    this.process.world.note(`msg ${from.name}>${this.name}${textOf(messages)}`);
    events.receive(messages);
  }

  connectionBroke(member: bigint): void {
    this.#learned.delete(member);
    if (this.#peers.has(member)) this.#report(member);
  }

  #knows(member: bigint): boolean {
    return this.#peers.has(member) || this.#learned.has(member);
  }

  sendSnapshot(
    message: SnapshotMessage,
    source: SnapshotSource,
    done: (arrived: boolean) => void,
  ): void {
    this.network.counts.snapshots++;
    new SnapshotSending(this, message, source, done).start();
  }

  request(
    to: bigint,
    name: string,
    body: Uint8Array,
    timeoutMs: number,
    done: (answer: PeerAnswer | null) => void,
  ): void {
    const { network, process } = this;
    let isDone = false;
    const finish = (answer: PeerAnswer | null) => {
      if (isDone || !this.isUp) return;
      isDone = true;
      timer.cancel();
      done(answer);
    };
    const timer = process.setTimer(timeoutMs, () => finish(null));
    const receiver = network.endpoint(to);
    const delayMs = receiver === undefined ? null : network.delayMs(this.name, receiver.name);
    if (receiver === undefined || !network.isConnected(this, receiver)) {
      process.soon(() => finish(null));
      return;
    }
    if (delayMs === null) return;
    const copy = body.slice();
    receiver.process.input(delayMs, () => {
      receiver.events?.request(this.memberId, name, copy, (answer) => {
        const backMs = network.delayMs(receiver.name, this.name);
        if (backMs !== null) process.input(backMs, () => finish(answer));
      });
    });
  }

  activeSinceMs(member: bigint): number {
    const peer = this.network.endpoint(member);
    if (peer === undefined || !this.#knows(member)) return Number.NaN;
    const sinceMs = this.network.connectedSinceMs(this, peer);
    return this.process.monotonicMs() - (this.process.world.nowMs - sinceMs);
  }

  roundTripMs(member: bigint): number {
    return Number.isNaN(this.activeSinceMs(member)) ? Number.NaN : 1;
  }

  leaseObstacle(member: bigint): string | null {
    const peer = this.network.endpoint(member);
    const own = this.leaseSettings;
    if (own !== null && peer !== undefined && this.network.isConnected(this, peer)) {
      this.#leaseObstacles.set(member, leaseObstacle(own, peer.leaseSettings));
    }
    const known = this.#leaseObstacles.get(member);
    return known === undefined ? NEVER_MET : known;
  }

  stop(): void {
    this.network.detach(this);
    this.#events = null;
  }

  #report(member: bigint): void {
    const { nowMs } = this.process.world;
    const reportedMs = this.#reportedMs.get(member) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - reportedMs < UNREACHABLE_INTERVAL_MS) return;
    this.#reportedMs.set(member, nowMs);
    if (this.isUp) this.process.input(1, () => this.events?.unreachable(member));
  }
}
