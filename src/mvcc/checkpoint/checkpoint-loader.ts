/**
 * Reads a checkpoint into a fresh index, if the database confirms it: its history must be the one
 * the file was made of, go at least as far, and not have been compacted beyond the file's revision
 * (compaction removes rows between, and the file would raise the dead); nor may the file lack what
 * a compaction took that the database, after a crash, knows nothing of. Otherwise the reason is
 * answered and the caller scans the rows.
 */
import { equalBytes } from "../../base/bytes.ts";
import type { Database } from "../../database/index.ts";
import { KeyIndex, type SortedLoad } from "../key-index/index.ts";
import { recordKey } from "../record.ts";
import type { LeasesByEntry } from "../restore.ts";
import { BlockDecoder } from "./block-decoder.ts";
import { crcOfRevision } from "./checkpoint-writer.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  blockCrc,
  type CheckpointHeader,
  type CheckpointSource,
  decodeHeader,
  HEADER_BYTES,
} from "./format.ts";

const SAMPLES = 32;
const SLACK_BYTES = 64;

export interface LoadedCheckpoint {
  readonly index: KeyIndex;
  readonly revision: number;
  /** Entries that a compaction since may have taken something from. */
  readonly prunable: number[];
}

export function loadCheckpoint(
  source: CheckpointSource,
  database: Database,
  compactRevision: number,
  hashSeed: number,
  leases: LeasesByEntry,
): LoadedCheckpoint | string {
  const bytes = new Uint8Array(HEADER_BYTES);
  const length = source.readAt(bytes, 0, HEADER_BYTES, 0);
  const header = decodeHeader(bytes.subarray(0, length));
  if (typeof header === "string") return header;
  const problem = mismatch(header, database, compactRevision);
  if (problem !== undefined) return problem;
  const index = new KeyIndex({ hashSeed });
  const load = index.beginLoad();
  const decoder = new BlockDecoder(load, header.revision, leases);
  const damage = readBlocks(source, load, decoder);
  if (damage !== undefined) return damage;
  index.endLoad(load);
  const { prunable } = decoder;
  return confirmSamples(index, load.id, database) ?? { index, revision: header.revision, prunable };
}

function mismatch(
  header: CheckpointHeader,
  database: Database,
  compactRevision: number,
): string | undefined {
  if (header.revision < compactRevision) return "is older than the last compaction";
  if (header.compactRevision > compactRevision) return "lacks what a lost compaction took away";
  if (crcOfRevision(database, header.revision) !== header.revisionCrc) {
    return "belongs to another database or a later state of it";
  }
  return undefined;
}

/** Some living keys must be in the database as the checkpoint says. */
function confirmSamples(index: KeyIndex, count: number, database: Database): string | undefined {
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  for (let id = 1; id <= count; id += stride) {
    if (!index.isLive(id)) continue;
    const record = database.getRevision(index.mod(id), index.sub(id));
    if (record === undefined || !equalBytes(recordKey(record), index.copyKey(id))) {
      return "names a revision that the database does not have";
    }
  }
  return undefined;
}

/** Reads all blocks into the index; answers what is wrong with the file. */
function readBlocks(
  source: CheckpointSource,
  load: SortedLoad,
  decoder: BlockDecoder,
): string | undefined {
  const head = new Uint8Array(BLOCK_HEADER_BYTES);
  const view = new DataView(head.buffer);
  let bytes = new Uint8Array(0);
  for (let position = HEADER_BYTES; ; ) {
    if (source.readAt(head, 0, BLOCK_HEADER_BYTES, position) < BLOCK_HEADER_BYTES) {
      return "is cut off";
    }
    const length = view.getUint32(0, true);
    const entries = view.getUint32(4, true);
    if (length === 0) {
      const isWhole = entries === load.id && blockCrc(head, head, 0, 0) === view.getUint32(8, true);
      return isWhole ? undefined : "has a damaged end";
    }
    if (length > BLOCK_PAYLOAD_BYTES_MAX) return "has a damaged block";
    // A few bytes more: the decoder looks a little behind the end before it sees that it is there.
    if (bytes.length < length + SLACK_BYTES) bytes = new Uint8Array(length + SLACK_BYTES);
    position += BLOCK_HEADER_BYTES;
    if (source.readAt(bytes, 0, length, position) < length) return "is cut off";
    if (blockCrc(head, bytes, 0, length) !== view.getUint32(8, true)) return "has a damaged block";
    if (!decoder.decode(bytes, length, entries)) return "has a block that cannot be decoded";
    position += length;
  }
}
