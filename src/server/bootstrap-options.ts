/** What a member is started from, and what its disk gave: the two ends of the start decision (bootstrap.ts). */
import type { Database } from "../database/index.ts";
import type { Clock, Disk, DiskError, Logger } from "../io/index.ts";
import type { PeerAddress } from "../peer/index.ts";
import type { Configuration, Entry } from "../raft/index.ts";
import type {
  HardState,
  SnapshotMark,
  WalObserver,
  WalOptions,
  WriteAheadLog,
} from "../wal/index.ts";
import type { FirstStartSettings } from "./first-start.ts";

export interface BootstrapOptions extends FirstStartSettings {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dataDirectory: string;
  readonly walDirectory: string;
  /** Only tests need segments of another size. */
  readonly walSegmentBytes?: number;
  readonly walObserver?: WalObserver;
  /** Restart with this member's data as a cluster of one. */
  readonly forceNewCluster?: boolean;
  readonly pageCacheBytes: number;
  /** A write or sync of log or database failed: the process must end before it acknowledges anything. */
  readonly onDiskFailure: (error: DiskError) => void;
}

export interface Bootstrapped extends MemberPaths {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly isNew: boolean;
  readonly database: Database;
  readonly wal: WriteAheadLog;
  readonly hardState: HardState;
  /** What stands right before the first of the entries; index and term 0 where the log begins. */
  readonly previous: SnapshotMark;
  /** What the log holds after `previous`, without a gap; may begin at or below the applied index. */
  readonly entries: readonly Entry[];
  /** The members as of the database's applied index. */
  readonly configuration: Configuration;
  /** Others that are known already while the state names nobody: the initial cluster, or the one to join. */
  readonly remotes: readonly PeerAddress[];
}

export interface MemberPaths {
  readonly snapshotDirectory: string;
  readonly databasePath: string;
}

export function walOptions(options: BootstrapOptions): WalOptions {
  const { disk, clock, walDirectory, walSegmentBytes, walObserver } = options;
  return {
    disk,
    directory: walDirectory,
    clock,
    ...(walSegmentBytes === undefined ? {} : { segmentBytes: walSegmentBytes }),
    ...(walObserver === undefined ? {} : { observer: walObserver }),
  };
}
