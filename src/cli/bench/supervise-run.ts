/**
 * Runs one workload under the eyes of a user: a progress bar on a terminal, the first Ctrl-C ends the run early (its
 * report is still printed), a second one ends the program at once.
 */
import { ExitCode, ExitError } from "../args/index.ts";
import type { BenchContext } from "./context.ts";
import { ProgressBar, type ProgressState } from "./report/progress-bar.ts";

/** What shells report for a program ended by SIGINT. */
export const INTERRUPTED_STATUS = 130;

export interface SupervisedRun<Result> {
  readonly stop: () => void;
  readonly progress: () => ProgressState;
  readonly work: () => Promise<Result>;
  /** Called when the user does not want to wait any longer, before the program ends. */
  readonly abandon?: () => void;
}

export async function superviseRun<Result>(
  context: BenchContext,
  isQuiet: boolean,
  run: SupervisedRun<Result>,
): Promise<Result> {
  const bar =
    context.isTerminal && !isQuiet
      ? new ProgressBar((text) => context.io.stdout.write(text), context.style, run.progress)
      : null;
  let interrupts = 0;
  const forget = context.onInterrupt(() => {
    interrupts++;
    if (interrupts === 1) {
      run.stop();
      return;
    }
    bar?.finish();
    run.abandon?.();
    process.exit(INTERRUPTED_STATUS);
  });
  bar?.start();
  try {
    return await run.work();
  } catch (error) {
    if (error instanceof ExitError || !(error instanceof Error)) throw error;
    throw new ExitError(ExitCode.error, error.message);
  } finally {
    bar?.finish();
    forget();
  }
}
