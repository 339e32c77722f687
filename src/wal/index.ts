export { isEtcdLog } from "./etcd-log.ts";
export { makeLogDurable, newestSnapshotMark } from "./recovery.ts";
export type { LoadedSnapshot, RaftSnapshot } from "./snapshot-file.ts";
export { loadNewestSnapshot, purgeSnapshots, saveSnapshot } from "./snapshot-file.ts";
export type {
  HardState,
  SnapshotMark,
  TornTail,
  WalBeginning,
  WalEntry,
  WalMetadata,
  WalObserver,
  WalOptions,
  WalRecovery,
  WalStatistics,
} from "./types.ts";
export { EMPTY_BEGINNING, EMPTY_HARD_STATE } from "./types.ts";
export type { WalReport } from "./verify-log.ts";
export { verifyLog } from "./verify-log.ts";
export { WalDamage } from "./wal-damage.ts";
export { WriteAheadLog } from "./write-ahead-log.ts";
