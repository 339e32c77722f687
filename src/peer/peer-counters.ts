/** What is counted for each other member, over all its connections; rendered as etcd's etcd_network_* metrics. */
import { exponentialBuckets, Histogram } from "../base/metrics.ts";

export class PeerCounters {
  sentBytes = 0;
  receivedBytes = 0;
  /** Messages that were dropped, and connections that broke. */
  sendFailures = 0;
  /** Connections of the member that broke or spoke nonsense. */
  receiveFailures = 0;
  /** How often the member went from connected to not connected. */
  disconnects = 0;
  snapshotsSent = 0;
  snapshotSendFailures = 0;
  snapshotsReceived = 0;
  snapshotReceiveFailures = 0;
  readonly roundTripSeconds = new Histogram(exponentialBuckets(0.0001, 2, 16));
}

/** One member as of now. */
export interface PeerStatistics {
  readonly member: bigint;
  readonly isActive: boolean;
  readonly activeSinceMs: number;
  readonly roundTripMs: number;
  readonly queuedMessages: number;
  readonly queuedBytes: number;
  readonly counters: Readonly<PeerCounters>;
}
