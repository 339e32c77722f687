/** What a member is built from: ports, identity, limits. */
import type { MemberSample } from "../api/index.ts";
import type { Random } from "../io/index.ts";
import type { Retention } from "./auto-compactor.ts";
import type { BootstrapOptions } from "./bootstrap.ts";

export interface MemberOptions extends BootstrapOptions {
  readonly random: Random;
  readonly clientUrls: readonly string[];
  readonly electionTimeoutMs: number;
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
  /** Feature gates, for metrics. */
  readonly features: MemberSample["features"];
  /** Applying one command longer than this is worth a warning. */
  readonly slowApplyMs: number;
}

/** How long a request may wait for the log: etcd's 5 s and two election timeouts. */
export function requestTimeoutMs(options: MemberOptions): number {
  return 5000 + 2 * options.electionTimeoutMs;
}
