/**
 * Work in short steps as a generator: it breaks off after each page it read. A caller that must not be interrupted
 * (the application of an entry) runs all steps at once, the server's background runs them between other work.
 */
export type Steps<Result> = Generator<void, Result>;

/** Records read between two breaks. */
export const PAGE_COUNT = 500;

export function runSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
