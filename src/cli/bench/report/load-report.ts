/** What a load run reports: a summary for people in the layout of etcd's benchmark tool, and the same as data. */
import type { LoadResult } from "../load/load-run.ts";
import { type BarStyle, barText } from "./bars.ts";
import type { LatencyRecorder } from "./latency-recorder.ts";

export const PERCENTS = [10, 25, 50, 75, 90, 95, 99, 99.9] as const;
const HISTOGRAM_STEPS = 10;
const BAR_CELLS = 40;

export function loadReportText(result: LoadResult, style: BarStyle): string {
  const parts = [summaryText(result)];
  if (result.latencies.count > 0) {
    parts.push(
      `Response time histogram (seconds, up to):\n${histogramText(result.latencies, style)}`,
      `Latency distribution:\n${distributionText(result.latencies)}`,
    );
  }
  if (result.errors.total > 0) parts.push(errorText(result));
  if (result.unsent > 0) {
    parts.push(
      `Never sent: ${result.unsent} requests were due before the end and found no free client:\n` +
        "  the rate is more than this server and these clients can do.\n",
    );
  }
  return parts.join("\n");
}

export interface LatencyJson {
  readonly count: number;
  readonly slowest_ms: number;
  readonly fastest_ms: number;
  readonly average_ms: number;
  readonly stddev_ms: number;
  readonly percentiles_ms: Readonly<Record<string, number>>;
}

export function latencyJson(latencies: LatencyRecorder): LatencyJson {
  const percentiles: Record<string, number> = {};
  for (const percent of PERCENTS) percentiles[percent] = rounded(latencies.percentileMs(percent));
  return {
    count: latencies.count,
    slowest_ms: rounded(latencies.maxMs),
    fastest_ms: latencies.count === 0 ? 0 : rounded(latencies.minMs),
    average_ms: rounded(latencies.meanMs),
    stddev_ms: rounded(latencies.deviationMs),
    percentiles_ms: percentiles,
  };
}

export function loadJson(result: LoadResult): Record<string, unknown> {
  return {
    elapsed_ms: rounded(result.elapsedMs),
    requests_per_second: rounded(ratePerSecond(result)),
    latency: latencyJson(result.latencies),
    errors: Object.fromEntries(result.errors.rows().map(({ text, count }) => [text, count])),
    error_count: result.errors.total,
    never_sent: result.unsent,
  };
}

function summaryText(result: LoadResult): string {
  const { latencies, elapsedMs } = result;
  const fastest = latencies.count === 0 ? 0 : latencies.minMs;
  return [
    "Summary:",
    `  Total:        ${seconds(elapsedMs)} secs`,
    `  Slowest:      ${seconds(latencies.maxMs)} secs`,
    `  Fastest:      ${seconds(fastest)} secs`,
    `  Average:      ${seconds(latencies.meanMs)} secs`,
    `  Stddev:       ${seconds(latencies.deviationMs)} secs`,
    `  Requests/sec: ${ratePerSecond(result).toFixed(4)}`,
    "",
  ].join("\n");
}

export function histogramText(latencies: LatencyRecorder, style: BarStyle): string {
  const { minMs, maxMs } = latencies;
  const edges: number[] = [];
  for (let i = 0; i <= HISTOGRAM_STEPS; i++) {
    edges.push(minMs + ((maxMs - minMs) * i) / HISTOGRAM_STEPS);
  }
  const counts = latencies.histogram(edges);
  const largest = Math.max(...counts);
  const width = String(largest).length;
  const lines = edges.map((edge, i) => {
    const bar = barText(counts[i]!, largest, BAR_CELLS, style);
    return `  ${seconds(edge)} [${String(counts[i]).padStart(width)}] |${bar}`;
  });
  return `${lines.join("\n")}\n`;
}

export function distributionText(latencies: LatencyRecorder): string {
  const lines = PERCENTS.map(
    (percent) => `  ${percent}% within ${seconds(latencies.percentileMs(percent))} secs`,
  );
  return `${lines.join("\n")}\n`;
}

function errorText(result: LoadResult): string {
  const lines = result.errors.rows().map(({ text, count }) => `  [${count}] ${text}`);
  return ["Error distribution:", ...lines, ""].join("\n");
}

function ratePerSecond({ latencies, elapsedMs }: LoadResult): number {
  return elapsedMs > 0 ? (latencies.count / elapsedMs) * 1000 : 0;
}

export function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(6);
}

/** Microseconds are as fine as these figures mean anything. */
export function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
