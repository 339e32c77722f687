/** The read-only check of a whole log directory, for operators' tools. Reads every byte, changes none. */
import type { Disk } from "../io/index.ts";
import { listSegments, readSegments } from "./recovery.ts";
import { Replay } from "./replay.ts";
import { startState } from "./segment-reader.ts";
import type { HardState, SnapshotMark, WalMetadata } from "./types.ts";
import { WalDamage } from "./wal-damage.ts";

export interface WalReport {
  /** clean: whole; torn: an unsynced batch at the end would be wiped on opening; damaged: opening refuses. */
  readonly verdict: "clean" | "torn" | "damaged";
  readonly segments: readonly string[];
  readonly metadata: WalMetadata | null;
  /** First and last entry found; both 0 if there is none. Up to the damage, where there is one. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** What stands right before the first entry: the log continues from there. Its term is -1 where it does not tell. */
  readonly previous: SnapshotMark;
  /** Term of an entry, or of `previous`; -1 where the log does not tell. */
  readonly termOf: (index: number) => number;
  readonly hardState: HardState;
  readonly closedInGoodOrder: boolean;
  /** Where and what, for a torn or damaged log. */
  readonly finding: {
    readonly file: string;
    readonly offset: number;
    readonly reason: string;
  } | null;
}

export function verifyLog(disk: Disk, directory: string): WalReport {
  const found = listSegments(disk, directory);
  const firstIndex = found[0]!.firstIndex;
  // Where a received snapshot replaced the log, entries continue from there: whether the owner has it is not asked.
  const replay = new Replay(firstIndex - 1, Number.MAX_SAFE_INTEGER);
  const chain = startState();
  let verdict: WalReport["verdict"] = "clean";
  let finding: WalReport["finding"] = null;
  let closed = false;
  try {
    const end = readSegments(disk, directory, found, replay, chain, "thorough");
    const file = `${directory}/${found[found.length - 1]!.file}`;
    if (end.kind === "torn") {
      verdict = "torn";
      finding = { file, offset: end.offset, reason: end.reason };
    } else {
      closed = end.closed;
    }
    const problem = replay.problem();
    if (problem !== null) throw new WalDamage(file, chain.offset, problem);
  } catch (error) {
    if (!(error instanceof WalDamage)) throw error;
    verdict = "damaged";
    finding = { file: error.file, offset: error.offset, reason: error.reason };
  }
  const { previous } = replay;
  // Of the entries only the terms are kept: their data are views of everything that was read.
  const terms = Float64Array.from(replay.entries, (entry) => entry.term);
  return {
    verdict,
    previous,
    termOf: (index) =>
      index === previous.index ? previous.term : (terms[index - previous.index - 1] ?? -1),
    segments: found.map((name) => name.file),
    metadata: replay.metadata,
    firstIndex: replay.entries[0]?.index ?? 0,
    lastIndex: replay.lastIndex,
    lastTerm: replay.lastTerm,
    hardState: replay.hardState,
    closedInGoodOrder: closed,
    finding,
  };
}
