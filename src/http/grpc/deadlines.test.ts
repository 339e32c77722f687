import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Clock, Timer } from "../../io/index.ts";
import { type DeadlineEntry, Deadlines } from "./deadlines.ts";

/** Time that moves only when told to, with timers that fire on the way. */
class ManualClock implements Clock {
  nowMs = 12_345.5;
  readonly timers = new Set<{ atMs: number; fire: () => void }>();

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return this.nowMs;
  }

  soon(): void {}

  setTimer(delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, fire };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  advance(byMs: number): void {
    const endMs = this.nowMs + byMs;
    for (;;) {
      const due = [...this.timers].filter(({ atMs }) => atMs <= endMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fire();
    }
    this.nowMs = endMs;
  }
}

const LATE_MS_MAX = 12;

test("every deadline fires once, never early, at most a slot late; removed ones never", () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: -5, max: 40_000 }) }),
    fc.record({ remove: fc.nat(50) }),
    fc.record({ advance: fc.integer({ min: 0, max: 30_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new ManualClock();
      const deadlines = new Deadlines(clock);
      const entries: (DeadlineEntry & { fired: number; dueMs: number; removed: boolean })[] = [];
      for (const action of steps) {
        if ("add" in action) {
          const deadlineMs = clock.nowMs + action.add;
          const entry = {
            deadlineMs,
            dueMs: Math.max(deadlineMs, clock.nowMs),
            fired: 0,
            removed: false,
            nextEntry: null,
            previousEntry: null,
            slot: -1,
            onDeadline() {
              entry.fired++;
              expect(entry.removed).toBe(false);
              expect(clock.nowMs).toBeGreaterThanOrEqual(entry.deadlineMs);
              expect(clock.nowMs).toBeLessThanOrEqual(entry.dueMs + LATE_MS_MAX);
            },
          };
          entries.push(entry);
          deadlines.add(entry);
        } else if ("remove" in action) {
          const entry = entries[action.remove];
          if (entry === undefined || entry.fired > 0) continue;
          deadlines.remove(entry);
          entry.removed = true;
        } else {
          clock.advance(action.advance);
        }
      }
      clock.advance(60_000);
      for (const entry of entries) expect(entry.fired).toBe(entry.removed ? 0 : 1);
      expect(clock.timers.size).toBe(0);
    }),
  );
});

test("stop leaves no timer", () => {
  const clock = new ManualClock();
  const deadlines = new Deadlines(clock);
  deadlines.add({
    deadlineMs: clock.nowMs + 5,
    nextEntry: null,
    previousEntry: null,
    slot: -1,
    onDeadline() {},
  });
  deadlines.stop();
  expect(clock.timers.size).toBe(0);
});
