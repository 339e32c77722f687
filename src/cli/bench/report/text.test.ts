// Bars, the progress line, and the two reports as people see them.

import { expect, test } from "bun:test";
import { ErrorCounts } from "../load/error-counts.ts";
import { barText } from "./bars.ts";
import { LatencyRecorder } from "./latency-recorder.ts";
import { loadJson, loadReportText } from "./load-report.ts";
import { ProgressBar, progressText } from "./progress-bar.ts";

test("bars grow in eighths of a cell, or in whole signs", () => {
  expect(barText(1, 1, 4, "unicode")).toBe("████");
  expect(barText(5, 8, 4, "unicode")).toBe("██▌");
  expect(barText(1, 1e9, 4, "unicode")).toBe("▏");
  expect(barText(5, 8, 4, "ascii")).toBe("###");
  expect(barText(1, 1e9, 4, "ascii")).toBe("#");
  expect(barText(0, 8, 4, "ascii")).toBe("");
  expect(barText(9, 8, 4, "ascii")).toBe("####");
});

test("the progress line tells share, time passed and time left", () => {
  const state = { fraction: 0.25, elapsedMs: 30_000, note: "5 done" };
  expect(progressText(state, "ascii")).toBe(
    `[${"#".repeat(8)}${" ".repeat(22)}] 25%  0:30  1:30 left  5 done`,
  );
  expect(progressText({ fraction: 0, elapsedMs: 0, note: "" }, "ascii")).toBe(
    `[${" ".repeat(30)}]  0%  0:00  `,
  );
  expect(progressText({ fraction: 7, elapsedMs: 1000, note: "" }, "ascii")).toContain("100%");
});

test("a progress bar draws in place and wipes itself", async () => {
  const written: string[] = [];
  let drawn: () => void = () => {};
  const firstDraw = new Promise<void>((resolve) => {
    drawn = resolve;
  });
  const state = () => ({ fraction: 0.5, elapsedMs: 1000, note: "" });
  const write = (text: string) => {
    written.push(text);
    drawn();
  };
  const bar = new ProgressBar(write, "ascii", state);
  bar.start();
  await firstDraw;
  bar.finish();
  expect(written[0]).toStartWith("\r\u001b[K[###");
  expect(written[written.length - 1]).toBe("\r\u001b[K");
  const count = written.length;
  bar.finish();
  expect(written.length).toBe(count);
});

function someResult() {
  const latencies = new LatencyRecorder();
  for (let i = 1; i <= 1000; i++) latencies.record(i / 100);
  const errors = new ErrorCounts();
  errors.add("etcdserver: request is too large");
  errors.add("other");
  errors.add("etcdserver: request is too large");
  return { latencies, errors, elapsedMs: 2000, unsent: 3 };
}

test("the report has summary, histogram, distribution, errors and what was never sent", () => {
  const text = loadReportText(someResult(), "ascii");
  expect(text).toContain("  Total:        2.000000 secs\n");
  expect(text).toContain("  Slowest:      0.010000 secs\n");
  expect(text).toContain("  Requests/sec: 500.0000\n");
  expect(text).toMatch(/ {2}0\.000010 \[ {2}1\] \|#\n/);
  expect(text.match(/\|#/g)).toHaveLength(11);
  expect(text).toMatch(/ {2}99% within 0\.0099\d+ secs\n {2}99\.9% within 0\.0100/);
  expect(text).toContain("  [2] etcdserver: request is too large\n  [1] other\n");
  expect(text).toContain("Never sent: 3 requests");
});

test("the JSON report carries the same figures", () => {
  const json = loadJson(someResult());
  expect(json).toMatchObject({ elapsed_ms: 2000, requests_per_second: 500, error_count: 3 });
  expect(json).toMatchObject({ latency: { count: 1000, slowest_ms: 10, fastest_ms: 0.01 } });
  expect(json.errors).toEqual({ "etcdserver: request is too large": 2, other: 1 });
});

test("a run without any answer is reported without bars", () => {
  const empty = { ...someResult(), latencies: new LatencyRecorder(), unsent: 0 };
  const text = loadReportText(empty, "ascii");
  expect(text).toContain("  Fastest:      0.000000 secs");
  expect(text).not.toContain("histogram");
});

test("made-up error texts cannot fill memory", () => {
  const errors = new ErrorCounts();
  for (let i = 0; i < 1000; i++) errors.add(`error ${i}`);
  expect(errors.total).toBe(1000);
  expect(errors.rows()).toHaveLength(51);
  expect(errors.rows()[0]).toEqual({ text: "(other errors)", count: 950 });
});
