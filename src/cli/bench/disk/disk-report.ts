/** What a disk run reports: a table, a histogram of the fdatasync calls that decide, the verdict; or all as data. */
import { type BarStyle, barText } from "../report/bars.ts";
import type { LatencyRecorder } from "../report/latency-recorder.ts";
import { latencyJson, rounded } from "../report/load-report.ts";
import { type DiskPlan, seriesName } from "./disk-plan.ts";
import type { SeriesResult } from "./run-series.ts";
import { verdictOf, verdictText } from "./verdict.ts";

const BAR_CELLS = 40;
const HEADER = ["workload", "ops/s", "MB/s", "p50", "p90", "p99", "p99.9", "max"];
const FEW_SAMPLES = 100;
/** Edges of the histogram: 1, 2 and 5 of every power of ten, 1 us to 50 s. */
const EDGES_MS = [-3, -2, -1, 0, 1, 2, 3, 4].flatMap((power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
);

export interface DiskReport {
  readonly plan: DiskPlan;
  readonly results: readonly SeriesResult[];
  readonly isMemory: boolean;
}

/** The series that decides: the slowest fdatasync among those that work as the WAL does. */
export function decidingResult(results: readonly SeriesResult[]): SeriesResult {
  const logs = results.filter(({ series }) => series.kind === "append-prepared");
  return logs.reduce((worst, each) => {
    return each.latencies.percentileMs(99) > worst.latencies.percentileMs(99) ? each : worst;
  });
}

export function diskReportText(report: DiskReport, style: BarStyle): string {
  const { plan, results } = report;
  const deciding = decidingResult(results);
  const { latencies } = deciding;
  const size = `${(plan.fileBytes / 1024 ** 2).toFixed(1)} MiB per job, jobs: ${plan.jobs}`;
  const lines = [
    `Disk below ${plan.directory} (${size}; latency of fdatasync or of the read, in milliseconds)`,
    "",
    ...tableLines(results),
    "",
    `fdatasync of "${seriesName(deciding.series)}":`,
    ...histogramLines(latencies, style),
    "",
    "Reads come from the operating system's cache unless the file is larger than memory.",
  ];
  if (latencies.count < FEW_SAMPLES) {
    lines.push(`Only ${latencies.count} fdatasync calls were timed; a longer --seconds says more.`);
  }
  if (report.isMemory) {
    lines.push("This directory lies in memory (tmpfs): the verdict says nothing about a disk.");
  }
  lines.push(verdictText(latencies.percentileMs(99)));
  return `${lines.join("\n")}\n`;
}

export function diskJson(report: DiskReport): Record<string, unknown> {
  const { plan, results, isMemory } = report;
  const deciding = decidingResult(results);
  const p99Ms = deciding.latencies.percentileMs(99);
  return {
    workload: "disk",
    directory: plan.directory,
    file_bytes: plan.fileBytes,
    jobs: plan.jobs,
    in_memory: isMemory,
    series: results.map((result) => ({
      kind: result.series.kind,
      block_bytes: result.series.blockBytes,
      elapsed_ms: rounded(result.elapsedMs),
      operations_per_second: rounded(rate(result)),
      bytes_per_second: Math.round(rate(result) * result.series.blockBytes),
      latency: latencyJson(result.latencies),
      write_average_ms: rounded(result.writes.meanMs),
    })),
    verdict: verdictOf(p99Ms),
    verdict_series: seriesName(deciding.series),
    fdatasync_p99_ms: rounded(p99Ms),
  };
}

export function histogramLines(latencies: LatencyRecorder, style: BarStyle): string[] {
  const counts = latencies.histogram(EDGES_MS);
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  const largest = Math.max(...counts);
  const width = String(largest).length;
  const lines: string[] = [];
  for (let i = Math.max(0, first); i <= last; i++) {
    const edge = edgeText(EDGES_MS[i]!).padStart(7);
    const bar = barText(counts[i]!, largest, BAR_CELLS, style);
    lines.push(`  <= ${edge} [${String(counts[i]).padStart(width)}] |${bar}`);
  }
  return lines;
}

function tableLines(results: readonly SeriesResult[]): string[] {
  const rows = [HEADER, ...results.map(cells)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => {
    const [name, ...figures] = row;
    const columns = figures.map((cell, i) => cell.padStart(widths[i + 1]! + 2)).join("");
    return `${name!.padEnd(widths[0]!)}${columns}`;
  });
}

function cells(result: SeriesResult): string[] {
  const { latencies } = result;
  const percentiles = [50, 90, 99, 99.9].map((percent) => latencies.percentileMs(percent));
  return [
    seriesName(result.series),
    rate(result).toFixed(0),
    ((rate(result) * result.series.blockBytes) / 1e6).toFixed(2),
    ...[...percentiles, latencies.maxMs].map((ms) => ms.toFixed(3)),
  ];
}

function rate({ operations, elapsedMs }: SeriesResult): number {
  return elapsedMs > 0 ? (operations / elapsedMs) * 1000 : 0;
}

function edgeText(milliseconds: number): string {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} us`;
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}
