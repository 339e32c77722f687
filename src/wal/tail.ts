/**
 * Judges the place where the newest segment stops verifying: the plain end, a batch torn by a crash (its
 * write was never synced, so nobody was told that it is durable), or damage to synced data.
 *
 * It is damage if
 *   - an intact header of a later batch stands anywhere behind: it was written after this place was synced; or
 *   - no sector of the batch is as it was before the write. A crash leaves each 512-byte sector either written
 *     or not; if all were written and it still does not verify, the bytes changed afterwards.
 * What stays undecidable: a newest batch, not followed by a mark, with a sector of zeros where data was.
 */
import { equalBytes } from "../base/bytes.ts";
import type { BodyDamage } from "./batch-body.ts";
import { type BatchHeader, readBatchHeader, writeBatchHeader } from "./batch-header.ts";
import { BATCH_HEADER_BYTES, FLAG_CLOSED, FLAG_MARK, SECTOR_BYTES } from "./format.ts";
import type { ChainState, SegmentEnd } from "./segment-reader.ts";
import type { SegmentWindow } from "./segment-window.ts";

export type TailFinding =
  | { readonly kind: "no-header" }
  | { readonly kind: "mark"; readonly closed: boolean }
  | { readonly kind: "bad-body"; readonly header: BatchHeader; readonly damage: BodyDamage };

/**
 * How far behind the end a start-up looks for bytes that should not be there. Reading all of a preallocated
 * segment takes some 100 ms; a hole longer than this, all zeros, with batches behind it, is left to `verify`
 * and to the commit index, which recovery compares with the last entry.
 */
const LOOK_BEHIND_BYTES = 4 << 20;

const MAGIC_FIRST_BYTE = 0x43;

export function judgeTail(
  window: SegmentWindow,
  chain: ChainState,
  finding: TailFinding,
  thorough: boolean,
): SegmentEnd {
  const start = chain.offset;
  const end: SegmentEnd = { kind: "end", closed: finding.kind === "mark" && finding.closed };
  const contentFrom = finding.kind === "mark" ? start + BATCH_HEADER_BYTES : start;
  const lookTo = thorough ? window.sizeBytes : contentFrom + LOOK_BEHIND_BYTES;
  if (finding.kind !== "bad-body" && window.firstNonZero(contentFrom, lookTo) < 0) {
    // A file that is too short is found by its preallocated size, which the segment start tells.
    return end;
  }
  const later = findLaterHeader(window, chain);
  if (later !== null) {
    const what = finding.kind === "bad-body" ? finding.damage.reason : "a batch is missing";
    const proof = `batch ${later.number} at offset ${later.offset} was written after this was synced`;
    const lost = `entries after ${chain.previous.lastIndex} up to ${later.previous.lastIndex} are affected`;
    return { kind: "damage", offset: start, reason: `${what}; ${proof}; ${lost}` };
  }
  return tornOrChanged(window, chain, finding);
}

function tornOrChanged(window: SegmentWindow, chain: ChainState, finding: TailFinding): SegmentEnd {
  const start = chain.offset;
  const bytes = window.endOfNonZero(start) - start;
  const torn = (reason: string): SegmentEnd => ({ kind: "torn", offset: start, bytes, reason });
  if (finding.kind === "mark") return torn("a batch behind the mark was not written whole");
  if (finding.kind === "no-header") {
    if (bytes <= BATCH_HEADER_BYTES) return torn("a mark was not written whole");
    if (hasUnwrittenSector(window, chain, start + BATCH_HEADER_BYTES)) {
      return torn("the header of the last batch was not written");
    }
    return { kind: "damage", offset: start, reason: "the header of the last batch was changed" };
  }
  const { header, damage } = finding;
  const batchEnd = start + header.bytes;
  if (batchEnd > window.sizeBytes) return torn(damage.reason);
  if (hasUnwrittenSector(window, chain, batchEnd)) return torn(damage.reason);
  return { kind: "damage", offset: start + damage.offset, reason: damage.reason };
}

/** An intact header behind the end, of this segment and log, with a number above the one that belongs here. */
function findLaterHeader(window: SegmentWindow, chain: ChainState): BatchHeader | null {
  const first = chain.offset + 8; // batches stand at multiples of 8
  let at = first;
  for (;;) {
    const nonZero = window.firstNonZero(at, window.sizeBytes);
    if (nonZero < 0) return null;
    at = nonZero - ((nonZero - first) % 8);
    const local = window.locate(at, BATCH_HEADER_BYTES);
    if (local < 0) return null;
    // All that the window holds, before asking for the next byte that is not zero.
    const last = window.bytes.length - BATCH_HEADER_BYTES;
    for (let i = local; i <= last; i += 8) {
      if (window.bytes[i] !== MAGIC_FIRST_BYTE) continue;
      const header = readBatchHeader(window.bytes, i);
      if (header !== null && isLater(header, window.start + i, chain)) return header;
    }
    at = window.start + last + 8 - ((last - local) % 8);
  }
}

function isLater(header: BatchHeader, at: number, chain: ChainState): boolean {
  return (
    header.offset === at &&
    header.segment === chain.segment &&
    header.logId === chain.logId &&
    header.number > chain.nextNumber
  );
}

/** Whether some sector of [start of the batch, end) still holds what was there before: zeros or a mark. */
function hasUnwrittenSector(window: SegmentWindow, chain: ChainState, end: number): boolean {
  const start = chain.offset;
  const local = window.locate(start, Math.min(end, window.sizeBytes) - start);
  if (local < 0) return true;
  const present = window.bytes.subarray(local, local + end - start);
  for (const before of imagesBefore(chain, end - start)) {
    let from = 0;
    while (from < present.length) {
      const to = Math.min(nextSector(start + from) - start, present.length);
      if (equalBytes(present.subarray(from, to), before.subarray(from, to))) return true;
      from = to;
    }
  }
  return false;
}

function nextSector(position: number): number {
  return (Math.floor(position / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}

/** What may have been in the place of a batch before it was written: zeros, an idle mark, a closing mark. */
function imagesBefore(chain: ChainState, length: number): Uint8Array[] {
  const images = [new Uint8Array(length)];
  for (const flags of [FLAG_MARK, FLAG_MARK | FLAG_CLOSED]) {
    const image = new Uint8Array(Math.max(length, BATCH_HEADER_BYTES));
    writeMark(image, chain, flags);
    images.push(image);
  }
  return images;
}

/** Writes the mark for this place in the log at the start of `bytes`. */
export function writeMark(bytes: Uint8Array, chain: ChainState, flags: number): void {
  writeBatchHeader(bytes, 0, {
    offset: chain.offset,
    bytes: BATCH_HEADER_BYTES,
    crc: 0,
    recordCount: 0,
    lastIndex: chain.previous.lastIndex,
    lastTerm: chain.previous.lastTerm,
    number: chain.nextNumber,
    segment: chain.segment,
    flags,
    directoryCrc: 0,
    logId: chain.logId,
    previous: chain.previous,
  });
}
