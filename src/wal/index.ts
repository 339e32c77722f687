export type {
  HardState,
  SnapshotMark,
  TornTail,
  WalEntry,
  WalMetadata,
  WalObserver,
  WalOptions,
  WalRecovery,
  WalStatistics,
} from "./types.ts";
export { EMPTY_HARD_STATE } from "./types.ts";
export { WalDamage } from "./wal-damage.ts";
export { WriteAheadLog } from "./write-ahead-log.ts";
