/** The buckets of etcd's schema, and the names of the meta bucket's keys. */
import { utf8 } from "../base/bytes.ts";

/** In the order in which they are created; bbolt itself sorts them by name. */
export const BUCKET_NAMES = [
  "key",
  "meta",
  "lease",
  "auth",
  "authUsers",
  "authRoles",
  "members",
  "members_removed",
  "cluster",
  "alarm",
] as const;

export type BucketName = (typeof BUCKET_NAMES)[number];

export const META_CONSISTENT_INDEX: Uint8Array = utf8("consistent_index");
export const META_TERM: Uint8Array = utf8("term");
export const META_CONF_STATE: Uint8Array = utf8("confState");
export const META_SCHEDULED_COMPACTION: Uint8Array = utf8("scheduledCompactRev");
export const META_FINISHED_COMPACTION: Uint8Array = utf8("finishedCompactRev");
export const META_STORAGE_VERSION: Uint8Array = utf8("storageVersion");

const encoded = new Map(BUCKET_NAMES.map((name) => [name, utf8(name)]));

/** The bytes of a bucket's name. */
export function bucketNameBytes(name: BucketName): Uint8Array {
  return encoded.get(name)!;
}
