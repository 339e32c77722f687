import type { Clock, Timer } from "../clock.ts";

/** The system's clocks and timers. */
export class BunClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle) };
  }

  soon(fire: () => void): void {
    setImmediate(fire);
  }
}
