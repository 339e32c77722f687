/** One lease. Times are the lessor's clock: monotonic milliseconds handed in by its caller. */
export interface Lease {
  readonly id: bigint;
  /** Seconds granted; what renewals give again. */
  readonly ttlSeconds: number;
  /** Seconds left as of the last checkpoint, 0 when there is none: a new leader starts from these. */
  remainingTtlSeconds: number;
  /** When it expires; Infinity on members that do not watch the clock (not the leader). */
  expiryMs: number;
  /**
   * Log index of the revocation, and of the last checkpoint, that this member proposed for it while leading; 0 for
   * none. Until those entries are applied they may still come true. Forgotten with the leadership.
   */
  revokeIndex: number;
  checkpointIndex: number;
  /** Time of its latest entry in the expiry queue; older entries are outdated. */
  queuedMs: number;
  /** Keys attached, as latin1 strings of their bytes. */
  readonly keys: Set<string>;
}
