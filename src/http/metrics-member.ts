/** The families of etcd that are read off a member's sample when the page is asked for. */
import type { MemberSample, MetricsSource, ProcessSample } from "../api/index.ts";
import type { Family, MetricKind, MetricsRegistry, Sample } from "../base/metrics.ts";

type Read<Source> = (sample: Source) => number | undefined;
type Row<Source> = readonly [name: string, kind: MetricKind, help: string, read: Read<Source>];

/** Names, kinds and meaning are etcd's: some totals are gauges there. */
const MEMBER_ROWS: readonly Row<MemberSample>[] = [
  ["etcd_server_has_leader", "gauge", "1 while this member knows a leader.", (s) => +s.hasLeader],
  ["etcd_server_is_leader", "gauge", "1 while this member leads.", (s) => +s.isLeader],
  ["etcd_server_is_learner", "gauge", "1 while this member may not vote.", (s) => +s.isLearner],
  [
    "etcd_server_leader_changes_seen_total",
    "counter",
    "Leaders this member has seen come.",
    (s) => s.leaderChangesTotal,
  ],
  [
    "etcd_server_proposals_committed_total",
    "gauge",
    "Index of the last committed log entry.",
    (s) => s.proposalsCommittedIndex,
  ],
  [
    "etcd_server_proposals_applied_total",
    "gauge",
    "Index of the last applied log entry.",
    (s) => s.proposalsAppliedIndex,
  ],
  [
    "etcd_server_proposals_pending",
    "gauge",
    "Proposals that wait to be applied.",
    (s) => s.proposalsPending,
  ],
  [
    "etcd_server_proposals_failed_total",
    "counter",
    "Proposals that came to nothing.",
    (s) => s.proposalsFailedTotal,
  ],
  [
    "etcd_server_read_indexes_failed_total",
    "counter",
    "Linearizable reads that found no commit index.",
    (s) => s.readIndexesFailedTotal,
  ],
  [
    "etcd_server_slow_read_indexes_total",
    "counter",
    "Linearizable reads that waited too long for their commit index.",
    (s) => s.slowReadIndexesTotal,
  ],
  [
    "etcd_server_slow_apply_total",
    "counter",
    "Applied requests that took longer than the warning limit.",
    (s) => s.slowApplyTotal,
  ],
  [
    "etcd_server_heartbeat_send_failures_total",
    "counter",
    "Heartbeats that left late: the leader is overloaded.",
    (s) => s.heartbeatSendFailuresTotal,
  ],
  [
    "etcd_server_snapshot_apply_in_progress_total",
    "gauge",
    "1 while a received snapshot is made the state.",
    (s) => s.snapshotAppliesInProgress,
  ],
  [
    "cairn_disk_stalls_total",
    "counter",
    "Times that the log's disk finished no sync for an election timeout.",
    (s) => s.diskStallsTotal,
  ],
  [
    "cairn_disk_stalled_seconds",
    "gauge",
    "How long the oldest unfinished sync of the log has been running.",
    (s) => s.diskStalledSeconds,
  ],
  ["etcd_server_quota_backend_bytes", "gauge", "Bytes the database may have.", (s) => s.quotaBytes],
  [
    "etcd_mvcc_db_total_size_in_bytes",
    "gauge",
    "Bytes of the database file.",
    (s) => s.databaseBytes,
  ],
  [
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "gauge",
    "Bytes of the database file without its free pages.",
    (s) => s.databaseBytesInUse,
  ],
  [
    "etcd_mvcc_db_open_read_transactions",
    "gauge",
    "Readers that hold pages of the database.",
    (s) => s.openReadTransactions,
  ],
  [
    "etcd_disk_wal_write_bytes_total",
    "gauge",
    "Bytes written to the write-ahead log.",
    (s) => s.walWrittenBytes,
  ],
  ["etcd_mvcc_range_total", "counter", "Ranges read.", (s) => s.rangesTotal],
  ["etcd_mvcc_put_total", "counter", "Keys put.", (s) => s.putsTotal],
  ["etcd_mvcc_delete_total", "counter", "Keys deleted.", (s) => s.deletesTotal],
  ["etcd_mvcc_txn_total", "counter", "Transactions with more than one step.", (s) => s.txnsTotal],
  [
    "etcd_debugging_mvcc_total_put_size_in_bytes",
    "gauge",
    "Bytes of keys and values put.",
    (s) => s.putBytesTotal,
  ],
  ["etcd_debugging_mvcc_keys_total", "gauge", "Keys that exist now.", (s) => s.keys],
  [
    "etcd_debugging_mvcc_current_revision",
    "gauge",
    "The store's revision.",
    (s) => s.currentRevision,
  ],
  [
    "etcd_debugging_mvcc_compact_revision",
    "gauge",
    "The revision below which history is gone; -1 with all history.",
    (s) => s.compactRevision,
  ],
  [
    "etcd_debugging_mvcc_db_compaction_keys_total",
    "counter",
    "Old revisions of keys removed by compaction.",
    (s) => s.compactedKeysTotal,
  ],
  [
    "etcd_debugging_mvcc_db_compaction_last",
    "gauge",
    "When the last compaction finished, in seconds since 1970.",
    (s) => s.lastCompactionSeconds,
  ],
  ["etcd_debugging_mvcc_events_total", "counter", "Events sent to watchers.", (s) => s.eventsTotal],
  [
    "etcd_debugging_mvcc_pending_events_total",
    "gauge",
    "Events that wait to be sent.",
    (s) => s.pendingEvents,
  ],
  ["etcd_debugging_mvcc_watcher_total", "gauge", "Watchers.", (s) => s.watchers],
  [
    "etcd_debugging_mvcc_slow_watcher_total",
    "gauge",
    "Watchers that are behind.",
    (s) => s.slowWatchers,
  ],
  [
    "etcd_debugging_mvcc_watch_stream_total",
    "gauge",
    "Streams that carry watchers.",
    (s) => s.watchStreams,
  ],
  ["etcd_debugging_lease_granted_total", "counter", "Leases granted.", (s) => s.leasesGrantedTotal],
  [
    "etcd_debugging_lease_renewed_total",
    "counter",
    "Lease renewals the leader has seen.",
    (s) => s.leasesRenewedTotal,
  ],
  ["etcd_debugging_lease_revoked_total", "counter", "Leases revoked.", (s) => s.leasesRevokedTotal],
  [
    "etcd_debugging_server_lease_expired_total",
    "counter",
    "Leases that ran out.",
    (s) => s.leasesExpiredTotal,
  ],
];

const PROCESS_ROWS: readonly Row<ProcessSample>[] = [
  [
    "process_cpu_seconds_total",
    "counter",
    "User and system processor time, in seconds.",
    (s) => s.cpuSeconds,
  ],
  ["process_resident_memory_bytes", "gauge", "Resident memory.", (s) => s.residentBytes],
  ["process_virtual_memory_bytes", "gauge", "Virtual memory.", (s) => s.virtualBytes],
  ["process_open_fds", "gauge", "Open file descriptors.", (s) => s.openFiles],
  ["process_max_fds", "gauge", "The most file descriptors allowed.", (s) => s.openFilesMax],
  [
    "process_start_time_seconds",
    "gauge",
    "When the process started, in seconds since 1970.",
    (s) => s.startSeconds,
  ],
  ["os_fd_used", "gauge", "File descriptors in use.", (s) => s.openFiles],
  ["os_fd_limit", "gauge", "The most file descriptors allowed.", (s) => s.openFilesMax],
];

/** Adds the sampled families. Both samples are taken once a page, by `refresh`. */
export function addMemberFamilies(registry: MetricsRegistry, source: MetricsSource): () => void {
  let member = source.member();
  let process = source.process();
  for (const row of MEMBER_ROWS) registry.add(plainFamily(row, () => member));
  for (const row of PROCESS_ROWS) registry.add(plainFamily(row, () => process));
  for (const family of labelledFamilies(() => member)) registry.add(family);
  return () => {
    member = source.member();
    process = source.process();
  };
}

function plainFamily<Source>(row: Row<Source>, sample: () => Source): Family {
  const [name, kind, help, read] = row;
  const collect = (): Sample[] => {
    const value = read(sample());
    return value === undefined ? [] : [{ labels: [], value }];
  };
  return { name, kind, help, labelNames: [], collect };
}

function labelledFamilies(member: () => MemberSample): Family[] {
  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    collect: () => Sample[],
  ): Family => ({ name, kind: "gauge", help, labelNames, collect });
  return [
    gauge("etcd_server_id", "This member's id, in hex.", ["server_id"], () => [
      { labels: [member().memberId.toString(16)], value: 1 },
    ]),
    gauge("etcd_server_version", "The API level of this member.", ["server_version"], () => [
      { labels: [member().serverVersion], value: 1 },
    ]),
    gauge("etcd_cluster_version", "The cluster's agreed version.", ["cluster_version"], () => {
      const { clusterVersion } = member();
      return clusterVersion === "" ? [] : [{ labels: [clusterVersion], value: 1 }];
    }),
    gauge(
      "etcd_server_feature_enabled",
      "1 for feature gates that are on.",
      ["name", "stage"],
      () =>
        member().features.map(({ name, stage, enabled }) => ({
          labels: [name, stage],
          value: +enabled,
        })),
    ),
    gauge(
      "etcd_debugging_server_alarms",
      "1 for each active alarm.",
      ["alarm_type", "server_id"],
      () =>
        member().alarms.map(({ memberId, type }) => ({
          labels: [type, memberId.toString(16)],
          value: 1,
        })),
    ),
  ];
}
