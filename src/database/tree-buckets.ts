/** The server's buckets in a tree: made once, there ever after. */
import { assert } from "../base/assert.ts";
import type { BucketReader, BucketWriter, TreeFile } from "../bbolt/index.ts";
import { BUCKET_NAMES, type BucketName, bucketNameBytes } from "./buckets.ts";

/** Makes those that the file does not have, durable. */
export function createBuckets(tree: TreeFile): void {
  const reader = tree.beginRead();
  const missing = BUCKET_NAMES.some(
    (name) => reader.root().bucket(bucketNameBytes(name)) === undefined,
  );
  reader.close();
  if (!missing) return;
  const writer = tree.beginWrite();
  for (const name of BUCKET_NAMES) writer.root().createBucketIfMissing(bucketNameBytes(name));
  writer.commitNow();
}

export function bucketOf(root: BucketWriter, name: BucketName): BucketWriter;
export function bucketOf(root: BucketReader, name: BucketName): BucketReader;
export function bucketOf(root: BucketReader, name: BucketName): BucketReader {
  const bucket = root.bucket(bucketNameBytes(name));
  assert(bucket !== undefined, `bucket ${name} exists`);
  return bucket;
}
