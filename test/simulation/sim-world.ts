/**
 * One world of a run: virtual time, the events to come, chance and the trace. Everything follows from the
 * seed; real time never enters. Chance is drawn from streams by name, so that one concern that draws more
 * does not change what the others see.
 */
import { SeededRandom } from "../disk/seeded-random.ts";
import { EventHeap, type EventKind, type SimEvent } from "./event-heap.ts";
import type { SimProcess } from "./sim-process.ts";
import { Trace } from "./trace.ts";

export class SimWorld {
  readonly seed: number;
  readonly trace: Trace;
  nowMs = 0;
  eventCount = 0;
  readonly #heap = new EventHeap();
  readonly #randoms = new Map<string, SeededRandom>();
  #order = 0;

  constructor(seed: number, traceSink: ((line: string) => void) | null = null) {
    this.seed = seed;
    this.trace = new Trace(traceSink);
  }

  random(name: string): SeededRandom {
    let random = this.#randoms.get(name);
    if (random === undefined) {
      random = new SeededRandom(mix(this.seed, name));
      this.#randoms.set(name, random);
    }
    return random;
  }

  /** Happens in the world itself: to clients, the network, the hand that breaks things. */
  after(delayMs: number, fire: () => void): SimEvent {
    return this.#add(delayMs, fire, null, 0, "input");
  }

  /** Happens to a process, if it lives by then in the same life. */
  post(process: SimProcess, delayMs: number, kind: EventKind, fire: () => void): SimEvent {
    return this.#add(delayMs, fire, process, process.life, kind);
  }

  note(text: string): void {
    this.trace.add(this.nowMs, text);
  }

  /** Runs events up to that time, or until `isDone` says so; whether it did. */
  runUntil(untilMs: number, isDone: () => boolean = () => false): boolean {
    for (;;) {
      if (isDone()) return true;
      const next = this.#heap.peek();
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return isDone();
      }
      this.#heap.pop();
      if (next.isCancelled) continue;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      this.eventCount++;
      if (next.process === null) next.fire();
      else next.process.run(next);
    }
  }

  #add(
    delayMs: number,
    fire: () => void,
    process: SimProcess | null,
    life: number,
    kind: EventKind,
  ): SimEvent {
    const atMs = this.nowMs + Math.max(0, delayMs);
    const order = this.#order++;
    const event: SimEvent = { atMs, order, fire, process, life, kind, isCancelled: false };
    this.#heap.push(event);
    return event;
  }
}

function mix(seed: number, name: string): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
}
