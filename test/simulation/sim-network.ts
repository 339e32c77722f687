/**
 * The network between members: per directed link a delay, loss, repetition and reordering, slowness, cuts
 * of one direction or both. Harsher than the streams of the real transport, which lose only when a connection
 * breaks and never reorder: raft must not need more.
 */
import type { Message } from "../../src/raft/index.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type { SimTransport } from "./sim-transport.ts";
import type { SimWorld } from "./sim-world.ts";

export interface LinkQuality {
  delayMsMin: number;
  /** On top of the least; exponential around this. */
  delayMsMean: number;
  loss: number;
  duplication: number;
  reordering: number;
}

export const GOOD_LINK: LinkQuality = {
  delayMsMin: 0.2,
  delayMsMean: 1,
  loss: 0,
  duplication: 0,
  reordering: 0,
};

const DELAY_MS_MAX = 5000;

interface Link {
  quality: LinkQuality;
  isCut: boolean;
  lastArrivalMs: number;
}

export class SimNetwork {
  readonly world: SimWorld;
  readonly #random: SeededRandom;
  readonly #links = new Map<string, Link>();
  /** Who can be reached, by member id. */
  readonly #endpoints = new Map<bigint, SimTransport>();
  /** Since when pairs have been connected, by both names. */
  readonly #connectedSince = new Map<string, number>();
  readonly counts = { sent: 0, lost: 0, repeated: 0, snapshots: 0 };
  quality: LinkQuality = GOOD_LINK;

  constructor(world: SimWorld) {
    this.world = world;
    this.#random = world.random("network");
  }

  attach(endpoint: SimTransport): void {
    this.#endpoints.set(endpoint.memberId, endpoint);
    this.#connectionsChanged();
  }

  detach(endpoint: SimTransport): void {
    if (this.#endpoints.get(endpoint.memberId) !== endpoint) return;
    this.#endpoints.delete(endpoint.memberId);
    this.#connectionsChanged();
  }

  endpoint(member: bigint): SimTransport | undefined {
    return this.#endpoints.get(member);
  }

  cut(from: string, to: string): void {
    this.#link(from, to).isCut = true;
    this.#connectionsChanged();
  }

  /** All links are whole and as good as the network is. */
  heal(quality: LinkQuality = this.quality): void {
    this.quality = quality;
    for (const link of this.#links.values()) {
      link.isCut = false;
      link.quality = quality;
    }
    this.#connectionsChanged();
  }

  degrade(from: string, to: string, quality: LinkQuality): void {
    this.#link(from, to).quality = quality;
  }

  /** World time since when both directions have been open; NaN while they are not. */
  connectedSinceMs(a: SimTransport, b: SimTransport): number {
    return this.#connectedSince.get(pairOf(a.name, b.name)) ?? Number.NaN;
  }

  isConnected(a: SimTransport, b: SimTransport): boolean {
    return !Number.isNaN(this.connectedSinceMs(a, b));
  }

  /** How long something takes; null when it is lost. */
  delayMs(from: string, to: string): number | null {
    const link = this.#link(from, to);
    if (link.isCut || this.#random.chance(link.quality.loss)) return null;
    const { delayMsMin, delayMsMean } = link.quality;
    return Math.min(delayMsMin - delayMsMean * Math.log(1 - this.#random.next()), DELAY_MS_MAX);
  }

  /** Messages of one turn to one member. */
  carry(from: SimTransport, to: SimTransport, messages: readonly Message[]): void {
    const { counts, world } = this;
    counts.sent += messages.length;
    const link = this.#link(from.name, to.name);
    const delayMs = this.delayMs(from.name, to.name);
    if (delayMs === null) {
      counts.lost += messages.length;
      world.note(`net ${from.name}>${to.name} lost ${textOf(messages)}`);
      return;
    }
    let arrivalMs = world.nowMs + delayMs;
    if (this.#random.chance(link.quality.reordering)) arrivalMs += delayMs;
    else arrivalMs = Math.max(arrivalMs, link.lastArrivalMs);
    link.lastArrivalMs = Math.max(link.lastArrivalMs, arrivalMs);
    to.process.input(arrivalMs - world.nowMs, () => to.arrive(from, messages));
    if (!this.#random.chance(link.quality.duplication)) return;
    // A proposal that came twice would be applied twice: it is the one message that must not be repeated, and
    // a stream never does. All others raft takes any number of times.
    const repeatable = messages.filter(({ kind }) => kind !== "propose");
    if (repeatable.length === 0) return;
    counts.repeated += repeatable.length;
    const againMs = arrivalMs - world.nowMs + delayMs * this.#random.next() * 10;
    to.process.input(againMs, () => to.arrive(from, repeatable));
  }

  #link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = { quality: this.quality, isCut: false, lastArrivalMs: 0 };
      this.#links.set(key, link);
    }
    return link;
  }

  #connectionsChanged(): void {
    const endpoints = [...this.#endpoints.values()];
    const connected = new Set<string>();
    for (const a of endpoints) {
      for (const b of endpoints) {
        if (a.name >= b.name) continue;
        if (!this.#link(a.name, b.name).isCut && !this.#link(b.name, a.name).isCut) {
          connected.add(pairOf(a.name, b.name));
        }
      }
    }
    for (const pair of [...this.#connectedSince.keys()]) {
      if (connected.has(pair)) continue;
      this.#connectedSince.delete(pair);
      for (const a of endpoints)
        for (const b of endpoints) {
          if (a !== b && pairOf(a.name, b.name) === pair) a.connectionBroke(b.memberId);
        }
    }
    for (const pair of connected) {
      if (!this.#connectedSince.has(pair)) this.#connectedSince.set(pair, this.world.nowMs);
    }
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`;
}

export function textOf(messages: readonly Message[]): string {
  let text = "";
  for (const message of messages) {
    text += ` ${message.kind}@${message.term}`;
    if (message.kind === "append") text += `:${message.previousIndex}+${message.entries.length}`;
    else if ("index" in message) text += `:${message.index}`;
  }
  return text;
}
