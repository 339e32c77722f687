/** What a member sends as its snapshot, into a file: the database, then the 32 bytes of its SHA-256. */
import { EtcdError, GrpcCode, type SnapshotResponse } from "../../api/index.ts";
import { bytesToHex, equalBytes } from "../../base/bytes.ts";
import type { DiskFile, NewDigest } from "../../io/index.ts";

export const DIGEST_BYTES = 32;

/** Writes the blobs one behind the other and checks that the last 32 bytes are the digest of the rest. */
export async function writeSnapshot(
  newDigest: NewDigest,
  file: DiskFile,
  responses: AsyncIterable<SnapshotResponse>,
): Promise<number> {
  const digest = newDigest("sha256");
  let position = 0;
  let held = new Uint8Array(0);
  for await (const { blob } of responses) {
    file.writeAt(blob, 0, blob.length, position);
    position += blob.length;
    // The last bytes may be the digest itself, so they are held back from the sum.
    const known = new Uint8Array(held.length + blob.length);
    known.set(held);
    known.set(blob, held.length);
    const summed = Math.max(0, known.length - DIGEST_BYTES);
    digest.update(known.subarray(0, summed));
    held = known.slice(summed);
  }
  const sum = digest.finish();
  if (!equalBytes(sum, held)) {
    throw new EtcdError(
      GrpcCode.DataLoss,
      `the snapshot arrived damaged: expected sha256 ${bytesToHex(held)}, got ${bytesToHex(sum)}`,
    );
  }
  return position;
}
