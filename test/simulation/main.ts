// The simulator from the command line:
//   bun test/simulation/main.ts --seeds 1000 --seed 1 [--focus leases] [--trace file]
// Prints a line of progress now and then; after a violation the seed, what was violated and the last part of
// the trace, and ends with 1.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type RunResult, runSeed } from "./sim-run.ts";

const REPORT_MS = 5000;
const SEEDS_PER_COLLECTION = 20;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    focus: { type: "string" },
    trace: { type: "string" },
    /** Every member keeps its whole log. */
    wholeLogs: { type: "boolean", default: false },
    lines: { type: "string", default: "60" },
    keepGoing: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});

const totals = {
  seeds: 0,
  virtualMs: 0,
  events: 0,
  requests: 0,
  unknown: 0,
  watchResponses: 0,
  snapshots: 0,
  violations: 0,
  faults: new Map<string, number>(),
};

function add(result: RunResult): void {
  totals.seeds++;
  totals.virtualMs += result.virtualMs;
  totals.events += result.events;
  totals.requests += result.requests.ok;
  totals.unknown += result.requests.unknown;
  totals.watchResponses += result.watchResponses;
  totals.snapshots += result.snapshots;
  for (const [kind, count] of [...result.faults, ...result.ends]) {
    totals.faults.set(kind, (totals.faults.get(kind) ?? 0) + count);
  }
}

function report(startMs: number): void {
  const seconds = (performance.now() - startMs) / 1000;
  const faults = [...totals.faults].map(([kind, count]) => `${kind} ${count}`).join(", ");
  console.log(
    `${totals.seeds} seeds, ${(totals.virtualMs / 3_600_000).toFixed(2)} virtual hours, ` +
      `${totals.requests} requests answered (${totals.unknown} unknown), ` +
      `${totals.watchResponses} watch responses, ${totals.snapshots} snapshots, ` +
      `${totals.violations} violations; ${(totals.seeds / seconds).toFixed(1)} seeds/s; ${faults}`,
  );
}

function complain(result: RunResult, lines: number): void {
  console.log(`\nVIOLATION at seed ${result.seed} (${result.profile.name})`);
  console.log(result.lastLines.slice(-lines).join("\n"));
  for (const { rule, message } of result.violations.slice(0, 8)) {
    console.log(`seed ${result.seed}: ${rule}: ${message.slice(0, 3000)}`);
  }
}

function main(): void {
  const first = Number(values.seed);
  const count = Number(values.seeds);
  const startMs = performance.now();
  let reportedMs = startMs;
  const trace: string[] = [];
  const traceSink = values.trace === undefined ? undefined : (line: string) => trace.push(line);
  const focus = values.focus === undefined ? {} : { focus: values.focus };
  const settings = values.wholeLogs ? { settings: { catchupEntries: 1_000_000 } } : {};
  for (let seed = first; seed < first + count; seed++) {
    const seedMs = performance.now();
    const result = runSeed({
      seed,
      ...focus,
      ...settings,
      ...(traceSink === undefined ? {} : { traceSink }),
    });
    add(result);
    // Disks are many small buffers, of which the collector knows too little to come by itself in time.
    if (totals.seeds % SEEDS_PER_COLLECTION === 0) Bun.gc(true);
    if (values.verbose) {
      const tookMs = (performance.now() - seedMs).toFixed(0);
      console.log(
        seed,
        result.profile.name,
        result.profile.size,
        `${tookMs} ms`,
        result.events,
        result.requests,
        result.traceHash,
      );
    }
    if (result.violations.length > 0) {
      totals.violations += result.violations.length;
      complain(result, Number(values.lines));
      process.exitCode = 1;
      if (!values.keepGoing) break;
    }
    if (performance.now() - reportedMs > REPORT_MS) {
      reportedMs = performance.now();
      report(startMs);
    }
  }
  report(startMs);
  if (values.trace !== undefined) writeFileSync(values.trace, trace.join("\n"));
}

main();
