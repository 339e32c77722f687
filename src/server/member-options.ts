/** What a member is built from: ports, identity, limits. */
import type { MemberSample } from "../api/index.ts";
import type { Random } from "../io/index.ts";
import type { PeerTransport } from "../peer/index.ts";
import type { Retention } from "./auto-compactor.ts";
import type { BootstrapOptions } from "./bootstrap.ts";
import type { CorruptionChecks } from "./corruption-checker.ts";

export interface MemberOptions extends BootstrapOptions {
  readonly random: Random;
  readonly clientUrls: readonly string[];
  readonly transport: PeerTransport;
  /** This member was removed from the cluster: it has to end, and never comes back with its data. */
  readonly onRemoved: () => void;
  readonly electionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  /** Ask before an election, so that who was cut off disturbs nobody (thesis 9.6). */
  readonly preVote: boolean;
  /** "lease": the leader serves reads by its lease; all members must be set so. */
  readonly readMode: "safe" | "lease";
  /** How much faster than another's a member's clock may run, as a share. Only leases need it. */
  readonly clockDriftMax: number;
  /** A member that starts goes ahead to the end of its first election timeout once it sees others. */
  readonly electionTickAdvance: boolean;
  /** Refuse membership changes that would put the majority at risk. */
  readonly strictReconfigCheck: boolean;
  readonly learnersMax: number;
  readonly requestBytesMax: number;
  readonly txnOperationsMax: number;
  /** Bytes; Infinity for none. */
  readonly quotaBytes: number;
  readonly batchIntervalMs: number;
  readonly batchWritesMax: number;
  readonly entriesPerSnapshot: number;
  readonly catchupEntries: number;
  readonly progressIntervalMs: number;
  readonly retention: Retention;
  /** Replicate how much time leases have left (feature LeaseCheckpoint). */
  readonly leaseCheckpoints: boolean;
  /** When members compare their data. */
  readonly corruptionChecks: CorruptionChecks;
  /** Feature gates, for metrics. */
  readonly features: MemberSample["features"];
  /** Applying one command longer than this is worth a warning. */
  readonly slowApplyMs: number;
}

/** How long a request may wait for the log: etcd's 5 s and two election timeouts. */
export function requestTimeoutMs(options: MemberOptions): number {
  return 5000 + 2 * options.electionTimeoutMs;
}

/** Ticks of raft per election timeout; a tick is a heartbeat interval. */
export function electionTimeoutTicks(options: MemberOptions): number {
  return Math.max(2, Math.floor(options.electionTimeoutMs / options.heartbeatIntervalMs));
}
