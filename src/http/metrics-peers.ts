/** etcd's families about the other members. Series appear with the members they are about. */
import type { MetricsSource, PeerSample } from "../api/index.ts";
import type { Histogram, MetricKind, MetricsRegistry } from "../base/metrics.ts";

type Row = readonly [
  name: string,
  kind: MetricKind,
  help: string,
  labels: "Local and Remote" | "From" | "To",
  read: (peer: PeerSample) => number | Histogram,
];

const ROWS: readonly Row[] = [
  [
    "etcd_network_active_peers",
    "gauge",
    "1 for members that are connected.",
    "Local and Remote",
    (peer) => +peer.isActive,
  ],
  ["etcd_network_known_peers", "gauge", "1 for every other member.", "Local and Remote", () => 1],
  [
    "etcd_network_disconnected_peers_total",
    "counter",
    "Times that a member's connection was lost.",
    "Local and Remote",
    (peer) => peer.disconnects,
  ],
  [
    "etcd_network_peer_sent_bytes_total",
    "counter",
    "Bytes sent to a member.",
    "To",
    (peer) => peer.sentBytes,
  ],
  [
    "etcd_network_peer_received_bytes_total",
    "counter",
    "Bytes received from a member.",
    "From",
    (peer) => peer.receivedBytes,
  ],
  [
    "etcd_network_peer_sent_failures_total",
    "counter",
    "Messages to a member that were dropped, and connections that broke.",
    "To",
    (peer) => peer.sendFailures,
  ],
  [
    "etcd_network_peer_received_failures_total",
    "counter",
    "Connections of a member that broke or made no sense.",
    "From",
    (peer) => peer.receiveFailures,
  ],
  [
    "etcd_network_peer_round_trip_time_seconds",
    "histogram",
    "Round trips to a member.",
    "To",
    (peer) => peer.roundTripSeconds,
  ],
  [
    "etcd_network_snapshot_send_success",
    "counter",
    "Snapshots a member received.",
    "To",
    (peer) => peer.snapshotsSent,
  ],
  [
    "etcd_network_snapshot_send_failures",
    "counter",
    "Snapshots a member did not receive.",
    "To",
    (peer) => peer.snapshotSendFailures,
  ],
  [
    "etcd_network_snapshot_receive_success",
    "counter",
    "Snapshots received from a member.",
    "From",
    (peer) => peer.snapshotsReceived,
  ],
  [
    "etcd_network_snapshot_receive_failures",
    "counter",
    "Snapshots of a member that did not arrive.",
    "From",
    (peer) => peer.snapshotReceiveFailures,
  ],
];

/** Adds the families. The members are looked at once a page, by `refresh`. */
export function addPeerFamilies(registry: MetricsRegistry, source: MetricsSource): () => void {
  const local = source.member().memberId.toString(16);
  let peers: readonly PeerSample[] = [];
  for (const [name, kind, help, labels, read] of ROWS) {
    const isPair = labels === "Local and Remote";
    registry.add({
      ...{ name, kind, help },
      labelNames: isPair ? ["Local", "Remote"] : [labels],
      collect: () =>
        peers.map((peer) => {
          const remote = peer.memberId.toString(16);
          return { labels: isPair ? [local, remote] : [remote], value: read(peer) };
        }),
    });
  }
  return () => {
    peers = source.peers();
  };
}
