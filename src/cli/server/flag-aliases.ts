/** Names of older versions that runbooks, unit files and manifests still use, and what becomes of them. */

/** Old names of flags that still exist, and the flag they set. */
export const RENAMED: ReadonlyMap<string, string> = new Map(
  [
    "corrupt-check-time",
    "compact-hash-check-time",
    "compaction-batch-limit",
    "compaction-sleep-interval",
    "watch-progress-notify-interval",
    "warning-apply-duration",
    "warning-unary-request-duration",
    "downgrade-check-time",
    "memory-mlock",
    "bootstrap-defrag-threshold-megabytes",
    "snapshot-catchup-entries",
    "peer-skip-client-san-verification",
    "enable-distributed-tracing",
    "distributed-tracing-address",
    "distributed-tracing-service-name",
    "distributed-tracing-instance-id",
    "distributed-tracing-sampling-rate",
    "max-learners",
  ].map((name) => [`experimental-${name}`, name]),
);

/** Boolean flags of 3.5 that became feature gates. */
export const GATE_FLAGS: ReadonlyMap<string, string> = new Map([
  ["experimental-initial-corrupt-check", "InitialCorruptCheck"],
  ["experimental-compact-hash-check-enabled", "CompactHashCheck"],
  ["experimental-enable-lease-checkpoint", "LeaseCheckpoint"],
  ["experimental-enable-lease-checkpoint-persist", "LeaseCheckpointPersist"],
  ["experimental-txn-mode-write-with-shared-buffer", "TxnModeWriteWithSharedBuffer"],
  ["experimental-stop-grpc-service-on-defrag", "StopGRPCServiceOnDefrag"],
]);

/** Flags of old versions that etcd itself takes, as booleans, and ignores. */
export const LEGACY_IGNORED: ReadonlySet<string> = new Set([
  "cluster-active-size",
  "cluster-remove-delay",
  "cluster-sync-interval",
  "config",
  "force",
  "max-result-buffer",
  "max-retry-attempts",
  "peer-heartbeat-interval",
  "peer-election-timeout",
  "retry-interval",
  "snapshot",
  "v",
  "vv",
  "test.coverprofile",
  "test.outputdir",
]);

/** What etcd 3.5 warned about and later versions dropped: version 2 of the API and its proxy. */
export function isGoneWithV2(name: string): boolean {
  return name === "enable-v2" || name === "experimental-enable-v2v3" || /^proxy(-|$)/.test(name);
}
