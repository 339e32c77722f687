/** etcd's server flags, in the groups of its help; flag-row.ts says what the last column means. */
import { type FlagGroup, type FlagRow, row } from "./flag-row.ts";

const member: FlagRow[] = [
  row("name", "string", "default", "Human-readable name for this member."),
  row("data-dir", "string", "", "Path to the data directory; <name>.etcd when not given."),
  row("wal-dir", "string", "", "Path to a directory of its own for the write-ahead log."),
  row("snapshot-count", "uint", "10000", "Applied entries between two snapshots of the log."),
  row("snapshot-catchup-entries", "uint", "5000", "Entries kept behind a snapshot."),
  row("heartbeat-interval", "uint", "100", "Time (in milliseconds) of a heartbeat interval."),
  row("election-timeout", "uint", "1000", "Time (in milliseconds) for an election to timeout."),
  row(
    "initial-election-tick-advance",
    "bool",
    "true",
    "Do not sit out the first election timeout.",
  ),
  row("listen-peer-urls", "urls", "http://localhost:2380", "URLs to listen on for peer traffic."),
  row("listen-client-urls", "urls", "http://localhost:2379", "URLs to listen on for clients."),
  row("listen-client-http-urls", "urls", "", "URLs for HTTP only; clients then get gRPC only."),
  row("max-snapshots", "uint", "5", "Snapshot files to keep (0 is unlimited).", "ignored"),
  row("max-wals", "uint", "5", "Write-ahead log segments to keep (0 is unlimited).", "ignored"),
  row(
    "quota-backend-bytes",
    "int",
    "0",
    "Space quota: 0 for the default of 2 GiB, negative for none.",
  ),
  row(
    "backend-bbolt-freelist-type",
    "string",
    "map",
    "Kind of the free list in memory.",
    "ignored",
  ),
  row(
    "backend-batch-interval",
    "duration",
    "0s",
    "Longest time before a database commit (0: 100ms).",
  ),
  row("backend-batch-limit", "int", "0", "Most writes before a database commit (0: 10000)."),
  row("max-txn-ops", "uint", "128", "Most operations in one list of a transaction."),
  row("max-request-bytes", "uint", "1572864", "Largest client request in bytes."),
  row("max-concurrent-streams", "uint32", "4294967295", "Most streams per client connection."),
  row("enable-grpc-gateway", "bool", "true", "Serve the JSON gateway."),
  row("grpc-keepalive-min-time", "duration", "5s", "Least interval between pings of a client."),
  row("grpc-keepalive-interval", "duration", "2h0m0s", "Interval of the server's own pings."),
  row("grpc-keepalive-timeout", "duration", "20s", "Time to wait for an answer to them."),
  row("socket-reuse-port", "bool", "false", "Set SO_REUSEPORT on listeners.", "later"),
  row("socket-reuse-address", "bool", "false", "Set SO_REUSEADDR on listeners.", "ignored"),
  row("raft-read-timeout", "duration", "5s", "A silent peer connection ends after this time."),
  row("raft-write-timeout", "duration", "5s", "Write timeout of peer connections.", "ignored"),
  row("memory-mlock", "bool", "false", "Lock memory.", "later"),
  row("feature-gates", "string", "", "Features to switch: Name=true,Name=false."),
  row("page-cache-bytes", "uint", "67108864", "cairn: memory for pages of the database."),
];

const clustering: FlagRow[] = [
  row("initial-advertise-peer-urls", "urls", "http://localhost:2380", "Peer URLs told to others."),
  row("initial-cluster", "string", "", "Members of a new cluster: name=url,name=url."),
  row("initial-cluster-state", "string", "new", "new, or existing to join."),
  row("initial-cluster-token", "string", "etcd-cluster", "Keeps clusters apart."),
  row("advertise-client-urls", "urls", "http://localhost:2379", "Client URLs told to others."),
  row("discovery", "string", "", "v2 discovery URL.", "later"),
  row("discovery-fallback", "string", "exit", "What to do when discovery fails.", "ignored"),
  row("discovery-proxy", "string", "", "Proxy for discovery.", "later"),
  row("discovery-srv", "string", "", "Domain for DNS discovery."),
  row("discovery-srv-name", "string", "", "Suffix of the DNS service name."),
  row("discovery-token", "string", "", "v3 discovery token.", "later"),
  row("discovery-endpoints", "list", "", "v3 discovery endpoints.", "later"),
  row("discovery-dial-timeout", "duration", "2s", "v3 discovery: dial timeout.", "ignored"),
  row("discovery-request-timeout", "duration", "5s", "v3 discovery: request timeout.", "ignored"),
  row("discovery-keepalive-time", "duration", "2s", "v3 discovery: ping interval.", "ignored"),
  row("discovery-keepalive-timeout", "duration", "6s", "v3 discovery: ping timeout.", "ignored"),
  row("discovery-insecure-transport", "bool", "true", "v3 discovery: without TLS.", "ignored"),
  row("discovery-insecure-skip-tls-verify", "bool", "false", "v3 discovery: no checks.", "ignored"),
  row("discovery-cert", "string", "", "v3 discovery: certificate.", "ignored"),
  row("discovery-key", "string", "", "v3 discovery: key.", "ignored"),
  row("discovery-cacert", "string", "", "v3 discovery: CA.", "ignored"),
  row("discovery-user", "string", "", "v3 discovery: user.", "ignored"),
  row("discovery-password", "string", "", "v3 discovery: password.", "ignored"),
  row("strict-reconfig-check", "bool", "true", "Refuse changes that would lose quorum."),
  row("pre-vote", "bool", "true", "Ask before an election."),
  row("auto-compaction-mode", "string", "periodic", "periodic or revision."),
  row("auto-compaction-retention", "string", "0", "What auto compaction keeps; 0 is off."),
  row("v2-deprecation", "string", "write-only", "Phase of the v2 deprecation.", "ignored"),
  row("max-learners", "int", "1", "Most learners in the cluster."),
  row(
    "linearizable-read-mode",
    "string",
    "read-index",
    "cairn: read-index, or leader-lease on all members.",
  ),
  row(
    "clock-drift-max",
    "share",
    "0.1",
    "cairn: most that one member's clock runs faster than another's, as a share; for leases.",
  ),
];

const security: FlagRow[] = [
  row("cert-file", "string", "", "Server certificate for clients."),
  row("key-file", "string", "", "Key of it."),
  row("client-cert-auth", "bool", "false", "Require and verify client certificates."),
  row("trusted-ca-file", "string", "", "CA for client certificates; requires them by itself."),
  row("client-crl-file", "string", "", "Revoked client certificates."),
  row("client-cert-allowed-hostname", "list", "", "Names that a client certificate must have."),
  row("client-cert-file", "string", "", "Certificate for outgoing client connections.", "ignored"),
  row("client-key-file", "string", "", "Key of it.", "ignored"),
  row("auto-tls", "bool", "false", "Make a self-signed certificate for clients.", "later"),
  row("peer-cert-file", "string", "", "Certificate for peers."),
  row("peer-key-file", "string", "", "Key of it."),
  row("peer-client-cert-auth", "bool", "false", "Require and verify peer certificates."),
  row("peer-trusted-ca-file", "string", "", "CA for peer certificates."),
  row("peer-cert-allowed-cn", "list", "", "Common names that peers may have."),
  row("peer-cert-allowed-hostname", "list", "", "Names that peers may have."),
  row("peer-client-cert-file", "string", "", "Certificate for outgoing peer connections."),
  row("peer-client-key-file", "string", "", "Key of it."),
  row("peer-auto-tls", "bool", "false", "Make a self-signed certificate for peers.", "later"),
  row("peer-crl-file", "string", "", "Revoked peer certificates."),
  row("peer-skip-client-san-verification", "bool", "false", "Do not match peers' addresses."),
  row("self-signed-cert-validity", "uint", "1", "Years.", "ignored"),
  row("cipher-suites", "list", "", "TLS cipher suites by their Go names."),
  row("tls-min-version", "string", "TLS1.2", "TLS1.2 or TLS1.3."),
  row("tls-max-version", "string", "", "TLS1.2 or TLS1.3."),
  row("cors", "origins", "*", "Origins that browsers may call from."),
  row("host-whitelist", "list", "*", "Host names accepted on plain HTTP."),
  row("auth-token", "string", "simple", "Kind of auth tokens.", "later"),
  row("auth-token-ttl", "uint", "300", "Seconds that a simple token lives.", "later"),
  row("bcrypt-cost", "uint", "10", "Cost of password hashing.", "later"),
];

const monitoring: FlagRow[] = [
  row("enable-pprof", "bool", "false", "Go profiles, which do not exist here.", "ignored"),
  row("metrics", "string", "basic", "basic or extensive."),
  row("listen-metrics-urls", "urls", "", "URLs for /metrics and the probes alone."),
  row("logger", "string", "zap", "Kind of logger.", "ignored"),
  row("log-outputs", "list", "default", "stderr, stdout or file paths."),
  row("log-level", "string", "info", "debug, info, warn, error, panic or fatal."),
  row("log-format", "string", "json", "json or console."),
  row("enable-log-rotation", "bool", "false", "Rotate a log file.", "later"),
  row(
    "log-rotation-config-json",
    "string",
    '{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, "compress": false}',
    "How to rotate.",
    "ignored",
  ),
  row("enable-distributed-tracing", "bool", "false", "OpenTelemetry traces.", "later"),
  row("distributed-tracing-address", "string", "localhost:4317", "Collector.", "ignored"),
  row("distributed-tracing-service-name", "string", "etcd", "Service name.", "ignored"),
  row("distributed-tracing-instance-id", "string", "", "Instance.", "ignored"),
  row("distributed-tracing-sampling-rate", "int", "0", "Samples per million.", "ignored"),
];

const features: FlagRow[] = [
  row("corrupt-check-time", "duration", "0s", "Compare all data of the members so often."),
  row(
    "compact-hash-check-time",
    "duration",
    "1m0s",
    "Compare what compactions left so often (feature CompactHashCheck).",
  ),
  row("compaction-batch-limit", "int", "1000", "Revisions per compaction batch.", "ignored"),
  row("compaction-sleep-interval", "duration", "10ms", "Pause between batches.", "ignored"),
  row("watch-progress-notify-interval", "duration", "10m0s", "Interval of progress notifications."),
  row("warning-apply-duration", "duration", "100ms", "Warn when applying took longer."),
  row(
    "warning-unary-request-duration",
    "duration",
    "300ms",
    "Warn when a request took longer.",
    "ignored",
  ),
  row("downgrade-check-time", "duration", "5s", "Interval of downgrade checks.", "ignored"),
  row("bootstrap-defrag-threshold-megabytes", "uint", "0", "Defragment at start.", "ignored"),
];

/** Version 2 of the API is gone, and its proxy; environment files of old installations still name them. */
const gone: FlagRow[] = [
  row("enable-v2", "bool", "false", "Version 2 of the API.", "ignored"),
  row("experimental-enable-v2v3", "string", "", "Version 2 on version 3's store.", "ignored"),
  row("proxy", "string", "off", "off, readonly or on.", "later"),
  row("proxy-failure-wait", "uint", "5000", "Milliseconds.", "ignored"),
  row("proxy-refresh-interval", "uint", "30000", "Milliseconds.", "ignored"),
  row("proxy-dial-timeout", "uint", "1000", "Milliseconds.", "ignored"),
  row("proxy-write-timeout", "uint", "5000", "Milliseconds.", "ignored"),
  row("proxy-read-timeout", "uint", "0", "Milliseconds.", "ignored"),
];

const unsafe: FlagRow[] = [
  row("force-new-cluster", "bool", "false", "Make a cluster of one of this member's data."),
  row("unsafe-no-fsync", "bool", "false", "Never sync: loses data.", "later"),
];

const startup: FlagRow[] = [
  row(
    "config-file",
    "string",
    "",
    "Path to a configuration file (YAML or JSON); other flags and variables are then ignored.",
  ),
  row("version", "bool", "false", "Print the version and exit."),
];

export const FLAG_GROUPS: readonly FlagGroup[] = [
  { title: "Start", flags: startup },
  { title: "Member", flags: member },
  { title: "Clustering", flags: clustering },
  { title: "Security", flags: security },
  { title: "Profiling and Monitoring", flags: monitoring },
  { title: "Features", flags: features },
  { title: "Unsafe feature", flags: unsafe },
];

const groups = [...FLAG_GROUPS, { title: "Gone", flags: gone }];

export const FLAGS: ReadonlyMap<string, FlagRow> = new Map(
  groups.flatMap((group) => group.flags.map((flag) => [flag.name, flag] as const)),
);
