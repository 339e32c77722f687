/**
 * What a member tells about itself in numbers: a sample that is taken when somebody asks (MetricsSource, the
 * server implements it), and histograms that the server's layers feed as they work (MemberInstruments). The
 * metrics page (http) gives both their etcd names.
 */
import { Counter, exponentialBuckets, Gauge, Histogram, Labelled } from "../base/metrics.ts";

/** The state of a member at one moment. Totals count since the process started. */
export interface MemberSample {
  readonly memberId: bigint;
  readonly serverVersion: string;
  /** Major and minor, "" while undecided. */
  readonly clusterVersion: string;
  readonly hasLeader: boolean;
  readonly isLeader: boolean;
  readonly isLearner: boolean;
  readonly leaderChangesTotal: number;
  readonly proposalsCommittedIndex: number;
  readonly proposalsAppliedIndex: number;
  readonly proposalsPending: number;
  readonly proposalsFailedTotal: number;
  readonly readIndexesFailedTotal: number;
  readonly slowReadIndexesTotal: number;
  readonly slowApplyTotal: number;
  /** Heartbeats that a leader sent more than an interval late. */
  readonly heartbeatSendFailuresTotal: number;
  /** Received snapshots that are being made the state. */
  readonly snapshotAppliesInProgress: number;
  /** Times that the log's disk finished no sync for an election timeout. */
  readonly diskStallsTotal: number;
  /** How long the oldest unfinished sync of the log has been running. */
  readonly diskStalledSeconds: number;
  readonly quotaBytes: number;
  /** Active alarms: the member each is about, and its name such as NOSPACE. */
  readonly alarms: readonly { readonly memberId: bigint; readonly type: string }[];
  /** Feature gates: etcd's name and stage (ALPHA, BETA, or "" for general use). */
  readonly features: readonly {
    readonly name: string;
    readonly stage: string;
    readonly enabled: boolean;
  }[];

  readonly databaseBytes: number;
  readonly databaseBytesInUse: number;
  readonly openReadTransactions: number;
  readonly walWrittenBytes: number;

  readonly rangesTotal: number;
  readonly putsTotal: number;
  readonly deletesTotal: number;
  readonly txnsTotal: number;
  readonly putBytesTotal: number;
  readonly keys: number;
  readonly currentRevision: number;
  readonly compactRevision: number;
  readonly compactedKeysTotal: number;
  /** When the last compaction finished, in seconds since 1970; 0 before the first. */
  readonly lastCompactionSeconds: number;

  readonly eventsTotal: number;
  readonly pendingEvents: number;
  readonly watchers: number;
  readonly slowWatchers: number;
  readonly watchStreams: number;

  readonly leasesGrantedTotal: number;
  readonly leasesRenewedTotal: number;
  readonly leasesRevokedTotal: number;
  readonly leasesExpiredTotal: number;
}

/** What the operating system says about the process; a field that it does not tell is undefined. */
export interface ProcessSample {
  readonly cpuSeconds: number | undefined;
  readonly residentBytes: number | undefined;
  readonly virtualBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly openFilesMax: number | undefined;
  /** Since 1970. */
  readonly startSeconds: number | undefined;
}

/** What is known of another member at one moment. Totals count since the process started. */
export interface PeerSample {
  readonly memberId: bigint;
  readonly isActive: boolean;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly sendFailures: number;
  readonly receiveFailures: number;
  readonly disconnects: number;
  readonly snapshotsSent: number;
  readonly snapshotSendFailures: number;
  readonly snapshotsReceived: number;
  readonly snapshotReceiveFailures: number;
  readonly roundTripSeconds: Histogram;
}

export interface MetricsSource {
  member(): MemberSample;
  peers(): readonly PeerSample[];
  process(): ProcessSample;
}

/** Durations of disk work and of requests, in etcd's buckets. Feeding them costs nanoseconds. */
export class MemberInstruments {
  readonly walFsyncSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly walWriteSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly backendCommitSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly backendRebalanceSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly backendSpillSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly backendWriteSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly backendDefragSeconds = new Histogram(exponentialBuckets(0.1, 2, 13));
  readonly backendSnapshotSeconds = new Histogram(exponentialBuckets(0.01, 2, 17));
  readonly defragsInFlight = new Gauge();

  readonly hashSeconds = new Histogram(exponentialBuckets(0.01, 2, 15));
  readonly hashRevisionSeconds = new Histogram(exponentialBuckets(0.01, 2, 15));
  readonly compactionPauseMs = new Histogram(exponentialBuckets(1, 2, 13));
  readonly compactionMs = new Histogram(exponentialBuckets(100, 2, 14));
  readonly indexCompactionPauseMs = new Histogram(exponentialBuckets(0.5, 2, 14));

  /** By op (the name of the request in the log) and success ("true", "false"). */
  readonly applySeconds = new Labelled(() => new Histogram(exponentialBuckets(0.0001, 2, 20)));
  /** By request type and success. */
  readonly requestSeconds = new Labelled(() => new Histogram(exponentialBuckets(0.001, 2, 14)));
  /** By success. */
  readonly rangeSeconds = new Labelled(() => new Histogram(exponentialBuckets(0.0001, 2, 20)));
  /** By type ("unary", "stream") and client_api_version. */
  readonly clientRequests = new Labelled(() => new Counter());
  readonly learnerPromotions = new Counter();
  /** By Reason, the text of the error. */
  readonly learnerPromotionFailures = new Labelled(() => new Counter());
  readonly leaseTtlSeconds = new Histogram(exponentialBuckets(1, 2, 24));
  /** By Type ("send", "receive") and API ("watch", "lease-keepalive"). */
  readonly streamFailures = new Labelled(() => new Counter());

  readonly watchSendSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly watchSendPerEventSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly watchControlSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
  readonly watchProgressSeconds = new Histogram(exponentialBuckets(0.001, 2, 14));
}
