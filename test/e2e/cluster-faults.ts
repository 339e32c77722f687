// Clusters of real processes under faults, round after round, checked by the simulator's checkers.
//
//   bun test/e2e/cluster-faults.ts [--minutes 10] [--seed N] [--kind cairn|etcd | --binary PATH] [--round-seconds 45]
//       [--fault NAME]... [--size 3] [--election-ms 500] [--clients 8] [--pause-ms 25] [--preload-megabytes 0]
//       [--flag=FLAG]... [--verbose]
//
// Every round has its own cluster and the seed after that of the round before. --fault runs only these, in order.
// cluster-faults.test.ts runs a short fixed one in every test run.

import { parseArgs } from "node:util";
import { faultRound, type RoundResult, snapshotFlags } from "../cluster/fault-round.ts";
import { type FaultName, faultNames } from "../cluster/faults.ts";
import { type MemberKind, serverCommand } from "../reference-etcd.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    kind: { type: "string", default: "cairn" },
    binary: { type: "string" },
    "round-seconds": { type: "string", default: "45" },
    fault: { type: "string", multiple: true, default: [] },
    size: { type: "string", default: "3" },
    "election-ms": { type: "string", default: "500" },
    flag: { type: "string", multiple: true, default: [] },
    clients: { type: "string", default: "8" },
    "pause-ms": { type: "string", default: "25" },
    "preload-megabytes": { type: "string", default: "0" },
    verbose: { type: "boolean", default: false },
  },
});

const command = values.binary ? [values.binary] : serverCommand(values.kind as MemberKind);
const flags = [...snapshotFlags(values.kind as MemberKind), ...values.flag];
const asked = values.fault as FaultName[];
for (const name of asked) {
  if (!faultNames.includes(name)) throw new Error(`no fault "${name}": ${faultNames.join(", ")}`);
}
const say = (line: string) => console.log(line);
const totals = { rounds: 0, operations: 0, writes: 0, unknown: 0, events: 0, violations: 0 };
const faultCounts = new Map<string, number>();
const errorCounts = new Map<string, number>();
const endMs = performance.now() + Number(values.minutes) * 60_000;

for (let seed = Number(values.seed); performance.now() < endMs; seed++) {
  const startMs = performance.now();
  const result = await faultRound({
    command,
    seed,
    faults: asked.length > 0 ? asked : { seconds: Number(values["round-seconds"]) },
    size: Number(values.size),
    electionMs: Number(values["election-ms"]),
    clients: Number(values.clients),
    pauseMs: Number(values["pause-ms"]),
    preloadMegabytes: Number(values["preload-megabytes"]),
    flags,
    log: values.verbose ? (line) => say(`  ${line}`) : undefined,
  });
  add(result);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const { operations, unknown, lastRevision, violations } = result;
  const count = [...result.faults.values()].reduce((sum, each) => sum + each, 0);
  say(
    `seed ${seed}: ${seconds} s, ${operations} operations (${unknown} unknown), ` +
      `revision ${lastRevision}, ${count} faults, ${violations.length} violations`,
  );
  for (const { rule, message } of violations.slice(0, 5)) say(`  ${rule}: ${message}`);
  if (result.kept !== null) say(`  the members' files are kept: ${result.kept}`);
  if (totals.violations > 0) break;
}
say(
  `${totals.rounds} rounds, ${totals.operations} operations, ${totals.writes} writes acknowledged, ` +
    `${totals.unknown} answers lost, ${totals.events} watch events, ${totals.violations} violations`,
);
for (const [name, count] of sorted(faultCounts)) say(`  ${count} x ${name}`);
say("errors that clients saw:");
for (const [name, count] of sorted(errorCounts).slice(0, 25)) say(`  ${count} x ${name}`);
process.exit(totals.violations === 0 ? 0 : 1);

function add(result: RoundResult): void {
  totals.rounds++;
  totals.operations += result.operations;
  totals.writes += result.acknowledgedWrites;
  totals.unknown += result.unknown;
  totals.events += result.watchEvents;
  totals.violations += result.violations.length;
  for (const [name, count] of result.faults)
    faultCounts.set(name, (faultCounts.get(name) ?? 0) + count);
  for (const [name, count] of result.errors)
    errorCounts.set(name, (errorCounts.get(name) ?? 0) + count);
}

function sorted(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1]);
}
