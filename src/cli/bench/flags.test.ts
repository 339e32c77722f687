import { expect, test } from "bun:test";
import { type Command, ExitError, FlagSet } from "../args/index.ts";
import type { BenchContext } from "./context.ts";
import { putCommand, rangeCommand, txnCommand } from "./load-commands.ts";
import { keyChoice, loadPlan } from "./load-flags.ts";
import { watchLatencyCommand } from "./watch-latency-command.ts";

function parsed(command: Command<BenchContext>, ...args: string[]): FlagSet {
  const flags = new FlagSet(command.flags!);
  expect(flags.parse(args)).toBeNull();
  return flags;
}

test("without flags a run is that of etcd's tool: 10000 requests by one client", () => {
  const flags = parsed(putCommand);
  expect(loadPlan(flags)).toEqual({
    clients: 1,
    connections: 1,
    total: 10_000,
    durationMs: Number.POSITIVE_INFINITY,
    ratePerSecond: 0,
  });
  expect(keyChoice(flags, Math.random)).toMatchObject({ keyBytes: 8, keySpaceSize: 1 });
});

test("time replaces the number of requests, unless both are given", () => {
  const timed = loadPlan(parsed(putCommand, "--duration", "1m30s"));
  expect([timed.total, timed.durationMs]).toEqual([Number.POSITIVE_INFINITY, 90_000]);
  const both = loadPlan(parsed(putCommand, "--duration", "1s", "--total", "5"));
  expect([both.total, both.durationMs]).toEqual([5, 1000]);
});

test("numbers out of bounds are refused, with the flag's name", () => {
  const wrong = [
    ["--clients", "0"],
    ["--clients", "1000000"],
    ["--conns", "2"],
    ["--total", "0"],
    ["--rate", "-1"],
    ["--duration", "-1s"],
  ];
  for (const args of wrong) {
    expect(() => loadPlan(parsed(putCommand, ...args))).toThrow(args[0]!);
  }
});

test("a key space must fit into its keys", () => {
  const flags = (...args: string[]) => parsed(putCommand, ...args);
  const fits = flags("--key-size", "2", "--key-space-size", "100");
  expect(keyChoice(fits, Math.random).keySpaceSize).toBe(100);
  const tooMany = flags("--key-size", "2", "--key-space-size", "101");
  expect(() => keyChoice(tooMany, Math.random)).toThrow(ExitError);
});

const refused: [string, Command<BenchContext>, string[]][] = [
  ["a word after put", putCommand, ["word"]],
  ["more operations than keys", txnCommand, ["--txn-ops", "2"]],
  ["an unknown consistency", rangeCommand, ["--consistency", "x"]],
  ["three words for range", rangeCommand, ["a", "b", "c"]],
  ["an empty key", rangeCommand, [""]],
  ["a value too short for a number", watchLatencyCommand, ["--val-size", "7"]],
  ["no streams", watchLatencyCommand, ["--streams", "0"]],
  ["no endpoint", putCommand, ["--endpoints", ""]],
  ["an endpoint without sense", putCommand, ["--endpoints", "a:b:c"]],
  ["a certificate without key", putCommand, ["--cert", "c.pem"]],
];

for (const [what, command, args] of refused) {
  test(`${what} is refused before anything is sent`, () => {
    const context = { style: "ascii" } as BenchContext;
    expect(command.run!(context, parsed(command, ...args))).rejects.toThrow(ExitError);
  });
}
