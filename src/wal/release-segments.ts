/** SHELL: gives segments back to the disk that nobody needs any more. */
import type { Disk } from "../io/index.ts";
import type { SegmentName } from "./segment-name.ts";

/** Takes those out of the list that hold nothing at or after `index`, and removes them; at least one stays. */
export function releaseSegments(
  disk: Disk,
  directory: string,
  segments: SegmentName[],
  index: number,
): string[] {
  let keep = segments.length - 1;
  while (keep > 0 && segments[keep]!.firstIndex > index) keep--;
  const removed: string[] = [];
  // Oldest first: a crash in between leaves no gap. Names that come back after a crash do no harm.
  for (const name of segments.splice(0, keep)) {
    disk.remove(`${directory}/${name.file}`);
    removed.push(name.file);
  }
  return removed;
}
