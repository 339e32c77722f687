/**
 * One series of a disk run: each job repeats write and fdatasync (or read) on its own file until time is up. Writes
 * are synchronous and fdatasync runs off the thread, exactly as a member does it.
 */
import type { DiskFile } from "../../../io/index.ts";
import { LatencyRecorder } from "../report/latency-recorder.ts";
import type { Series } from "./disk-plan.ts";
import { randomBytes } from "./scratch-files.ts";

/** Reads go on for so long before the event loop gets its turn (progress, Ctrl-C). */
const READ_SLICE_MS = 5;

export interface SeriesResult {
  readonly series: Series;
  readonly elapsedMs: number;
  readonly operations: number;
  /** fdatasync alone for series that write, the read for the other. */
  readonly latencies: LatencyRecorder;
  /** The write before each fdatasync; without samples for reads. */
  readonly writes: LatencyRecorder;
}

export async function runSeries(
  series: Series,
  files: readonly DiskFile[],
  fileBytes: number,
  isStopped: () => boolean,
): Promise<SeriesResult> {
  const latencies = new LatencyRecorder();
  const writes = new LatencyRecorder();
  const beganMs = performance.now();
  const endMs = beganMs + series.durationMs;
  const isOver = () => isStopped() || performance.now() >= endMs;
  if (series.kind === "append-growing") for (const file of files) file.truncate(0);
  const jobs = files.map((file) =>
    series.kind === "page-read"
      ? readPages(file, series.blockBytes, fileBytes, latencies, isOver)
      : writeBlocks(file, series, fileBytes, { latencies, writes }, isOver),
  );
  await Promise.all(jobs);
  const elapsedMs = performance.now() - beganMs;
  return { series, elapsedMs, operations: latencies.count, latencies, writes };
}

function writeBlocks(
  file: DiskFile,
  series: Series,
  fileBytes: number,
  { latencies, writes }: { latencies: LatencyRecorder; writes: LatencyRecorder },
  isOver: () => boolean,
): Promise<void> {
  const { kind, blockBytes } = series;
  const block = randomBytes(blockBytes);
  const blockCount = Math.floor(fileBytes / blockBytes);
  let index = 0;
  const position = () => {
    if (kind === "page-write") return Math.floor(Math.random() * blockCount) * blockBytes;
    if (index === blockCount) {
      index = 0;
      // Prepared files are overwritten from the start; a growing one starts empty again.
      if (kind === "append-growing") file.truncate(0);
    }
    return index++ * blockBytes;
  };
  return new Promise((resolve, reject) => {
    const step = () => {
      if (isOver()) {
        resolve();
        return;
      }
      try {
        const at = position();
        const beganMs = performance.now();
        file.writeAt(block, 0, blockBytes, at);
        const writtenMs = performance.now();
        writes.record(writtenMs - beganMs);
        file.sync((error) => {
          if (error !== null) {
            reject(error);
            return;
          }
          latencies.record(performance.now() - writtenMs);
          step();
        });
      } catch (error) {
        reject(error);
      }
    };
    step();
  });
}

async function readPages(
  file: DiskFile,
  blockBytes: number,
  fileBytes: number,
  latencies: LatencyRecorder,
  isOver: () => boolean,
): Promise<void> {
  const block = new Uint8Array(blockBytes);
  const blockCount = Math.floor(fileBytes / blockBytes);
  while (!isOver()) {
    const sliceEndMs = performance.now() + READ_SLICE_MS;
    let beganMs = performance.now();
    while (beganMs < sliceEndMs) {
      const at = Math.floor(Math.random() * blockCount) * blockBytes;
      file.readAt(block, 0, blockBytes, at);
      const nowMs = performance.now();
      latencies.record(nowMs - beganMs);
      beganMs = nowMs;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
