/**
 * The members' transport as the server sees it: a port. `peer/` implements it over sockets, the simulator over a
 * network of its own. Everything is best effort: messages may be lost, raft sends again. Nothing here waits: a dead
 * or slow peer costs a bounded queue. All callbacks come from the one thread, never from within the call that
 * caused them.
 */
import type { Message } from "../raft/index.ts";

export interface PeerAddress {
  readonly id: bigint;
  /** As advertised; tried in turn. */
  readonly peerUrls: readonly string[];
}

/** Raft's message that announces a snapshot; the state itself travels beside the other messages. */
export type SnapshotMessage = Extract<Message, { kind: "snapshot" }>;

/** A snapshot that is being sent: the database file as of one moment. */
export interface SnapshotSource {
  readonly sizeBytes: number;
  /** Reads at `offset`; short only at the end. Throws DiskError. */
  read(offset: number, buffer: Uint8Array): number;
  /** Called exactly once, when the transfer ended either way. */
  close(): void;
}

/** What distinguishes one transfer from another: a resumed one has the same id. */
export interface SnapshotTransfer {
  /** Chosen at random by the sender; hexadecimal. */
  readonly id: string;
  readonly message: SnapshotMessage;
  readonly sizeBytes: number;
}

/** Where an arriving snapshot goes. Bytes come in order, without gaps, each chunk checked against its sum. */
export interface SnapshotSink {
  /** How much of this transfer is already here. */
  readonly receivedBytes: number;
  write(chunk: Uint8Array): void;
  /** Everything is here: makes it durable, hands the message to raft, then tells whether it was taken. */
  finish(done: (accepted: boolean) => void): void;
  /** The connection broke; what came is kept for another attempt with the same id. */
  suspend(): void;
}

/** status 0: done; anything else is for the two ends to agree on, with a text in the body. */
export interface PeerAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface PeerEvents {
  /** What arrived in one read, in order. The transport has checked that `from` is who it says. */
  receive(messages: readonly Message[]): void;
  /** Messages to this member were dropped, or its connection broke. */
  unreachable(member: bigint): void;
  /** Null refuses the transfer. */
  beginSnapshot(transfer: SnapshotTransfer): SnapshotSink | null;
  /** A question of another member; `respond` is called exactly once. */
  request(
    from: bigint,
    name: string,
    body: Uint8Array,
    respond: (answer: PeerAnswer) => void,
  ): void;
  /** Another member says that this one was removed from the cluster. */
  removed(): void;
}

export interface PeerTransport {
  start(events: PeerEvents): void;
  /** All members but this one; connections to others end. Called again whenever membership or URLs change. */
  setPeers(peers: readonly PeerAddress[]): void;
  /** Members that were removed for good: their connections are refused with the reason. */
  setRemoved(members: readonly bigint[]): void;
  /** Leave at once, together. Never `snapshot` messages. Messages to unknown members are dropped. */
  send(messages: readonly Message[]): void;
  /** Sends a snapshot beside the messages, resuming over broken connections; `done` exactly once. */
  sendSnapshot(
    message: SnapshotMessage,
    source: SnapshotSource,
    done: (arrived: boolean) => void,
  ): void;
  /** Null: no answer in time, or no connection. */
  request(
    to: bigint,
    name: string,
    body: Uint8Array,
    timeoutMs: number,
    done: (answer: PeerAnswer | null) => void,
  ): void;
  /** Monotonic milliseconds since when the member is connected; NaN while it is not. */
  activeSinceMs(member: bigint): number;
  /** Last measured; NaN when unknown. */
  roundTripMs(member: bigint): number;
  /**
   * Why a leader's lease cannot rely on the member's promise, in words for the log; null when it can: when the member
   * last introduced itself, in either direction, it said that it runs in lease mode with the same intervals. Asked
   * before every read by lease. Of a member that restarted with other settings the old answer stands until it is met
   * again; it confirms no heartbeat before that.
   */
  leaseObstacle(member: bigint): string | null;
  /** Closes everything; no callback after it. */
  stop(): void;
}
