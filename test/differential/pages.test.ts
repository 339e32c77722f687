// The plain HTTP pages of the client port: health, probes, version, metrics.

import { type Cases, differentialArea } from "./harness.ts";
import type { Json } from "./plain.ts";
import type { Side } from "./side.ts";

async function gets(side: Side, ...paths: string[]): Promise<void> {
  for (const path of paths) await side.request(path, { method: "GET" });
}

/** Families that dashboards and alerts ask for; cairn must have them under the same type. */
const namedFamilies = [
  "etcd_cluster_version",
  "etcd_server_has_leader",
  "etcd_server_is_leader",
  "etcd_server_is_learner",
  "etcd_server_id",
  "etcd_server_version",
  "etcd_server_leader_changes_seen_total",
  "etcd_server_proposals_applied_total",
  "etcd_server_proposals_committed_total",
  "etcd_server_proposals_failed_total",
  "etcd_server_proposals_pending",
  "etcd_server_quota_backend_bytes",
  "etcd_disk_backend_commit_duration_seconds",
  "etcd_disk_wal_fsync_duration_seconds",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_mvcc_put_total",
  "etcd_mvcc_delete_total",
  "etcd_mvcc_range_total",
  "etcd_mvcc_txn_total",
  "etcd_network_client_grpc_received_bytes_total",
  "etcd_network_client_grpc_sent_bytes_total",
  "etcd_debugging_mvcc_keys_total",
  "etcd_debugging_mvcc_watcher_total",
  "etcd_debugging_mvcc_watch_stream_total",
  "etcd_debugging_mvcc_current_revision",
  "etcd_debugging_mvcc_compact_revision",
  "etcd_debugging_mvcc_events_total",
  "etcd_debugging_mvcc_slow_watcher_total",
  "etcd_debugging_lease_granted_total",
  "etcd_debugging_lease_revoked_total",
  "etcd_debugging_lease_renewed_total",
  "grpc_server_started_total",
  "grpc_server_handled_total",
  "grpc_server_msg_received_total",
  "grpc_server_msg_sent_total",
  "process_resident_memory_bytes",
  "process_cpu_seconds_total",
  "process_open_fds",
  "process_max_fds",
  "process_start_time_seconds",
];
/** Samples that must agree exactly once both have done the same. */
const sampledNames = [
  "etcd_mvcc_put_total",
  "etcd_mvcc_delete_total",
  "etcd_debugging_mvcc_keys_total",
  "etcd_debugging_mvcc_watcher_total",
  "etcd_server_has_leader",
  "etcd_server_is_leader",
];

function metricsOf(text: string): Json {
  const types: Record<string, string> = {};
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) types[name!] = type!;
  const samples: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/^([a-z_]+) (\S+)$/gm)) samples[name!] = value!;
  return {
    types: Object.fromEntries(namedFamilies.map((name) => [name, types[name] ?? "absent"])),
    samples: Object.fromEntries(sampledNames.map((name) => [name, samples[name] ?? "absent"])),
    handled: /^grpc_server_handled_total\{grpc_code="OK",grpc_method="Put",.*\} [1-9]/m.test(text),
  };
}

const cases: Cases = {
  health: async (side) => {
    await gets(
      side,
      "/health",
      "/health?serializable=true",
      "/health?serializable=false",
      "/health?exclude=NOSPACE",
      "/health?exclude=NOSPACE&exclude=CORRUPT&serializable=true",
      "/health/",
    );
    for (const method of ["POST", "HEAD", "OPTIONS", "DELETE"]) {
      await side.request("/health", { method });
    }
  },
  probes: async (side) => {
    await gets(
      side,
      "/livez",
      "/livez?verbose",
      "/livez/serializable_read",
      "/livez/serializable_read?verbose",
      "/livez?exclude=serializable_read",
      "/livez?exclude=nosuch",
      "/livez/nosuch",
      "/livez/linearizable_read",
      "/readyz",
      "/readyz?verbose",
      "/readyz?verbose=true",
      "/readyz?verbose&exclude=data_corruption",
      "/readyz?exclude=linearizable_read&exclude=nosuch",
      "/readyz/data_corruption",
      "/readyz/linearizable_read",
      "/readyz/serializable_read",
      "/readyz/non_learner",
      "/readyz/nosuch",
    );
    for (const method of ["POST", "HEAD", "OPTIONS"]) {
      await side.request("/livez", { method });
      await side.request("/readyz", { method });
    }
  },
  version: async (side) => {
    await gets(side, "/version");
    await side.request("/version", { method: "POST" });
    await side.request("/version", { method: "HEAD" });
  },
  metrics: async (side) => {
    await side.put(side.key("a"), "1");
    await side.put(side.key("b"), "1");
    await side.remove({ key: side.key("a") });
    await side.request("/metrics", { method: "GET", bodyOf: metricsOf });
  },
};

differentialArea("pages", cases);
