import { expect, test } from "bun:test";
import { cairnExists } from "../cairn-command.ts";
import { killLoop } from "./kill-loop.ts";

const rounds = Number(process.env.CAIRN_KILL_ROUNDS ?? 6);
const seed = Number(process.env.CAIRN_KILL_SEED ?? Date.now() % 1_000_000);

test.skipIf(!cairnExists())(
  `${rounds} rounds of load and kill -9 lose nothing (CAIRN_KILL_SEED=${seed})`,
  async () => {
    const result = await killLoop({ rounds, seed, kind: "cairn", writers: 8 });
    expect(result.acknowledged).toBeGreaterThan(rounds);
  },
  60_000 + rounds * 5000,
);
