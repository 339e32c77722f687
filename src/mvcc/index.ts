export type { CheckpointProgress, CheckpointSink, CheckpointSource } from "./checkpoint/index.ts";
export { CheckpointWriter } from "./checkpoint/index.ts";
export type { CompactionResult } from "./compaction.ts";
export type { KeyValueHash } from "./key-value-hash.ts";
export { KeyValueHashTask } from "./key-value-hash.ts";
export { encodeDeleted, encodeRecord, RecordReader, recordKey } from "./record.ts";
export { StoreLoader } from "./restore.ts";
export type { KeyRevisions, StoreOptions } from "./store.ts";
export { Store } from "./store.ts";
export type { DeleteResult, StoreTransaction } from "./store-transaction.ts";
export type {
  ChangeBatch,
  ChangeEvent,
  ChangeSource,
  RangeOptions,
  RangeResult,
  RevisionProblem,
} from "./types.ts";
