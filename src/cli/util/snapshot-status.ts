/**
 * Describes a saved snapshot, or the database file of a stopped member: a checksum over its content, the last
 * revision, the number of entries and the size. First the file is checked: its SHA-256 when it carries one, then
 * that every page is in its place.
 */

import { bytesToHex, equalBytes, utf8 } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { type BucketReader, TreeCheck, TreeDamage, TreeFile } from "../../bbolt/index.ts";
import type { DiskFile, NewDigest } from "../../io/index.ts";

const PAGE_CACHE_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 1 << 20;
const DIGEST_BYTES = 32;
/** Database files end at a multiple of this; what lies behind is the digest. */
const ALIGNMENT_BYTES = 512;
const REVISION_BYTES = 8;

export interface SnapshotStatus {
  readonly hash: number;
  readonly revision: number;
  readonly totalKeys: number;
  readonly sizeBytes: number;
}

/** The status, or what is wrong with the file. */
export function snapshotStatus(
  file: DiskFile,
  newDigest: NewDigest,
): SnapshotStatus | { failure: string } {
  try {
    const tree = TreeFile.open(file, { readOnly: true, pageCacheBytes: PAGE_CACHE_BYTES });
    const digestFailure = checkDigest(file, newDigest);
    if (digestFailure !== null) return { failure: digestFailure };
    const read = tree.beginRead();
    try {
      const problems = new TreeCheck(read).run();
      if (problems.length > 0) {
        const count = `${problems.length} errors found.`;
        return {
          failure: `snapshot file integrity check failed. ${count}\n${problems.join("\n")}`,
        };
      }
      return { ...contentOf(read.root()), sizeBytes: tree.sizeBytes() };
    } finally {
      read.close();
    }
  } catch (error) {
    if (error instanceof TreeDamage) return { failure: `invalid database: ${error.message}` };
    throw error;
  }
}

/** Null when the digest fits or there is none, as in a file copied out of a data directory. */
function checkDigest(file: DiskFile, newDigest: NewDigest): string | null {
  const fileBytes = file.sizeBytes();
  if (fileBytes % ALIGNMENT_BYTES !== DIGEST_BYTES) return null;
  const digest = newDigest("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  const contentBytes = fileBytes - DIGEST_BYTES;
  for (let position = 0; position < contentBytes; ) {
    const wanted = Math.min(chunk.length, contentBytes - position);
    const count = file.readAt(chunk, 0, wanted, position);
    if (count === 0) break;
    digest.update(chunk.subarray(0, count));
    position += count;
  }
  const expected = new Uint8Array(DIGEST_BYTES);
  file.readAt(expected, 0, DIGEST_BYTES, contentBytes);
  const actual = digest.finish();
  if (equalBytes(expected, actual)) return null;
  return `expected sha256 ${bytesToHex(expected)}, got ${bytesToHex(actual)}`;
}

function contentOf(root: BucketReader): { hash: number; revision: number; totalKeys: number } {
  let hash = 0;
  let revision = 0;
  let totalKeys = 0;
  const keyBucket = utf8("key");
  const buckets = root.cursor();
  for (let more = buckets.first(); more; more = buckets.next()) {
    const name = buckets.key();
    const bucket = root.bucket(name);
    if (bucket === undefined) continue;
    hash = crc32c(name, hash);
    const isKeys = equalBytes(name, keyBucket);
    const entries = bucket.cursor();
    for (let entry = entries.first(); entry; entry = entries.next()) {
      const key = entries.key();
      hash = crc32c(key, hash);
      if (!entries.isBucket()) hash = crc32c(entries.value(), hash);
      totalKeys++;
      if (isKeys && key.length >= REVISION_BYTES) revision = mainRevision(key);
    }
  }
  return { hash, revision, totalKeys };
}

/** Keys of the key bucket begin with the revision as a big-endian 64-bit number. */
function mainRevision(key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, REVISION_BYTES);
  return Number(view.getBigUint64(0));
}
