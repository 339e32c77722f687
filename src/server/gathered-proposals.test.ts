import { expect, test } from "bun:test";
import { SimClock } from "../../test/simulation/sim-clock.ts";
import { GatheredProposals } from "./gathered-proposals.ts";

const DATA = new Uint8Array(10);

function setup() {
  const clock = new SimClock();
  const flushed: number[] = [];
  const gathered = new GatheredProposals(clock, (proposals) => flushed.push(proposals.length));
  const add = (count: number) => {
    for (let i = 0; i < count; i++) gathered.add(0, DATA);
  };
  const turn = () => clock.runNext(clock.monotonicMs());
  return { clock, flushed, gathered, add, turn };
}

test("GatheredProposals: waiting is worth it only while batches are large", () => {
  const { gathered } = setup();
  expect(gathered.isWorthIt()).toBe(false);
  gathered.noteBatch(64);
  expect(gathered.isWorthIt()).toBe(true);
  // A few small ones in between are no change yet.
  gathered.noteBatch(1);
  gathered.noteBatch(1);
  expect(gathered.isWorthIt()).toBe(true);
  for (let i = 0; i < 4; i++) gathered.noteBatch(1);
  expect(gathered.isWorthIt()).toBe(false);
});

test("GatheredProposals waits while each turn brings more, and no longer", () => {
  const { flushed, gathered, add, turn } = setup();
  gathered.noteBatch(64);
  add(4);
  turn();
  add(3);
  turn();
  expect(flushed).toEqual([]);
  expect(gathered.bytes).toBe(70);
  turn();
  expect(flushed).toEqual([7]);
  expect(gathered.bytes).toBe(0);
  expect(turn()).toBe(false);
});

test("GatheredProposals does not wait for more than usual, nor for ever", () => {
  const { flushed, gathered, add, turn } = setup();
  gathered.noteBatch(8);
  add(8);
  turn();
  expect(flushed).toEqual([8]);
  gathered.noteBatch(1000);
  for (let i = 0; i < 16; i++) {
    add(1);
    turn();
  }
  expect(flushed).toEqual([8, 16]);
});

test("GatheredProposals forgets what it holds when it is told to", () => {
  const { flushed, gathered, add, turn } = setup();
  gathered.noteBatch(8);
  add(2);
  gathered.clear();
  while (turn());
  expect(flushed).toEqual([]);
});
