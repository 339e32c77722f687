// Whole clusters on a fixed set of seeds, and the simulator itself: the same seed is the same run, to the byte.
// Many more seeds: npm run sim -- --seeds 10000
import { expect, test } from "bun:test";
import { runSeed } from "./sim-run.ts";

const FIRST = Number(process.env.CAIRN_SIM_SEED ?? 1);
const COUNT = Number(process.env.CAIRN_SIM_SEEDS ?? 30);

test("a seed is one run: twice the same trace, line by line", () => {
  const runs = [1, 2].map(() => {
    const lines: string[] = [];
    const result = runSeed({ seed: 4711, focus: "swarm", traceSink: (line) => lines.push(line) });
    return { lines, hash: result.traceHash, requests: result.requests, events: result.events };
  });
  expect(runs[0]!.lines.length).toBeGreaterThan(500);
  expect(runs[1]!.hash).toBe(runs[0]!.hash);
  expect(runs[1]!.lines).toEqual(runs[0]!.lines);
  expect(runs[1]!.events).toBe(runs[0]!.events);
  expect(runs[1]!.requests).toEqual(runs[0]!.requests);
});

test(`clusters keep their promises (seeds ${FIRST}..${FIRST + COUNT - 1})`, () => {
  let answered = 0;
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    const { violations, requests, lastLines } = runSeed({ seed });
    answered += requests.ok;
    if (violations.length === 0) continue;
    const [{ rule, message }] = violations as [{ rule: string; message: string }];
    throw new Error(`seed ${seed}: ${rule}: ${message}\n${lastLines.slice(-40).join("\n")}`);
  }
  // The runs did something.
  expect(answered).toBeGreaterThan(COUNT * 30);
}, 120_000);
