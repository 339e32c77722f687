// Whole clusters under random faults, every step checked (testing/invariants.ts). A failure names
// its seed; RAFT_SEED=n runs that one, RAFT_SEEDS=n runs more, RAFT_STEPS=n longer ones.

import { expect, test } from "bun:test";
import { RandomCluster } from "./testing/random-cluster.ts";

const setting = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const firstSeed = setting("RAFT_SEED", 1);
const seedCount = process.env.RAFT_SEED === undefined ? setting("RAFT_SEEDS", 150) : 1;
const steps = setting("RAFT_STEPS", 20_000);

test(`${seedCount} random clusters keep every promise, and agree once the faults end`, () => {
  let [committed, reads, elections] = [0, 0, 0];
  for (let seed = firstSeed; seed < firstSeed + seedCount; seed++) {
    try {
      const result = new RandomCluster(seed).run(steps);
      committed += result.committed;
      reads += result.reads;
      elections += result.elections;
    } catch (error) {
      throw new Error(`seed ${seed} (RAFT_SEED=${seed} RAFT_STEPS=${steps}): ${error}`, {
        cause: error,
      });
    }
  }
  console.log(
    `seeds ${firstSeed}..${firstSeed + seedCount - 1}: ` +
      `${committed} entries, ${reads} reads, ${elections} elections`,
  );
  expect(committed).toBeGreaterThan(seedCount * 10);
}, 600_000);

test("equal seeds give equal runs", () => {
  const [first, second] = [1, 2].map(() => new RandomCluster(4711).run(3000));
  expect(second!).toEqual(first!);
});
