/**
 * How much of the log stays in memory. A follower that falls behind further than that is sent the whole database, so
 * what followers are about to need is kept; but a member's memory is not theirs to fill. Pure: the member asks after
 * each durable commit of its database.
 *
 *   always kept     the last `entriesKept` entries, for members that come back after a short absence
 *   kept if needed  what a connected follower has not got yet; what comes after a snapshot that is being sent
 *   never kept      more than `bytesMax` altogether, or `bytesKept` where nobody needs it now
 */

export interface LogRetentionLimits {
  readonly entriesKept: number;
  readonly bytesKept: number;
  readonly bytesMax: number;
}

export const LOG_RETENTION: LogRetentionLimits = {
  entriesKept: 5000,
  bytesKept: 64 * 1024 * 1024,
  bytesMax: 256 * 1024 * 1024,
};

export interface LogInMemory {
  /** The oldest entry in memory; the ones before it are gone. */
  readonly firstIndex: number;
  readonly appliedIndex: number;
  /** The database holds everything up to here durably: what a snapshot could be sent of. */
  readonly durableIndex: number;
  /** The entries that connected followers have; empty where this member does not lead. */
  readonly activeMatches: readonly number[];
  /** What follows is needed by those who are being sent a snapshot; Infinity for none. */
  readonly snapshotIndex: number;
  /** All entries in memory. */
  readonly bytes: number;
  /** What the entry takes; asked for entries from firstIndex on, in order. */
  readonly bytesOf: (index: number) => number;
}

/** Entries up to this index are to be dropped; firstIndex - 1 for none. */
export function compactTo(log: LogInMemory, limits: LogRetentionLimits = LOG_RETENTION): number {
  const { firstIndex, appliedIndex, durableIndex, activeMatches, snapshotIndex } = log;
  // Nothing goes that a snapshot could not stand for.
  const ceiling = Math.min(appliedIndex, durableIndex);
  const unneeded = Math.min(ceiling, appliedIndex - limits.entriesKept);
  const needed = Math.min(snapshotIndex, ...activeMatches);
  let index = Math.max(Math.min(unneeded, needed), firstIndex - 1);
  let bytes = log.bytes;
  for (let at = firstIndex; at <= index; at++) bytes -= log.bytesOf(at);
  for (; index < ceiling; index++) {
    const bytesLimit = index >= needed ? limits.bytesMax : limits.bytesKept;
    if (bytes <= bytesLimit) break;
    bytes -= log.bytesOf(index + 1);
  }
  return index;
}
