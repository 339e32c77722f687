import { expect, test } from "bun:test";
import {
  METHODS,
  MemberInstruments,
  type MemberSample,
  type MetricsSource,
  type PeerSample,
  type ProcessSample,
} from "../api/index.ts";
import { Histogram } from "../base/metrics.ts";
import { createMetricsRenderer } from "./metrics.ts";
import { CallDurations } from "./metrics-grpc.ts";
import { ProbeCounters } from "./metrics-health.ts";

const CODES = 17;

// Every number of a sample is its own, so that a family read from the wrong one shows.
function sampleSource(): MetricsSource & { counts: Record<string, number> } {
  const counts: Record<string, number> = {};
  const member = new Proxy(
    {
      memberId: 0xac7c97ef0ec193b0n,
      serverVersion: "3.7.1",
      clusterVersion: "3.7",
      hasLeader: true,
      isLeader: true,
      isLearner: false,
      alarms: [{ memberId: 0xabn, type: "NOSPACE" }],
      features: [{ name: "CompactHashCheck", stage: "ALPHA", enabled: false }],
    } as Record<string, unknown>,
    {
      get(known, name: string) {
        if (name in known) return known[name];
        counts[name] ??= Object.keys(counts).length + 100;
        return counts[name];
      },
    },
  ) as unknown as MemberSample;
  const processSample: ProcessSample = {
    cpuSeconds: 1.5,
    residentBytes: 72867840,
    virtualBytes: undefined,
    openFiles: 16,
    openFilesMax: 20000,
    startSeconds: 1795215391,
  };
  const peer: PeerSample = {
    ...{ memberId: 0xb0bn, isActive: true, sentBytes: 11, receivedBytes: 12 },
    ...{ sendFailures: 13, receiveFailures: 14, disconnects: 15 },
    ...{ snapshotsSent: 16, snapshotSendFailures: 17 },
    ...{ snapshotsReceived: 18, snapshotReceiveFailures: 19 },
    roundTripSeconds: new Histogram([1]),
  };
  peer.roundTripSeconds.observe(0.5);
  return { counts, member: () => member, peers: () => [peer], process: () => processSample };
}

function renderer() {
  const source = sampleSource();
  const instruments = new MemberInstruments();
  const kinds = { unary: "unary", server: "serverStream", bidi: "bidiStream" };
  const methods = [
    { service: "etcdserverpb.KV", name: "Range", kind: kinds.unary },
    { service: "etcdserverpb.Watch", name: "Watch", kind: kinds.bidi },
    { service: "grpc.health.v1.Health", name: "Check", kind: kinds.unary },
  ];
  const calls = {
    methods,
    started: new Float64Array(3),
    handled: new Float64Array(3 * CODES),
    messagesReceived: new Float64Array(3),
    messagesSent: new Float64Array(3),
    receivedBytes: 10,
    sentBytes: 20,
  };
  const durations = new CallDurations();
  const probes = new ProbeCounters();
  const render = createMetricsRenderer({ source, instruments, calls, durations, probes });
  return { source, instruments, calls, durations, probes, render };
}

test("the page has etcd's families with the member's numbers", () => {
  const { source, render } = renderer();
  const page = render();
  expect(page).toContain('etcd_server_id{server_id="ac7c97ef0ec193b0"} 1\n');
  expect(page).toContain('etcd_cluster_version{cluster_version="3.7"} 1\n');
  expect(page).toContain("# TYPE etcd_server_has_leader gauge\netcd_server_has_leader 1\n");
  expect(page).toContain('etcd_server_feature_enabled{name="CompactHashCheck",stage="ALPHA"} 0\n');
  expect(page).toContain('etcd_debugging_server_alarms{alarm_type="NOSPACE",server_id="ab"} 1\n');
  expect(page).toContain("process_resident_memory_bytes 7.286784e+07\n");
  expect(page).not.toContain("process_virtual_memory_bytes");
  for (const [field, family] of [
    ["databaseBytesInUse", "etcd_mvcc_db_total_size_in_use_in_bytes"],
    ["quotaBytes", "etcd_server_quota_backend_bytes"],
    ["leasesRenewedTotal", "etcd_debugging_lease_renewed_total"],
    ["proposalsCommittedIndex", "etcd_server_proposals_committed_total"],
  ]) {
    expect(page).toContain(`\n${family} ${source.counts[field!]}\n`);
  }
});

test("every family of the page is well formed, and named once", () => {
  const { instruments, durations, probes, calls, render } = renderer();
  instruments.applySeconds.with("Put", "true").observe(0.00015);
  instruments.requestSeconds.with("Put", "true").observe(3);
  instruments.clientRequests.with("unary", 'odd"version\n\\').increment();
  durations.observe(calls.methods[1]!, 0.02);
  probes.check("readyz", "non_learner", false);
  const page = render();
  const types = [...page.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map((m) => m[1]!);
  expect(new Set(types).size).toBe(types.length);
  expect(types).toEqual([...types].sort());
  for (const line of page.trimEnd().split("\n")) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) \S+ .+|[a-z0-9_]+(\{([a-zA-Z_]+="(\\.|[^"\\])*",?)+\})? \S+)$/,
    );
  }
  expect(page).toContain('client_api_version="odd\\"version\\n\\\\"} 1\n');
  const apply =
    'etcd_server_apply_duration_seconds_bucket{op="Put",success="true",version="v3",le=';
  expect(page).toContain(`${apply}"0.0001"} 0\n${apply}"0.0002"} 1\n`);
  expect(page).toContain(`${apply}"52.4288"} 1\n${apply}"+Inf"} 1\n`);
  expect(page).toContain(
    'grpc_server_handling_seconds_count{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1\n',
  );
  expect(page).toContain('etcd_server_healthcheck{name="non_learner",type="readyz"} 0\n');
});

test("calls of gRPC have all their series from the start", () => {
  const { calls, render } = renderer();
  calls.started[0] = 4;
  calls.handled[0] = 3;
  calls.handled[1 * CODES + 14] = 2;
  const page = render();
  const labels = 'grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"';
  expect(page).toContain(`grpc_server_started_total{${labels}} 4\n`);
  expect(page).toContain(`grpc_server_handled_total{grpc_code="OK",${labels}} 3\n`);
  expect(page).toContain(
    'grpc_server_handled_total{grpc_code="Unavailable",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 2\n',
  );
  expect(page).toContain('grpc_service="grpc.health.v1.Health"');
  expect(page).not.toContain("v3lockpb");
  const etcdMethods = METHODS.filter((row) => row.service.startsWith("etcdserverpb."));
  const handled = page.split("\n").filter((line) => line.startsWith("grpc_server_handled_total{"));
  expect(handled).toHaveLength((etcdMethods.length + 1) * CODES);
});

test("what is known of other members is labelled as etcd does", () => {
  const page = renderer().render();
  const local = "ac7c97ef0ec193b0";
  for (const line of [
    `etcd_network_active_peers{Local="${local}",Remote="b0b"} 1`,
    `etcd_network_known_peers{Local="${local}",Remote="b0b"} 1`,
    `etcd_network_disconnected_peers_total{Local="${local}",Remote="b0b"} 15`,
    `etcd_network_peer_sent_bytes_total{To="b0b"} 11`,
    `etcd_network_peer_received_bytes_total{From="b0b"} 12`,
    `etcd_network_peer_sent_failures_total{To="b0b"} 13`,
    `etcd_network_peer_received_failures_total{From="b0b"} 14`,
    `etcd_network_snapshot_send_success{To="b0b"} 16`,
    `etcd_network_snapshot_send_failures{To="b0b"} 17`,
    `etcd_network_snapshot_receive_success{From="b0b"} 18`,
    `etcd_network_snapshot_receive_failures{From="b0b"} 19`,
    `etcd_network_peer_round_trip_time_seconds_count{To="b0b"} 1`,
  ]) {
    expect(page).toContain(`${line}\n`);
  }
});
