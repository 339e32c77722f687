/**
 * While `cairn util repair` takes a member out of its cluster and puts a new one in its place, a file stands in the
 * data directory. A start in between would find no data and could begin a member that nobody knows.
 */
import type { Disk } from "../io/index.ts";
import { StartProblem } from "./start-problem.ts";

export const UNFINISHED_REPAIR_FILE = "repair-under-way.json";

/** Throws StartProblem where a repair was begun and not ended. */
export function refuseUnfinishedRepair(disk: Disk, dataDirectory: string): void {
  const path = `${dataDirectory}/${UNFINISHED_REPAIR_FILE}`;
  if (!disk.exists(path)) return;
  throw new StartProblem(
    `a repair of this member was begun and not ended (${path}): run \`cairn util repair --from-peers\` again`,
  );
}
