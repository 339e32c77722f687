// Verdict, plan, space and clean-up of the disk benchmark; the whole command is run in ../bench.test.ts.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BunDisk } from "../../../io/bun/index.ts";
import { ExitError, FlagSet } from "../../args/index.ts";
import { LatencyRecorder } from "../report/latency-recorder.ts";
import { diskCommand } from "./disk-command.ts";
import { diskPlan, seriesName } from "./disk-plan.ts";
import { decidingResult, histogramLines } from "./disk-report.ts";
import { parseByteSize } from "./parse-byte-size.ts";
import { runSeries, type SeriesResult } from "./run-series.ts";
import { ScratchFiles, spaceRefusal } from "./scratch-files.ts";
import { verdictOf, verdictText } from "./verdict.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "cairn-test-bench-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function flags(...args: string[]): FlagSet {
  const set = new FlagSet(diskCommand.flags!);
  expect(set.parse(args)).toBeNull();
  return set;
}

test("under 10 ms is good, over 25 ms bad, between borderline", () => {
  const verdicts = [0, 9.99, 10, 25, 25.01, 1e6].map(verdictOf);
  expect(verdicts).toEqual(["good", "good", "borderline", "borderline", "bad", "bad"]);
  expect(verdictText(31.4)).toBe(
    "Verdict: bad. The slowest 1 % of fdatasync begins at 31.40 ms, over 25 ms: this disk will not hold a member.",
  );
});

test("sizes are understood as people type them", () => {
  const sizes = ["4096", "64K", "64KiB", "1.5m", "2G", "8kb"].map(parseByteSize);
  expect(sizes).toEqual([4096, 65_536, 65_536, 1_572_864, 2_147_483_648, 8192]);
  for (const bad of ["", "-1", "x", "1T", "1.3", "64 K"]) expect(parseByteSize(bad)).toBeNull();
});

test("a plan divides its time between the series", () => {
  const plan = diskPlan(flags("--seconds", "3", "--size", "1M", "somewhere"));
  expect(plan).toMatchObject({ directory: "somewhere", fileBytes: 1_048_576, jobs: 1 });
  expect(plan.series.map(seriesName)).toEqual([
    "append 300 B + fdatasync, preallocated",
    "append 2300 B + fdatasync, preallocated",
    "append 16384 B + fdatasync, preallocated",
    "random 4096 B write + fdatasync",
    "random 4096 B read",
    "append 2300 B + fdatasync, growing",
  ]);
  expect(plan.series.map(({ durationMs }) => durationMs)).toEqual(new Array(6).fill(500));
  const one = diskPlan(flags("--block", "8K", "--jobs", "2"));
  expect(one.series.map(({ blockBytes }) => blockBytes)).toEqual([8192, 4096, 4096, 8192]);
});

test("flags that make no sense are refused", () => {
  const wrong = [
    ["a", "b"],
    ["--seconds", "0"],
    ["--seconds", "soon"],
    ["--size", "1K"],
    ["--size", "much"],
    ["--block", "0"],
    ["--block", "1M", "--size", "1M"],
    ["--jobs", "0"],
  ];
  for (const args of wrong) expect(() => diskPlan(flags(...args))).toThrow(ExitError);
});

test("half of the free space stays free", () => {
  expect(spaceRefusal(200, 100)).toBeNull();
  expect(spaceRefusal(200 * 1024 ** 2, 101 * 1024 ** 2)).toStartWith(
    "the run needs 101.0 MiB, more than half of the 200.0 MiB",
  );
});

test("every kind of series does its work on files that are gone afterwards", async () => {
  const fileBytes = 64 * 1024;
  const scratch = new ScratchFiles(new BunDisk(), directory, fileBytes);
  await scratch.make(2, () => false);
  expect(readdirSync(directory)).toHaveLength(2);
  expect(scratch.files.map((file) => file.sizeBytes())).toEqual([fileBytes, fileBytes]);
  const kinds = ["append-prepared", "page-write", "page-read", "append-growing"] as const;
  for (const kind of kinds) {
    const series = { kind, blockBytes: 4096, durationMs: 20 };
    const result = await runSeries(series, scratch.files, fileBytes, () => false);
    expect(result.operations).toBeGreaterThan(0);
    expect(result.elapsedMs).toBeGreaterThanOrEqual(19);
    expect(result.writes.count).toBe(kind === "page-read" ? 0 : result.operations);
    for (const file of scratch.files) expect(file.sizeBytes()).toBeLessThanOrEqual(fileBytes);
  }
  scratch.remove();
  scratch.remove();
  expect(readdirSync(directory)).toEqual([]);
});

test("a stopped run prepares and measures no further", async () => {
  const scratch = new ScratchFiles(new BunDisk(), directory, 1 << 30);
  await scratch.make(1, () => true);
  expect(scratch.files[0]!.sizeBytes()).toBe(0);
  const series = { kind: "append-prepared", blockBytes: 300, durationMs: 60_000 } as const;
  const result = await runSeries(series, scratch.files, 1 << 30, () => true);
  expect(result.operations).toBe(0);
  scratch.remove();
});

function resultOf(kind: SeriesResult["series"]["kind"], blockBytes: number, ms: number) {
  const latencies = new LatencyRecorder();
  latencies.record(ms);
  const series = { kind, blockBytes, durationMs: 1 };
  return { series, elapsedMs: 1, operations: 1, latencies, writes: latencies };
}

test("the slowest append to a prepared file decides", () => {
  const results = [
    resultOf("append-prepared", 300, 5),
    resultOf("append-prepared", 2300, 12),
    resultOf("append-growing", 2300, 40),
  ];
  expect(decidingResult(results).series.blockBytes).toBe(2300);
});

test("the histogram runs from the fastest to the slowest in steps of 1, 2, 5", () => {
  const latencies = new LatencyRecorder();
  for (const ms of [0.15, 0.15, 0.15, 0.15, 3, 1500]) latencies.record(ms);
  const lines = histogramLines(latencies, "ascii");
  expect(lines[0]).toBe(`  <=  200 us [4] |${"#".repeat(40)}`);
  expect(lines).toContain(`  <=    5 ms [1] |${"#".repeat(10)}`);
  expect(lines).toContain("  <=   10 ms [0] |");
  expect(lines[lines.length - 1]).toBe(`  <=     2 s [1] |${"#".repeat(10)}`);
});
