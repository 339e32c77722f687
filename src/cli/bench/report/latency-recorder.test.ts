import { expect, test } from "bun:test";
import fc from "fast-check";
import { LatencyRecorder } from "./latency-recorder.ts";

const latencies = fc.array(fc.double({ min: 0.001, max: 200_000, noNaN: true }), {
  minLength: 1,
  maxLength: 300,
});

test("percentiles are those of the sorted samples, to the width of a bucket", () => {
  fc.assert(
    fc.property(latencies, fc.constantFrom(1, 10, 50, 90, 99, 99.9, 100), (samples, percent) => {
      const recorder = new LatencyRecorder();
      for (const sample of samples) recorder.record(sample);
      const sorted = [...samples].sort((a, b) => a - b);
      const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length - 1e-9));
      const exact = sorted[rank - 1]!;
      const told = recorder.percentileMs(percent);
      expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact / 128 + 1 / 16_384);
      expect(told).toBeLessThanOrEqual(recorder.maxMs);
    }),
  );
});

test("smallest, largest, mean and deviation are exact", () => {
  const recorder = new LatencyRecorder();
  for (const sample of [1, 2, 3, 4]) recorder.record(sample);
  expect([recorder.count, recorder.minMs, recorder.maxMs, recorder.meanMs]).toEqual([4, 1, 4, 2.5]);
  expect(recorder.deviationMs).toBeCloseTo(Math.sqrt(1.25), 10);
});

test("without samples all figures are zero", () => {
  const recorder = new LatencyRecorder();
  expect([recorder.meanMs, recorder.deviationMs, recorder.percentileMs(99)]).toEqual([0, 0, 0]);
});

test("longer than the buckets reach, and below zero, are counted at the ends", () => {
  const recorder = new LatencyRecorder();
  recorder.record(1e9);
  recorder.record(-1);
  expect(recorder.count).toBe(2);
  expect(recorder.maxMs).toBe(1e9);
  expect(recorder.percentileMs(50)).toBeLessThan(0.001);
});

test("a histogram counts every sample once, the smallest at the first edge", () => {
  fc.assert(
    fc.property(latencies, (samples) => {
      const recorder = new LatencyRecorder();
      for (const sample of samples) recorder.record(sample);
      const { minMs, maxMs } = recorder;
      const counts = recorder.histogram([minMs, (minMs + maxMs) / 2, maxMs]);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(samples.length);
      expect(counts[0]).toBeGreaterThan(0);
    }),
  );
});
