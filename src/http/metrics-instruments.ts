/** The families of etcd that a member's layers feed as they work. */
import type { MemberInstruments } from "../api/index.ts";
import type {
  Counter,
  Gauge,
  Histogram,
  Labelled,
  MetricKind,
  MetricsRegistry,
} from "../base/metrics.ts";

type Single = Histogram | Gauge | Counter;
type HistogramField = {
  [Field in keyof MemberInstruments]: MemberInstruments[Field] extends Histogram ? Field : never;
}[keyof MemberInstruments];

function shownValue(instrument: Single): number | Histogram {
  return "value" in instrument ? instrument.value : instrument;
}

export function addInstrumentFamilies(
  registry: MetricsRegistry,
  instruments: MemberInstruments,
): void {
  addHistograms(registry, instruments);
  registry.add({
    name: "etcd_disk_defrag_inflight",
    kind: "gauge",
    help: "1 while the database is defragmented.",
    labelNames: [],
    collect: () => [{ labels: [], value: instruments.defragsInFlight.value }],
  });
  registry.add({
    name: "etcd_server_learner_promote_successes",
    kind: "counter",
    help: "Learners that became voters through this member.",
    labelNames: [],
    collect: () => [{ labels: [], value: instruments.learnerPromotions.value }],
  });
  addLabelled(
    registry,
    ["etcd_server_learner_promote_failures", "counter", "Promotions that were refused."],
    ["Reason"],
    instruments.learnerPromotionFailures,
  );
  const histogram = "histogram";
  addLabelled(
    registry,
    ["etcd_server_apply_duration_seconds", histogram, "Time to apply one log entry."],
    ["op", "success"],
    instruments.applySeconds,
    [["version", "v3"]],
  );
  addLabelled(
    registry,
    ["etcd_server_request_duration_seconds", histogram, "Time from a request to its answer."],
    ["type", "success"],
    instruments.requestSeconds,
  );
  addLabelled(
    registry,
    ["etcd_server_range_duration_seconds", histogram, "Time to read one range."],
    ["success"],
    instruments.rangeSeconds,
  );
  addLabelled(
    registry,
    ["etcd_server_client_requests_total", "counter", "Calls by the version clients name."],
    ["type", "client_api_version"],
    instruments.clientRequests,
  );
  addLabelled(
    registry,
    ["etcd_network_server_stream_failures_total", "counter", "Streams that broke."],
    ["Type", "API"],
    instruments.streamFailures,
  );
}

/** Names, what is measured, and who measures it. */
const HISTOGRAMS: readonly (readonly [name: string, help: string, field: HistogramField])[] = [
  ["etcd_disk_wal_fsync_duration_seconds", "Syncs of the log.", "walFsyncSeconds"],
  ["etcd_disk_wal_write_duration_seconds", "Writes to the log.", "walWriteSeconds"],
  ["etcd_disk_backend_commit_duration_seconds", "Commits of the database.", "backendCommitSeconds"],
  [
    "etcd_debugging_disk_backend_commit_rebalance_duration_seconds",
    "Merging of small pages in a commit.",
    "backendRebalanceSeconds",
  ],
  [
    "etcd_debugging_disk_backend_commit_spill_duration_seconds",
    "Laying out of pages in a commit.",
    "backendSpillSeconds",
  ],
  [
    "etcd_debugging_disk_backend_commit_write_duration_seconds",
    "Writing and syncing of pages in a commit.",
    "backendWriteSeconds",
  ],
  [
    "etcd_disk_backend_defrag_duration_seconds",
    "Defragmentations of the database.",
    "backendDefragSeconds",
  ],
  [
    "etcd_disk_backend_snapshot_duration_seconds",
    "Snapshots sent of the database.",
    "backendSnapshotSeconds",
  ],
  ["etcd_mvcc_hash_duration_seconds", "Hashes of the database.", "hashSeconds"],
  [
    "etcd_mvcc_hash_rev_duration_seconds",
    "Hashes of the key space at a revision.",
    "hashRevisionSeconds",
  ],
  [
    "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
    "How long one step of a compaction holds up the rest.",
    "compactionPauseMs",
  ],
  [
    "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
    "Compactions from first to last step.",
    "compactionMs",
  ],
  [
    "etcd_debugging_mvcc_index_compaction_pause_duration_milliseconds",
    "How long compacting the index holds up the rest.",
    "indexCompactionPauseMs",
  ],
  [
    "etcd_debugging_lease_ttl_total",
    "Times to live of granted leases, in seconds.",
    "leaseTtlSeconds",
  ],
  [
    "etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds",
    "Sending of one batch of events.",
    "watchSendSeconds",
  ],
  [
    "etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds",
    "The same, divided by its events.",
    "watchSendPerEventSeconds",
  ],
  [
    "etcd_debugging_server_watch_send_loop_control_stream_duration_seconds",
    "Sending of one answer about a watcher.",
    "watchControlSeconds",
  ],
  [
    "etcd_debugging_server_watch_send_loop_progress_duration_seconds",
    "Sending of one progress notice.",
    "watchProgressSeconds",
  ],
];

function addHistograms(registry: MetricsRegistry, instruments: MemberInstruments): void {
  for (const [name, help, field] of HISTOGRAMS) {
    const value = instruments[field];
    const collect = () => [{ labels: [], value }];
    registry.add({ name, kind: "histogram", help, labelNames: [], collect });
  }
}

/** A family with a series for each combination of label values that was ever used. */
export function addLabelled(
  registry: MetricsRegistry,
  [name, kind, help]: readonly [name: string, kind: MetricKind, help: string],
  labelNames: readonly string[],
  series: Labelled<Single>,
  fixed: readonly (readonly [name: string, value: string])[] = [],
): void {
  registry.add({
    name,
    kind,
    help,
    labelNames: [...labelNames, ...fixed.map(([label]) => label)],
    *collect() {
      for (const [values, instrument] of series) {
        const labels = [...values, ...fixed.map(([, value]) => value)];
        yield { labels, value: shownValue(instrument) };
      }
    },
  });
}
