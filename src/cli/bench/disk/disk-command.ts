/** `cairn bench disk`: measures the disk below a directory the way a member uses it, and judges it. */
import { boolFlag, type Command, ExitError, stringFlag } from "../../args/index.ts";
import { ASCII_FLAG, type BenchContext, styleOf } from "../context.ts";
import { badFlag, countFlag } from "../number-flags.ts";
import { INTERRUPTED_STATUS, superviseRun } from "../supervise-run.ts";
import { type DiskPlan, diskPlan, seriesName } from "./disk-plan.ts";
import { type DiskReport, diskJson, diskReportText } from "./disk-report.ts";
import { runSeries, type SeriesResult } from "./run-series.ts";
import { diskFailureText, ScratchFiles, spaceBelow, spaceRefusal } from "./scratch-files.ts";

export const diskCommand: Command<BenchContext> = {
  name: "disk",
  usage: "[directory]",
  short: "Measures the disk below a directory",
  long:
    "Writes to a new file in the directory (default: the current one) as a member does, removes it again, and says\n" +
    "whether this disk will hold a member: good when 99 % of fdatasync calls take less than 10 ms, bad above 25 ms.",
  flags: [
    stringFlag("seconds", "how long the whole run takes, without preparing the file", "10"),
    stringFlag("size", "bytes of the file of each job (K, M and G are understood)", "64M"),
    stringFlag("block", "bytes per append instead of 300, 2300 and 16384"),
    countFlag("jobs", "how many files are worked on at the same time", 1),
    boolFlag("json", "print the report as JSON"),
    ASCII_FLAG,
  ],
  async run(context, flags) {
    const plan = diskPlan(flags);
    if (!context.disk.isDirectory(plan.directory)) {
      badFlag(`${plan.directory} is not a directory`);
    }
    const space = spaceBelow(plan.directory);
    const refusal = spaceRefusal(space.freeBytes, plan.fileBytes * plan.jobs);
    if (refusal !== null) badFlag(refusal);
    const isJson = flags.flag("json");
    const style = styleOf(context, flags);
    const results = await runAll({ ...context, style }, plan, isJson);
    const report: DiskReport = { plan, results, isMemory: space.isMemory };
    context.io.stdout.write(
      isJson ? `${JSON.stringify(diskJson(report))}\n` : diskReportText(report, style),
    );
  },
};

async function runAll(
  context: BenchContext,
  plan: DiskPlan,
  isQuiet: boolean,
): Promise<SeriesResult[]> {
  const scratch = new ScratchFiles(context.disk, plan.directory, plan.fileBytes);
  const results: SeriesResult[] = [];
  const beganMs = performance.now();
  let isInterrupted = false;
  const isStopped = () => isInterrupted;
  const totalMs = plan.series.reduce((sum, each) => sum + each.durationMs, 0);
  let measuringSinceMs = 0;
  let note = "preparing the file";
  const work = async () => {
    try {
      await scratch.make(plan.jobs, isStopped);
      measuringSinceMs = performance.now();
      for (const series of plan.series) {
        if (isInterrupted) break;
        note = seriesName(series);
        results.push(await runSeries(series, scratch.files, plan.fileBytes, isStopped));
      }
    } catch (error) {
      throw new ExitError(1, diskFailureText(error));
    } finally {
      scratch.remove();
    }
  };
  await superviseRun(context, isQuiet, {
    stop: () => {
      isInterrupted = true;
    },
    progress: () => ({
      fraction: measuringSinceMs === 0 ? 0 : (performance.now() - measuringSinceMs) / totalMs,
      elapsedMs: performance.now() - beganMs,
      note,
    }),
    work,
    abandon: () => scratch.remove(),
  });
  if (isInterrupted) throw new ExitError(INTERRUPTED_STATUS, "interrupted; the file is removed");
  return results;
}
