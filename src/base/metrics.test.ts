import { expect, test } from "bun:test";
import { Counter, exponentialBuckets, Histogram, Labelled, MetricsRegistry } from "./metrics.ts";

test("histograms count up to and including their bounds", () => {
  const histogram = new Histogram(exponentialBuckets(1, 2, 3));
  for (const value of [0.5, 1, 1.5, 4, 5, 100]) histogram.observe(value);
  expect([...histogram.counts]).toEqual([2, 1, 1, 2]);
  expect([histogram.count, histogram.sum]).toEqual([6, 112]);
});

test("labelled series are kept apart, and bounded", () => {
  const series = new Labelled(() => new Counter(), 2);
  series.with("a", "b").increment();
  series.with("ab", "").increment(2);
  series.with("a", "b").increment();
  series.with("one", "too many").increment();
  expect([...series].map(([labels, { value }]) => [...labels, value])).toEqual([
    ["a", "b", 2],
    ["ab", "", 3],
  ]);
});

test("pages show numbers as Go does and leave empty families out", () => {
  const registry = new MetricsRegistry();
  const add = (name: string, ...values: number[]) =>
    registry.add({
      name,
      kind: "gauge",
      help: "Line\nbreak",
      labelNames: [],
      collect: () => values.map((value) => ({ labels: [], value })),
    });
  add("b", 1228800, 999999, 0.000001938, -1, 0.0001, 1e21, Number.POSITIVE_INFINITY);
  add("a");
  expect(registry.render()).toBe(
    "# HELP b Line\\nbreak\n# TYPE b gauge\n" +
      "b 1.2288e+06\nb 999999\nb 1.938e-06\nb -1\nb 0.0001\nb 1e+21\nb +Inf\n",
  );
  expect(() => add("b", 1)).toThrow("registered twice");
  expect(() => add("bad name", 1)).toThrow("bad metric name");
});
