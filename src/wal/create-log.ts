/** Makes a new log: built in a temporary directory, synced, then renamed, so that it exists whole or not at all. */
import { assert } from "../base/assert.ts";
import type { Disk } from "../io/index.ts";
import { DiskError } from "../io/index.ts";
import { BatchBuilder } from "./batch-builder.ts";
import { BATCH_HEADER_BYTES } from "./format.ts";
import { type SegmentName, segmentName } from "./segment-name.ts";
import { type ChainState, startState } from "./segment-reader.ts";
import { addHardState, encodeSegmentStart, logIdOf } from "./segment-start.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { EMPTY_HARD_STATE, type HardState, type WalBeginning, type WalMetadata } from "./types.ts";

export interface CreatedLog {
  readonly segments: SegmentName[];
  readonly chain: ChainState;
  readonly hardState: HardState;
}

/** Room for a segment's first batch and a mark at least. */
const SEGMENT_BYTES_MIN = 512;

export function createLogDirectory(
  disk: Disk,
  directory: string,
  segmentBytes: number,
  metadata: WalMetadata,
  beginning: WalBeginning,
): CreatedLog {
  assert(segmentBytes >= SEGMENT_BYTES_MIN && segmentBytes % 8 === 0, "segment size");
  if (disk.exists(directory)) {
    throw new DiskError("create", directory, "EEXIST", "a write-ahead log exists there already");
  }
  const temporary = `${directory}.tmp`;
  if (disk.exists(temporary)) disk.remove(temporary); // left by a crash before the rename
  disk.makeDirectory(temporary);
  const chain = { ...startState(), nextNumber: 1, logId: logIdOf(metadata) };
  const name = segmentName(0, 1);
  const start = encodeSegmentStart(0, chain, metadata, EMPTY_HARD_STATE, segmentBytes);
  assert(
    start.bytes.length + BATCH_HEADER_BYTES <= segmentBytes,
    "a segment holds its first batch",
  );
  const file = disk.open(`${temporary}/${name.file}`, { create: true, exclusive: true });
  try {
    file.preallocate(segmentBytes);
    file.writeAt(start.bytes, 0, start.bytes.length, 0);
    chain.previous = start.identity;
    chain.offset = start.identity.bytes;
    chain.nextNumber = 2;
    file.syncNow();
    if (beginning.entries.length > 0) {
      writeBeginning(new SegmentWriter(file, segmentBytes, chain), beginning);
      file.syncNow();
    }
  } finally {
    file.close();
  }
  disk.syncDirectory(temporary);
  disk.rename(temporary, directory);
  disk.syncDirectory(parentOf(directory));
  return { segments: [name], chain, hardState: beginning.hardState };
}

function writeBeginning(writer: SegmentWriter, { entries, hardState }: WalBeginning): void {
  const builder = new BatchBuilder();
  for (const { term, index, kind, data } of entries) builder.addEntry(term, index, kind, data);
  addHardState(builder, hardState);
  const last = entries[entries.length - 1]!;
  writer.writeBatch(builder, last.index, last.term);
}

/** The directory that a path lies in; both separators, for Windows. */
export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}
