/** How a start that cannot go on is said, and with what status the process ends. */
import { createLogger, type RootLogger } from "../../io/bun/index.ts";
import type { ConfigProblem } from "./config-problem.ts";
import type { Notice } from "./given-flags.ts";
import { USAGE } from "./usage.ts";

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Before there is a log of the member's own: as JSON to stderr. */
export function refuse(
  problem: ConfigProblem,
  notices: readonly Notice[],
  args: readonly string[],
): number {
  switch (problem.kind) {
    case "usage":
      process.stderr.write(`${problem.message}\n${USAGE}`);
      return EXIT_USAGE;
    case "panic":
      process.stderr.write(`panic: ${problem.message}\n`);
      return EXIT_USAGE;
    case "plain":
      process.stderr.write(`${problem.message}\n`);
      return EXIT_FAILED;
  }
  const log = createLogger({ level: "info", format: "json", outputs: ["stderr"] });
  sayNotices(log, notices);
  if (problem.kind === "conflict") {
    log.fatal(problem.message, problem.fields);
    return EXIT_FAILED;
  }
  log.info("Running: ", { args: [process.argv0, ...args] });
  if (problem.kind === "start") return failStart(log, problem.message);
  log.warn("failed to verify flags", { error: problem.message, ...problem.fields });
  return EXIT_FAILED;
}

export function sayNotices(log: RootLogger, notices: readonly Notice[]): void {
  for (const { level, message, fields } of notices) log[level](message, fields);
}

/** Well formed settings that a member cannot start with. The second message misleads, but tools know it. */
export function failStart(log: RootLogger, why: string): number {
  log.warn("failed to start etcd", { error: why });
  log.fatal("discovery failed", { error: why });
  return EXIT_FAILED;
}
