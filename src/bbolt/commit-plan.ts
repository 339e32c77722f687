/**
 * A commit as a value: what to write, in which order, with the two syncs that make it atomic. The
 * shell runs it; a test runs it step by step and cuts it anywhere. Until the meta page is durable
 * the old state stands, because no page of the old tree is ever written.
 */
export interface PageRun {
  /** First page; the buffers follow each other from there without a gap. */
  pageId: number;
  buffers: Uint8Array[];
}

export interface CommitPlan {
  transactionId: number;
  pageBytes: number;
  /**
   * The file is made this long first, so that later syncs carry no new length; 0 when it is long
   * enough.
   */
  growToBytes: number;
  /** Ascending, not touching each other. */
  runs: PageRun[];
  metaPageId: number;
  meta: Uint8Array;
  /** After the meta page is durable the file may be cut to this; null leaves it. */
  truncateToBytes: number | null;
}

export type CommitStep =
  | { kind: "grow"; sizeBytes: number }
  | { kind: "write"; position: number; buffers: Uint8Array[] }
  | { kind: "sync" }
  | { kind: "truncate"; sizeBytes: number };

/** A write step has no more than this: what the system copies in well under a millisecond. */
export const STEP_BYTES_MAX = 256 * 1024;

/** The steps in order: [grow], writes, sync, meta write, sync, [truncate]. */
export function commitSteps(plan: CommitPlan): CommitStep[] {
  const steps: CommitStep[] = [];
  if (plan.growToBytes > 0) steps.push({ kind: "grow", sizeBytes: plan.growToBytes });
  for (const run of plan.runs) addWrites(steps, run.pageId * plan.pageBytes, run.buffers);
  steps.push({ kind: "sync" });
  const position = plan.metaPageId * plan.pageBytes;
  steps.push({ kind: "write", position, buffers: [plan.meta] });
  steps.push({ kind: "sync" });
  if (plan.truncateToBytes !== null) {
    steps.push({ kind: "truncate", sizeBytes: plan.truncateToBytes });
  }
  return steps;
}

/** The buffers as write steps of bounded size; only a buffer that is larger is cut itself. */
function addWrites(steps: CommitStep[], position: number, buffers: Uint8Array[]): void {
  let pending: Uint8Array[] = [];
  let start = position;
  let end = position;
  const flush = (): void => {
    if (pending.length > 0) steps.push({ kind: "write", position: start, buffers: pending });
    pending = [];
    start = end;
  };
  for (const buffer of buffers) {
    if (end - start + buffer.length > STEP_BYTES_MAX) flush();
    for (let from = 0; from < buffer.length; from += STEP_BYTES_MAX) {
      const isWhole = buffer.length <= STEP_BYTES_MAX;
      const piece = isWhole ? buffer : buffer.subarray(from, from + STEP_BYTES_MAX);
      pending.push(piece);
      end += piece.length;
      if (!isWhole) flush();
    }
  }
  flush();
}

/** Joins pages into runs; they must come without overlap. */
export function joinRuns(
  pages: { pageId: number; bytes: Uint8Array }[],
  pageBytes: number,
): PageRun[] {
  const sorted = pages.toSorted((a, b) => a.pageId - b.pageId);
  const runs: PageRun[] = [];
  let end = -1;
  for (const { pageId, bytes } of sorted) {
    if (pageId === end) runs.at(-1)!.buffers.push(bytes);
    else runs.push({ pageId, buffers: [bytes] });
    end = pageId + bytes.length / pageBytes;
  }
  return runs;
}
