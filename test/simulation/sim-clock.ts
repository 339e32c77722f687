/** Virtual time: nothing happens but what the test runs. Events at one time run in the order they were made. */
import type { Clock, Timer } from "../../src/io/index.ts";

interface Scheduled {
  readonly atMs: number;
  readonly order: number;
  readonly fire: () => void;
  cancelled: boolean;
}

export class SimClock implements Clock {
  #nowMs = 1000;
  #order = 0;
  #events: Scheduled[] = [];

  /** Every look takes a microsecond, or slices that end by the clock would never end. */
  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const event = { atMs: this.#nowMs + delayMs, order: this.#order++, fire, cancelled: false };
    this.#events.push(event);
    return {
      cancel: () => {
        event.cancelled = true;
      },
    };
  }

  soon(fire: () => void): void {
    this.setTimer(0, fire);
  }

  /** Runs the next event, moving time to it; false when there is none before `untilMs`. */
  runNext(untilMs: number): boolean {
    this.#events = this.#events.filter((event) => !event.cancelled);
    let next: Scheduled | undefined;
    for (const event of this.#events) {
      if (next === undefined || isBefore(event, next)) next = event;
    }
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#events.splice(this.#events.indexOf(next), 1);
    this.#nowMs = Math.max(this.#nowMs, next.atMs);
    next.fire();
    return true;
  }

  /** Time goes on while the process is stopped; what is due meanwhile runs late. */
  stand(ms: number): void {
    this.#nowMs += ms;
  }

  /** The process died: none of its timers fires any more. */
  forgetAll(): void {
    this.#events = [];
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
