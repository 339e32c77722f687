/** The values that the write-ahead log stores and gives back. */
import type { Clock, Disk } from "../io/index.ts";

/** One raft log entry. `kind` 0 is a normal command, 1 a membership change. */
export interface WalEntry {
  readonly term: number;
  readonly index: number;
  readonly kind: number;
  readonly data: Uint8Array;
}

/** What raft must never forget: current term, the vote in it (0n: none), and the known commit index. */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

/** Whose log this is. */
export interface WalMetadata {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** What a new log holds from the moment it exists: entries from index 1 on. */
export interface WalBeginning {
  readonly entries: readonly WalEntry[];
  readonly hardState: HardState;
}

/** A snapshot of everything up to `index` exists (or was received). */
export interface SnapshotMark {
  readonly index: number;
  readonly term: number;
}

export interface WalOptions {
  readonly disk: Disk;
  /** Holds the segments, usually <data>/member/wal. Its parent must exist. */
  readonly directory: string;
  /** Size of a preallocated segment; tests take tiny ones. */
  readonly segmentBytes?: number;
  /** For durations and the idle mark; without it neither exists. */
  readonly clock?: Clock;
  readonly observer?: WalObserver;
}

/** Told about durations, for metrics. All in seconds; needs a clock. */
export interface WalObserver {
  written?(seconds: number, bytes: number): void;
  synced?(seconds: number): void;
  /** Changing over to the next segment, all of it. */
  cut?(seconds: number): void;
}

export interface WalStatistics {
  readonly writtenBytes: number;
  readonly entryCount: number;
  readonly batchCount: number;
  readonly syncCount: number;
  readonly cutCount: number;
  readonly markCount: number;
  readonly pendingBytes: number;
  readonly segmentCount: number;
}

/** What opening found behind the newest complete batch and wiped: bytes of one batch that was never synced. */
export interface TornTail {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
}

export interface WalRecovery {
  readonly metadata: WalMetadata;
  readonly hardState: HardState;
  /** What stands right before the first entry; its term is -1 where the log does not tell. */
  readonly previous: SnapshotMark;
  /** Entries after `previous`, without a gap. */
  readonly entries: WalEntry[];
  readonly tornTail: TornTail | null;
  /** Marks found in the segments that were read, oldest first. */
  readonly snapshotMarks: SnapshotMark[];
  /** True if the log was closed in good order. */
  readonly cleanlyClosed: boolean;
}

export const EMPTY_HARD_STATE: HardState = { term: 0, vote: 0n, commit: 0 };

export const EMPTY_BEGINNING: WalBeginning = { entries: [], hardState: EMPTY_HARD_STATE };
