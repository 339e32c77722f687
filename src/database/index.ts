export type { Cursor } from "../bbolt/index.ts";
export { BackendHash } from "./backend-hash.ts";
export type { BucketName } from "./buckets.ts";
export {
  BUCKET_NAMES,
  META_CONF_STATE,
  META_CONSISTENT_INDEX,
  META_FINISHED_COMPACTION,
  META_SCHEDULED_COMPACTION,
  META_STORAGE_VERSION,
  META_TERM,
} from "./buckets.ts";
export { CheckpointFile } from "./checkpoint-file.ts";
export type { DatabaseOptions } from "./database.ts";
export { Database } from "./database.ts";
export { DatabaseDamage } from "./database-damage.ts";
export { DatabaseImage } from "./database-image.ts";
export type { DatabaseSnapshot } from "./database-snapshot.ts";
export type { Defragmentation } from "./defragmentation.ts";
export { isRevisionKey, revisionKey, revisionKeyMain, revisionKeySub } from "./revision-key.ts";
export type { RevisionRows } from "./revision-rows.ts";
