// Time that a stopped process missed.
import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { Ticker } from "./ticker.ts";

const HOUR_MS = 3_600_000;

function started(everyTick: boolean) {
  const clock = new SimClock();
  const counts = { ticks: 0, late: 0 };
  const ticker = new Ticker({
    ...{ clock, intervalMs: 100, everyTick },
    tick: () => counts.ticks++,
    late: () => counts.late++,
    mayRest: () => false,
  });
  ticker.wake();
  return { clock, ticker, counts };
}

test("Ticker: reads by a lease get every tick that was missed, others two", () => {
  for (const [everyTick, expected] of [
    [true, 40],
    [false, 2],
  ] as const) {
    const { clock, ticker, counts } = started(everyTick);
    clock.stand(4050);
    ticker.catchUp();
    expect(counts).toEqual({ ticks: expected, late: 1 });
    clock.stand(40);
    ticker.catchUp();
    clock.stand(20);
    ticker.catchUp();
    expect(counts.ticks).toBe(expected + 1);
  }
});

test("Ticker: a month's ticks are not made up for, only more than any election takes", () => {
  const { clock, ticker, counts } = started(true);
  clock.stand(24 * 31 * HOUR_MS);
  ticker.catchUp();
  expect(counts.ticks).toBe(100_000);
  clock.stand(100);
  ticker.catchUp();
  expect(counts.ticks).toBe(100_001);
});
