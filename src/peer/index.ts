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
