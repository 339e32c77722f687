export type { PeerPage, PeerPageFailure } from "./fetch-peer-page.ts";
export { fetchPeerPage } from "./fetch-peer-page.ts";
export { NoPeers } from "./no-peers.ts";
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
