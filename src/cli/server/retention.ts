/** --auto-compaction-retention, in its two meanings. */
import type { MemberOptions } from "../../server/index.ts";
import { parseDurationMs } from "../args/go-duration.ts";
import { clampToSafe, parseInt64 } from "../args/go-number.ts";
import { ConfigProblem } from "./config-problem.ts";

const HOUR_MS = 3_600_000;

/** A plain number is hours, or revisions; anything else is a duration (counted in nanoseconds, if as revisions). */
export function retentionOf(
  mode: string,
  text: string,
): MemberOptions["retention"] | ConfigProblem {
  const isRevisions = mode === "revision";
  const whole = parseInt64(text, 10);
  if ("value" in whole && whole.value >= 0n) {
    const count = clampToSafe(whole.value);
    if (count === 0) return { mode: "off" };
    if (isRevisions) return { mode: "revision", revisions: count };
    return { mode: "periodic", periodMs: count * HOUR_MS };
  }
  const duration = parseDurationMs(text);
  if ("failure" in duration || duration.value < 0) {
    const why = "failure" in duration ? duration.failure : `time: negative duration ${text}`;
    return new ConfigProblem("start", `error parsing CompactionRetention: ${why}`);
  }
  if (duration.value === 0) return { mode: "off" };
  if (isRevisions) return { mode: "revision", revisions: Math.floor(duration.value * 1e6) };
  return { mode: "periodic", periodMs: duration.value };
}
