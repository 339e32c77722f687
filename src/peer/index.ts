export type { PeerPage, PeerPageFailure } from "./fetch-peer-page.ts";
export { fetchPeerPage } from "./fetch-peer-page.ts";
export { PEER_PATH } from "./hello.ts";
export type { LeaseSettings } from "./lease-settings.ts";
export { leaseObstacle, NEVER_MET } from "./lease-settings.ts";
export { NoPeers } from "./no-peers.ts";
export type { UpgradeRequest } from "./peer-acceptor.ts";
export type { PeerCounters, PeerStatistics } from "./peer-counters.ts";
export type { PeerLimits } from "./peer-services.ts";
export { PEER_LIMITS } from "./peer-services.ts";
export type { PeerSocket } from "./peer-socket.ts";
export type { SocketPeerTransportOptions } from "./socket-peer-transport.ts";
export { SocketPeerTransport } from "./socket-peer-transport.ts";
export type {
  PeerAddress,
  PeerAnswer,
  PeerEvents,
  PeerTransport,
  SnapshotMessage,
  SnapshotSink,
  SnapshotSource,
  SnapshotTransfer,
} from "./types.ts";
