/** What watch-latency reports: the puts and the events, each with percentiles. */
import type { WatchPlan, WatchResult } from "../load/watch-run.ts";
import type { BarStyle } from "./bars.ts";
import { distributionText, histogramText, latencyJson, loadJson, seconds } from "./load-report.ts";

export function watchReportText(result: WatchResult, style: BarStyle): string {
  const { events, puts } = result;
  const heads = [
    "Put summary:",
    `  Requests/sec: ${((puts.latencies.count / Math.max(puts.elapsedMs, 0.001)) * 1000).toFixed(4)}`,
    `  Average:      ${seconds(puts.latencies.meanMs)} secs`,
    `  Slowest:      ${seconds(puts.latencies.maxMs)} secs`,
    ...puts.errors.rows().map(({ text, count }) => `  [${count}] ${text}`),
    "",
    "Put latency distribution:",
    distributionText(puts.latencies),
    "Watch event summary (from the start of a put to its event):",
    `  Events:       ${events.count}${result.missing > 0 ? `, ${result.missing} missing` : ""}`,
    `  Average:      ${seconds(events.meanMs)} secs`,
    `  Slowest:      ${seconds(events.maxMs)} secs`,
    "",
  ];
  const tail =
    events.count === 0
      ? []
      : [
          "Watch event histogram (seconds, up to):",
          histogramText(events, style),
          "Watch event latency distribution:",
          distributionText(events),
        ];
  return [...heads, ...tail].join("\n");
}

export function watchJson(plan: WatchPlan, result: WatchResult): Record<string, unknown> {
  return {
    workload: "watch-latency",
    connections: plan.connections,
    streams: plan.streams,
    watchers_per_stream: plan.watchersPerStream,
    put_rate: plan.putRatePerSecond,
    puts: loadJson(result.puts),
    events: latencyJson(result.events),
    missing_events: result.missing,
  };
}
