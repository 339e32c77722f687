/** What the parts of one transport share, and its limits. */
import type { Clock, Logger, Random } from "../io/index.ts";
import type { ChannelKind, Hello } from "./hello.ts";
import type { LeaseSettings } from "./lease-settings.ts";
import type { ConnectionServices } from "./peer-connection.ts";
import type { Dial } from "./peer-socket.ts";

export interface PeerLimits {
  /** Largest frame that is accepted: more than the largest entry. */
  readonly frameBytesMax: number;
  /** Appends and proposals that may wait for one member. */
  readonly bulkMessagesMax: number;
  /** Above raft's inflight window, or a member that catches up would be reported unreachable. */
  readonly bulkBytesMax: number;
  /** Small messages that may wait for one member. */
  readonly urgentMessagesMax: number;
  /** Requests without an answer, each way, for one member. */
  readonly requestsMax: number;
  readonly dialTimeoutMs: number;
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
  /** Between pings, and between looks at deadlines of requests. */
  readonly checkIntervalMs: number;
  /** Looks that may find nothing received before a connection counts as dead. */
  readonly silentChecksMax: number;
  readonly snapshotChunkBytes: number;
  /** Chunks that may be on the way without being acknowledged. */
  readonly snapshotWindowChunks: number;
  /** Of all transfers together. */
  readonly snapshotBytesPerSecond: number;
  /** A transfer that has not moved for so long is given up. */
  readonly snapshotStallMs: number;
  /** How long the receiver may take to make a whole snapshot its own, while its connection lives. */
  readonly snapshotFinishMs: number;
  /** Members that are not known here yet and are answered all the same. */
  readonly learnedMembersMax: number;
}

export const PEER_LIMITS: PeerLimits = {
  frameBytesMax: 64 * 1024 * 1024,
  bulkMessagesMax: 4096,
  bulkBytesMax: 72 * 1024 * 1024,
  urgentMessagesMax: 4096,
  requestsMax: 1024,
  dialTimeoutMs: 3000,
  backoffMsMin: 50,
  backoffMsMax: 1000,
  checkIntervalMs: 500,
  silentChecksMax: 6,
  snapshotChunkBytes: 256 * 1024,
  snapshotWindowChunks: 8,
  snapshotBytesPerSecond: 100 * 1024 * 1024,
  snapshotStallMs: 30_000,
  snapshotFinishMs: 10 * 60_000,
  learnedMembersMax: 16,
};

export interface PeerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly dial: Dial;
  readonly limits: PeerLimits;
}

export interface PeerServices {
  readonly options: PeerParts;
  readonly connections: ConnectionServices;
  readonly memberId: bigint;
  /** This member's own. */
  readonly leaseSettings: LeaseSettings;
  helloTo(member: bigint, channel: ChannelKind): Hello;
  /** Raft hears of it in a later turn, once for all that was lost in this one. */
  noteUnreachable(member: bigint): void;
  noteRemoved(): void;
}
