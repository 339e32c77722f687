import { expect, test } from "bun:test";
import fc from "fast-check";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { errStopped } from "../api/index.ts";
import { ProposalQueue, type Waiter } from "./proposal-queue.ts";
import { newTestRandom } from "./testing/test-random.ts";

class TestWaiter implements Waiter {
  failures = 0;
  succeed(): void {}
  fail(): void {
    this.failures++;
  }
}

test("ProposalQueue does what a map from ids to waiters does, over any order and any number", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("register" as const), count: fc.nat({ max: 900 }) }),
    fc.record({ kind: fc.constant("take" as const), count: fc.nat({ max: 900 }), from: fc.nat() }),
    fc.record({ kind: fc.constant("fail" as const) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const queue = new ProposalQueue(new SimClock(), newTestRandom(), 1000);
      const model = new Map<number, TestWaiter>();
      let last = 0;
      for (const action of steps) {
        if (action.kind === "register") {
          for (let i = 0; i < action.count; i++) {
            const waiter = new TestWaiter();
            const id = queue.register(waiter);
            if (last > 0) expect(id).toBe(last + 1);
            last = id;
            model.set(id, waiter);
          }
        } else if (action.kind === "take") {
          const ids = [...model.keys()];
          for (let i = 0; i < Math.min(action.count, ids.length); i++) {
            const id = ids[(action.from + i * 7) % ids.length]!;
            expect(queue.take(id)).toBe(model.get(id));
            model.delete(id);
            expect(queue.take(id)).toBeUndefined();
          }
        } else {
          queue.failAll(errStopped);
          for (const waiter of model.values()) expect(waiter.failures).toBe(1);
          model.clear();
        }
        expect(queue.size).toBe(model.size);
      }
      for (const [id, waiter] of model) {
        expect(waiter.failures).toBe(0);
        expect(queue.take(id)).toBe(waiter);
      }
      expect(queue.take(last + 1)).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});
