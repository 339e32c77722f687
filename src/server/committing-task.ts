/** Background work whose steps may have to wait for a database commit: it then goes on behind the next one. */
import type { Background } from "./background.ts";
import type { DatabaseCommitter } from "./database-committer.ts";

/** One step: "more" goes on, "waiting" goes on after a commit, anything else is the end. */
export type CommittingStep<End extends string> = () => "more" | "waiting" | End;

export function runCommittingTask<End extends string>(
  background: Background,
  committer: DatabaseCommitter,
  step: CommittingStep<End>,
  ended: (end: End) => void,
): void {
  const task = (): boolean => {
    const outcome = step();
    if (outcome === "more") return true;
    if (outcome === "waiting") committer.commit(() => background.add(task));
    else ended(outcome as End);
    return false;
  };
  background.add(task);
}
