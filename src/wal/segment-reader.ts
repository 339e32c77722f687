/**
 * Reads one segment batch by batch and says how it ends. Called by recovery and by the read-only check.
 *
 * What must hold: a batch is written only after the one before it was synced. So an intact header of batch n
 * (a mark counts as one) proves that every batch before n was synced, and whatever before it does not verify
 * is damage. Only the newest batch can be torn by a crash; see tail.ts for how its end is judged.
 */
import type { DiskFile } from "../io/index.ts";
import { type BodyDamage, checkBody, type RecordSink, visitRecords } from "./batch-body.ts";
import {
  type BatchHeader,
  type BatchIdentity,
  NO_BATCH,
  readBatchHeader,
  sameIdentity,
} from "./batch-header.ts";
import { BATCH_HEADER_BYTES, FLAG_CLOSED, FLAG_MARK, FLAG_SEGMENT_START } from "./format.ts";
import type { SegmentName } from "./segment-name.ts";
import { SegmentWindow } from "./segment-window.ts";
import { judgeTail } from "./tail.ts";

/** The place in the log up to which everything verified. */
export interface ChainState {
  segment: number;
  /** Where the next batch of this segment stands or will stand. */
  offset: number;
  nextNumber: number;
  /** The newest whole batch. Its offset is one in the segment it lies in. */
  previous: BatchIdentity;
  /** 0 until the first header was seen. */
  logId: number;
}

export type SegmentEnd =
  | { readonly kind: "end"; readonly closed: boolean }
  | {
      readonly kind: "torn";
      readonly offset: number;
      readonly bytes: number;
      readonly reason: string;
    }
  | { readonly kind: "damage"; readonly offset: number; readonly reason: string };

export interface SegmentInput {
  readonly file: DiskFile;
  readonly name: SegmentName;
  /** The first header of the next segment: proof of how this one must end. Null for the newest segment. */
  readonly next: BatchHeader | null;
  /** Read every byte behind the end too, not only the next few MB. */
  readonly thorough: boolean;
  /** Called behind the first batch; may move the chain over batches that need not be read. */
  readonly afterStart?: ((chain: ChainState) => SegmentEnd | null) | undefined;
}

export function startState(): ChainState {
  return { segment: 0, offset: 0, nextNumber: 0, previous: NO_BATCH, logId: 0 };
}

/** The header that a segment begins with, or null where it is not intact. */
export function readFirstHeader(file: DiskFile): BatchHeader | null {
  const bytes = new Uint8Array(BATCH_HEADER_BYTES);
  if (file.readAt(bytes, 0, bytes.length, 0) < bytes.length) return null;
  return readBatchHeader(bytes, 0);
}

/** Reads the segment from its first batch on. `chain` is moved forward over every batch that verifies. */
export function readSegment(input: SegmentInput, chain: ChainState, sink: RecordSink): SegmentEnd {
  const window = new SegmentWindow(input.file);
  chain.segment = input.name.sequence;
  chain.offset = 0;
  for (;;) {
    const at = window.locate(chain.offset, BATCH_HEADER_BYTES);
    const header = at < 0 ? null : readBatchHeader(window.bytes, at);
    if (header === null) return endWithoutHeader(input, window, chain);
    const mismatch = checkPlace(header, chain);
    if (mismatch !== null) return { kind: "damage", offset: chain.offset, reason: mismatch };
    if ((header.flags & FLAG_MARK) !== 0) return endWithMark(input, window, chain, header);
    const bodyAt = window.locate(chain.offset, header.bytes);
    const damage =
      bodyAt < 0
        ? {
            offset: 0,
            reason: `a batch of ${header.bytes} bytes reaches beyond the end of the file`,
          }
        : checkBody(window.bytes, bodyAt, header);
    if (damage !== null) return endInBatch(input, window, chain, header, damage);
    const problem = visitRecords(window.bytes, bodyAt, header, sink);
    if (problem !== null) {
      return { kind: "damage", offset: chain.offset + problem.offset, reason: problem.reason };
    }
    advance(chain, header);
    const ended = (header.flags & FLAG_SEGMENT_START) !== 0 && input.afterStart?.(chain);
    if (ended) return ended;
  }
}

/** Moves the chain over a batch. */
export function advance(chain: ChainState, header: BatchHeader): void {
  const { offset, bytes, crc, recordCount, lastIndex, lastTerm } = header;
  chain.previous = { offset, bytes, crc, recordCount, lastIndex, lastTerm };
  chain.offset += header.bytes;
  chain.nextNumber = header.number + 1;
  chain.logId = header.logId;
}

/** An intact header must also be the one that belongs here. Returns what is wrong with it. */
export function checkPlace(header: BatchHeader, chain: ChainState): string | null {
  if (header.segment !== chain.segment) return `a batch of segment ${header.segment}`;
  if (header.offset !== chain.offset) return `a batch that belongs at offset ${header.offset}`;
  const starts = (header.flags & FLAG_SEGMENT_START) !== 0;
  if (starts !== (chain.offset === 0)) return "a segment start in the wrong place";
  if (chain.logId === 0) return null; // the first batch that is read at all: nothing to compare with
  if (header.logId !== chain.logId) return "a batch of another member's log";
  if (header.number !== chain.nextNumber) {
    return `batch ${header.number} where batch ${chain.nextNumber} belongs`;
  }
  if (!sameIdentity(header.previous, chain.previous))
    return "the batch before is not the one meant";
  return null;
}

function endWithMark(
  input: SegmentInput,
  window: SegmentWindow,
  chain: ChainState,
  mark: BatchHeader,
): SegmentEnd {
  const closed = (mark.flags & FLAG_CLOSED) !== 0;
  if (input.next !== null) return endOfOlderSegment(input.next, chain, "");
  return judgeTail(window, chain, { kind: "mark", closed }, input.thorough);
}

function endWithoutHeader(
  input: SegmentInput,
  window: SegmentWindow,
  chain: ChainState,
): SegmentEnd {
  if (chain.offset === 0) {
    return { kind: "damage", offset: 0, reason: "the segment's first batch has no intact header" };
  }
  if (input.next !== null) {
    return endOfOlderSegment(input.next, chain, "the header of a batch is damaged or missing");
  }
  return judgeTail(window, chain, { kind: "no-header" }, input.thorough);
}

function endInBatch(
  input: SegmentInput,
  window: SegmentWindow,
  chain: ChainState,
  header: BatchHeader,
  damage: BodyDamage,
): SegmentEnd {
  const { offset, reason } = damage;
  if (input.next !== null || chain.offset === 0) {
    return { kind: "damage", offset: chain.offset + offset, reason };
  }
  return judgeTail(window, chain, { kind: "bad-body", header, damage }, input.thorough);
}

/** A segment that has a successor must hold exactly what the successor's first header says. */
function endOfOlderSegment(next: BatchHeader, chain: ChainState, reason: string): SegmentEnd {
  const whole = next.number === chain.nextNumber && sameIdentity(next.previous, chain.previous);
  if (whole) return { kind: "end", closed: false };
  const lost = `batches ${chain.nextNumber} to ${next.number - 1}, entries up to index ${next.lastIndex}`;
  return {
    kind: "damage",
    offset: chain.offset,
    reason: `${reason === "" ? "a mark stands too early" : reason}; missing are ${lost}`,
  };
}
