import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { Background, type BackgroundTask } from "./background.ts";

/** A clock on which work takes time. */
class WorkClock extends SimClock {
  #workedMs = 0;
  override monotonicMs(): number {
    return super.monotonicMs() + this.#workedMs;
  }
  work(ms: number): void {
    this.#workedMs += ms;
  }
}

function setup() {
  const clock = new WorkClock();
  const background = new Background(clock);
  const log: string[] = [];
  const task = (name: string, steps: number, stepMs: number): BackgroundTask => {
    let left = steps;
    return () => {
      clock.work(stepMs);
      log.push(name);
      return --left > 0;
    };
  };
  const turn = () => {
    log.length = 0;
    return clock.runNext(clock.monotonicMs()) ? log.join("") : null;
  };
  return { clock, background, task, turn };
}

test("Background works two milliseconds a turn, and tasks take turns", () => {
  const { background, task, turn } = setup();
  background.add(task("a", 4, 0.5));
  background.add(task("b", 6, 0.5));
  expect(turn()).toBe("abab");
  expect(turn()).toBe("abab");
  expect(turn()).toBe("bb");
  expect(turn()).toBeNull();
});

test("Background always gets something done, also when a step is longer than a turn", () => {
  const { background, task, turn } = setup();
  background.add(task("a", 2, 50));
  background.add(task("b", 1, 50));
  expect(turn()).toBe("a");
  expect(turn()).toBe("b");
  expect(turn()).toBe("a");
  expect(turn()).toBeNull();
});

test("Background lets whatever arrived meanwhile go first", () => {
  const { clock, background, task, turn } = setup();
  background.add(task("a", 10, 1));
  expect(turn()).toBe("aa");
  let arrived = 0;
  clock.soon(() => arrived++);
  turn();
  turn();
  expect(arrived).toBe(1);
});

test("Background runs a task added twice once at a time, and one that adds itself again", () => {
  const { background, turn } = setup();
  let runs = 0;
  const task = () => ++runs < 3;
  background.add(task);
  background.add(task);
  turn();
  expect(runs).toBe(3);
  background.add(task);
  turn();
  expect(runs).toBe(4);
});

test("Background does nothing after a stop", () => {
  const { background, task, turn } = setup();
  background.add(task("a", 5, 3));
  turn();
  background.stop();
  expect(turn()).toBe("");
  background.add(task("b", 1, 1));
  expect(turn()).toBeNull();
});
