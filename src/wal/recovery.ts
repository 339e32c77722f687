/**
 * Reads the log at start-up: picks the segments that matter, replays them, wipes a torn tail, and refuses
 * anything else that does not verify. Blocking; runs before the member serves.
 */
import { assert } from "../base/assert.ts";
import type { Disk, DiskFile } from "../io/index.ts";
import type { BatchHeader } from "./batch-header.ts";
import { BATCH_HEADER_BYTES } from "./format.ts";
import { Replay } from "./replay.ts";
import { goToRestartPoint } from "./restart-point.ts";
import { PREPARED_FILE, parseSegmentName, type SegmentName } from "./segment-name.ts";
import {
  type ChainState,
  readFirstHeader,
  readSegment,
  type SegmentEnd,
  startState,
} from "./segment-reader.ts";
import { findHardState, skipBatches } from "./skip-batches.ts";
import { stepBack } from "./step-back.ts";
import type { SnapshotMark, TornTail, WalRecovery } from "./types.ts";
import { WalDamage } from "./wal-damage.ts";

export interface RecoveredLog {
  readonly recovered: WalRecovery;
  /** Segments from the oldest present to the newest. */
  readonly segments: SegmentName[];
  readonly chain: ChainState;
  /** Size to which the newest segment was preallocated. */
  readonly currentBytes: number;
}

/**
 * Entries after the applied index are wanted; those after `fromIndex` too, as far as they are cheap to have: they lie
 * in the segment that is read anyway, not too far back, and are whole. What the database has is not needed to start.
 */
export function recoverLog(
  disk: Disk,
  directory: string,
  appliedIndex: number,
  fromIndex: number = appliedIndex,
): RecoveredLog {
  if (fromIndex === appliedIndex) return recoverFrom(disk, directory, appliedIndex, fromIndex);
  try {
    return recoverFrom(disk, directory, appliedIndex, fromIndex);
  } catch (error) {
    if (!(error instanceof WalDamage)) throw error;
    return recoverFrom(disk, directory, appliedIndex, appliedIndex);
  }
}

function recoverFrom(
  disk: Disk,
  directory: string,
  appliedIndex: number,
  fromIndex: number,
): RecoveredLog {
  assert(Number.isSafeInteger(appliedIndex) && appliedIndex >= 0, "applied index");
  assert(
    fromIndex >= 0 && fromIndex <= appliedIndex,
    "the log is read from the applied index or before",
  );
  const segments = listSegments(disk, directory);
  const needed = selectSegments(directory, segments, appliedIndex);
  const replay = new Replay(fromIndex, appliedIndex);
  const chain = startState();
  const end = readSegments(disk, directory, needed, replay, chain, "quick");
  const newest = needed[needed.length - 1]!;
  const path = `${directory}/${newest.file}`;
  const problem = replay.problem();
  if (problem !== null) throw new WalDamage(path, chain.offset, problem);
  assert(replay.metadata !== null, "metadata is checked by problem()");
  // From here on the log is known to be good; before, nothing may change on disk.
  const prepared = `${directory}/${PREPARED_FILE}`;
  if (disk.exists(prepared)) disk.remove(prepared); // never part of the log before its rename
  const tornTail = end.kind === "torn" ? wipe(disk, path, end) : null;
  const { metadata, hardState, entries, previous, snapshotMarks } = replay;
  const cleanlyClosed = end.kind === "end" && end.closed;
  if (!cleanlyClosed) makeLogDurable(disk, directory);
  const kept = { metadata, hardState, previous, entries, snapshotMarks };
  const recovered: WalRecovery = { ...kept, tornTail, cleanlyClosed };
  return { recovered, segments, chain, currentBytes: replay.segmentBytes };
}

/**
 * A process that was killed leaves batches and names that are in the system's memory only. Whoever reads them takes
 * them for durable (raft counts them in votes), so they must be.
 */
export function makeLogDurable(disk: Disk, directory: string): void {
  const newest = listSegments(disk, directory).at(-1)!;
  const file = disk.open(`${directory}/${newest.file}`);
  try {
    file.syncNow();
  } finally {
    file.close();
  }
  disk.syncDirectory(directory);
}

/**
 * The newest snapshot that the log names, received or of the member's own database; null for none. Reads every byte
 * and keeps no entry. Changes nothing. Throws WalDamage, DiskError.
 */
export function newestSnapshotMark(disk: Disk, directory: string): SnapshotMark | null {
  const replay = new Replay(Number.MAX_SAFE_INTEGER);
  const segments = listSegments(disk, directory);
  readSegments(disk, directory, segments, replay, startState(), "thorough");
  let newest: SnapshotMark | null = null;
  for (const mark of replay.snapshotMarks) {
    if (newest === null || mark.index > newest.index) newest = mark;
  }
  return newest;
}

export function listSegments(disk: Disk, directory: string): SegmentName[] {
  const segments: SegmentName[] = [];
  for (const file of disk.list(directory)) {
    const name = parseSegmentName(file);
    if (name !== null) segments.push(name);
  }
  if (segments.length === 0) throw new WalDamage(directory, 0, "the directory holds no segment");
  return segments.sort((a, b) => a.sequence - b.sequence);
}

/**
 * The newest segment that began when the log ended at or before the snapshot, and all after it: whatever
 * counts after the snapshot was written there, for a later write is the one that counts.
 */
function selectSegments(
  directory: string,
  segments: readonly SegmentName[],
  fromSnapshotIndex: number,
): SegmentName[] {
  let first = segments.length - 1;
  while (first > 0 && segments[first]!.firstIndex > fromSnapshotIndex + 1) first--;
  const oldest = segments[first]!;
  if (oldest.firstIndex > fromSnapshotIndex + 1) {
    const reason = `entries from ${fromSnapshotIndex + 1} on are needed, the log begins at ${oldest.firstIndex}`;
    throw new WalDamage(`${directory}/${oldest.file}`, 0, reason);
  }
  for (let i = first + 1; i < segments.length; i++) {
    if (segments[i]!.sequence === segments[i - 1]!.sequence + 1) continue;
    const reason = `segments between ${segments[i - 1]!.file} and this one are missing`;
    throw new WalDamage(`${directory}/${segments[i]!.file}`, 0, reason);
  }
  return segments.slice(first);
}

/**
 * Reads the segments in order; throws WalDamage, or returns how the newest one ends. "quick" reads what counts after
 * the replay's snapshot, "thorough" every byte.
 */
export function readSegments(
  disk: Disk,
  directory: string,
  segments: readonly SegmentName[],
  replay: Replay,
  chain: ChainState,
  mode: "quick" | "thorough",
): Exclude<SegmentEnd, { kind: "damage" }> {
  let newest: Exclude<SegmentEnd, { kind: "damage" }> = { kind: "end", closed: false };
  for (let i = 0; i < segments.length; i++) {
    const name = segments[i]!;
    const path = `${directory}/${name.file}`;
    const next = i + 1 < segments.length ? firstHeader(disk, directory, segments[i + 1]!) : null;
    const file = disk.open(path, { readOnly: true });
    try {
      const input = { file, name, next, thorough: mode === "thorough" };
      // Entries after the snapshot begin in the oldest of these segments.
      const isFirst = i === 0 && mode === "quick";
      const afterStart = isFirst ? skipper(disk, directory, file, replay) : undefined;
      const end = readSegment({ ...input, afterStart }, chain, replay.sink);
      if (end.kind === "damage") throw new WalDamage(path, end.offset, end.reason);
      newest = end;
      // The preallocated size was synced before the segment got its name.
      if (file.sizeBytes() < replay.segmentBytes) {
        throw new WalDamage(path, file.sizeBytes(), "the file is cut off");
      }
    } finally {
      file.close();
    }
  }
  return newest;
}

/**
 * Passes what lies before the replay's applied index, goes back for what else is wanted, and tells the replay where
 * that ended.
 */
function skipper(
  disk: Disk,
  directory: string,
  file: DiskFile,
  replay: Replay,
): (chain: ChainState) => SegmentEnd | null {
  return (chain) => {
    const end = chain.offset;
    goToRestartPoint(disk, directory, file, chain, replay.appliedIndex);
    skipBatches(file, chain, replay.appliedIndex);
    stepBack(file, chain, end, replay.fromSnapshotIndex);
    if (chain.offset === end) return null;
    replay.skipTo(chain.previous.lastIndex, chain.previous.lastTerm);
    const problem = findHardState(file, chain, end, replay.sink);
    return problem === null ? null : { kind: "damage", ...problem };
  };
}

function firstHeader(disk: Disk, directory: string, name: SegmentName): BatchHeader {
  const path = `${directory}/${name.file}`;
  const file: DiskFile = disk.open(path, { readOnly: true });
  try {
    const header = readFirstHeader(file);
    if (header === null)
      throw new WalDamage(path, 0, "the segment's first batch has no intact header");
    return header;
  } finally {
    file.close();
  }
}

/** Writes zeros over the torn bytes and syncs, so that no remains of them can ever follow a new batch. */
function wipe(disk: Disk, path: string, torn: Extract<SegmentEnd, { kind: "torn" }>): TornTail {
  const file = disk.open(path);
  try {
    const chunk = new Uint8Array(Math.min(torn.bytes, 1 << 20));
    for (let done = 0; done < torn.bytes; done += chunk.length) {
      file.writeAt(chunk, 0, Math.min(chunk.length, torn.bytes - done), torn.offset + done);
    }
    file.syncNow();
  } finally {
    file.close();
  }
  const { offset, bytes, reason } = torn;
  return { file: path, offset, bytes: Math.max(bytes, BATCH_HEADER_BYTES), reason };
}
