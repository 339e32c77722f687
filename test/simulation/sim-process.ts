/**
 * One operating-system process: it has a clock of its own, which drifts, it can be stopped and go on
 * (SIGSTOP, SIGCONT), and it can end at any moment. Whatever runs in it runs through `run`, which turns
 * what a program cannot survive (the power, a failed disk, a broken assertion) into the end of the process.
 */
import type { Clock, Random, Timer } from "../../src/io/index.ts";
import { PowerCut } from "../disk/fault-disk.ts";
import type { SeededRandom } from "../disk/seeded-random.ts";
import type { SimEvent } from "./event-heap.ts";
import type { SimWorld } from "./sim-world.ts";

/** The program ends itself: thrown where it would call exit. */
export class ProcessExit extends Error {
  override name = "ProcessExit";
}

/** Looks at the clock cost this much, or loops that end by the clock would never end. */
const LOOK_MS = 0.0005;

export type ProcessEnd =
  | { readonly kind: "power" }
  | { readonly kind: "exit"; readonly reason: string }
  | { readonly kind: "broken"; readonly error: unknown };

export class SimProcess implements Clock {
  readonly name: string;
  readonly world: SimWorld;
  /** Told when the program ended by itself. */
  onEnd: (end: ProcessEnd) => void = () => {};
  /** Counts up with every end, so that events of an earlier life find nobody. */
  life = 0;
  isPaused = false;
  readonly #random: SeededRandom;
  /** Local milliseconds per millisecond of the world. */
  #rate = 1;
  #sinceWorldMs = 0;
  #sinceLocalMs: number;
  #latestMs: number;
  #wallOffsetMs = 0;
  #backlog: SimEvent[] = [];

  constructor(world: SimWorld, name: string) {
    this.world = world;
    this.name = name;
    this.#random = world.random(`process ${name}`);
    this.#sinceLocalMs = 1000 + this.#random.below(1_000_000);
    this.#latestMs = this.#sinceLocalMs;
  }

  // The clock port.

  monotonicMs(): number {
    const { nowMs } = this.world;
    const localMs = this.#sinceLocalMs + (nowMs - this.#sinceWorldMs) * this.#rate;
    this.#latestMs = Math.max(this.#latestMs + LOOK_MS, localMs);
    return this.#latestMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#wallOffsetMs + this.world.nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const event = this.world.post(this, Math.max(0, delayMs) / this.#rate, "timer", fire);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  soon(fire: () => void): void {
    this.world.post(this, 0, "input", fire);
  }

  /** How fast its clock runs from now on. Monotonic clocks drift, they never jump. */
  drift(rate: number): void {
    this.#sinceLocalMs = this.monotonicMs();
    this.#sinceWorldMs = this.world.nowMs;
    this.#rate = rate;
  }

  /** Somebody sets the clock on the wall. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  random(): Random {
    const random = this.#random;
    return {
      uint32: () => random.below(2 ** 32),
      fill: (buffer) => {
        for (let i = 0; i < buffer.length; i++) buffer[i] = random.below(256);
      },
    };
  }

  /** Something reaches the process from outside. */
  input(delayMs: number, fire: () => void): void {
    this.world.post(this, delayMs, "input", fire);
  }

  run(event: SimEvent): void {
    if (event.life !== this.life) return;
    if (this.isPaused) this.#backlog.push(event);
    else this.enter(event.fire);
  }

  /** Runs a piece of the program; false when the program ended in it. */
  enter(piece: () => void): boolean {
    try {
      piece();
      return true;
    } catch (error) {
      this.end();
      if (error instanceof PowerCut) this.onEnd({ kind: "power" });
      else if (error instanceof ProcessExit) this.onEnd({ kind: "exit", reason: error.message });
      else this.onEnd({ kind: "broken", error });
      return false;
    }
  }

  pause(): void {
    this.isPaused = true;
  }

  /** Goes on; what came meanwhile is found at once, in an order that is the event loop's choice. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    const found = this.#backlog;
    this.#backlog = [];
    const first = (["timer", "input", null] as const)[this.#random.below(3)];
    const ordered =
      first === null
        ? found
        : [
            ...found.filter((each) => each.kind === first),
            ...found.filter((each) => each.kind !== first),
          ];
    for (const event of ordered) {
      if (event.isCancelled) continue;
      const { kind, fire } = event;
      // Cancelled by what runs before it, as a timer may be.
      this.world.post(this, 0, kind, () => {
        if (!event.isCancelled) fire();
      });
    }
  }

  /** Ends at once: nothing that was to happen in it happens. */
  end(): void {
    this.life++;
    this.isPaused = false;
    this.#backlog = [];
  }
}
