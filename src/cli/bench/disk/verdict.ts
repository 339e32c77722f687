/** Whether a disk holds a member, by the rule that operators of etcd know: 99 % of fdatasync calls under 10 ms. */
export type Verdict = "good" | "borderline" | "bad";

export const GOOD_P99_MS = 10;
export const BAD_P99_MS = 25;

export function verdictOf(syncP99Ms: number): Verdict {
  if (syncP99Ms < GOOD_P99_MS) return "good";
  return syncP99Ms > BAD_P99_MS ? "bad" : "borderline";
}

const TEXTS: Readonly<Record<Verdict, string>> = {
  good: `under ${GOOD_P99_MS} ms: this disk will hold a member.`,
  borderline:
    `between ${GOOD_P99_MS} and ${BAD_P99_MS} ms: this disk holds a member with little load; ` +
    "expect slow writes and now and then an election.",
  bad: `over ${BAD_P99_MS} ms: this disk will not hold a member.`,
};

export function verdictText(syncP99Ms: number): string {
  const verdict = verdictOf(syncP99Ms);
  return `Verdict: ${verdict}. The slowest 1 % of fdatasync begins at ${syncP99Ms.toFixed(2)} ms, ${TEXTS[verdict]}`;
}
