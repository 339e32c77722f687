/**
 * What members ask each other to compare their data, under the name `hash-kv`. Bodies are CBOR arrays of numbers:
 *
 *   question   [revision, compact revision]   what is the hash of these two
 *   answer     status 0: [hash, compact revision, hashed revision, current revision]
 *              status 1: [current revision]                     the revision is compacted there
 *              status 2: [current revision]                     it is not reached there yet
 *              status 3: []                                     too many such questions wait there already
 *              status 4: [compact revision, current revision]   another compact revision is the newest there, and
 *                                                               no hash is kept from when this one was
 *
 * Decoders return null for anything else.
 */
import { CborError, decodeCbor, encodeCbor } from "../base/cbor.ts";
import type { KeyValueHash, RevisionProblem } from "../mvcc/index.ts";
import type { PeerAnswer } from "../peer/index.ts";

export const HASH_KV = "hash-kv";

/** What another member says about its data at a revision. */
export type HashAnswer =
  | { readonly kind: "hash"; readonly hash: KeyValueHash; readonly currentRevision: number }
  | { readonly kind: RevisionProblem; readonly currentRevision: number }
  | {
      readonly kind: "other-compaction";
      readonly compactRevision: number;
      readonly currentRevision: number;
    }
  | { readonly kind: "busy" };

export interface HashQuestion {
  readonly revision: number;
  readonly compactRevision: number;
}

const STATUS_HASH = 0;
const STATUS_COMPACTED = 1;
const STATUS_FUTURE = 2;
const STATUS_BUSY = 3;
const STATUS_OTHER_COMPACTION = 4;

const HASH_END = 2 ** 32;

export function encodeHashQuestion({ revision, compactRevision }: HashQuestion): Uint8Array {
  return encodeCbor([revision, compactRevision]);
}

export function decodeHashQuestion(body: Uint8Array): HashQuestion | null {
  const numbers = decodeNumbers(body, 2);
  if (numbers === null || numbers[0]! < 1) return null;
  return { revision: numbers[0]!, compactRevision: numbers[1]! };
}

export function encodeHashAnswer(answer: HashAnswer): PeerAnswer {
  switch (answer.kind) {
    case "hash": {
      const { hash, compactRevision, hashRevision } = answer.hash;
      const body = encodeCbor([hash, compactRevision, hashRevision, answer.currentRevision]);
      return { status: STATUS_HASH, body };
    }
    case "compacted":
      return { status: STATUS_COMPACTED, body: encodeCbor([answer.currentRevision]) };
    case "future":
      return { status: STATUS_FUTURE, body: encodeCbor([answer.currentRevision]) };
    case "busy":
      return { status: STATUS_BUSY, body: encodeCbor([]) };
    case "other-compaction": {
      const body = encodeCbor([answer.compactRevision, answer.currentRevision]);
      return { status: STATUS_OTHER_COMPACTION, body };
    }
  }
}

const NUMBERS_BY_STATUS: readonly number[] = [4, 1, 1, 0, 2];

export function decodeHashAnswer({ status, body }: PeerAnswer): HashAnswer | null {
  const count = NUMBERS_BY_STATUS[status];
  if (count === undefined) return null;
  const numbers = decodeNumbers(body, count);
  if (numbers === null) return null;
  const currentRevision = numbers[count - 1]!;
  switch (status) {
    case STATUS_HASH: {
      const [hash, compactRevision, hashRevision] = numbers as [number, number, number, number];
      if (hash < 0 || hash >= HASH_END) return null;
      return { kind: "hash", hash: { hash, compactRevision, hashRevision }, currentRevision };
    }
    case STATUS_COMPACTED:
      return { kind: "compacted", currentRevision };
    case STATUS_FUTURE:
      return { kind: "future", currentRevision };
    case STATUS_BUSY:
      return { kind: "busy" };
    default:
      return { kind: "other-compaction", compactRevision: numbers[0]!, currentRevision };
  }
}

/** Exactly `count` integers; a compact revision may be -1. */
function decodeNumbers(body: Uint8Array, count: number): number[] | null {
  try {
    const value = decodeCbor(body);
    if (!Array.isArray(value) || value.length !== count) return null;
    return value.every((item) => Number.isSafeInteger(item) && item >= -1) ? value : null;
  } catch (error) {
    if (error instanceof CborError) return null;
    throw error;
  }
}
