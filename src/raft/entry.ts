/**
 * One entry of the replicated log (thesis 3.5: index, term, command). Entries are values: nobody
 * changes one after it was made, so the log, the messages and the write-ahead log may share it.
 */
export interface Entry {
  readonly term: number;
  readonly index: number;
  /** 0 a command (empty data: a leader's first entry), 1 a membership change. */
  readonly kind: number;
  readonly data: Uint8Array;
}

export const ENTRY_COMMAND = 0;
export const ENTRY_MEMBERSHIP = 1;

/**
 * What an entry costs on the wire and in the log besides its data: index, term, kind and framing.
 */
export const ENTRY_OVERHEAD_BYTES = 24;

export const NO_DATA = new Uint8Array(0);

export function entryBytes(entry: Entry): number {
  return entry.data.length + ENTRY_OVERHEAD_BYTES;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = entries.length * ENTRY_OVERHEAD_BYTES;
  for (let i = 0; i < entries.length; i++) bytes += entries[i]!.data.length;
  return bytes;
}

/**
 * How many of `entries` from `start` fit into `bytesMax`; the first always does, or nothing would
 * ever move.
 */
export function fittingCount(
  entries: readonly Entry[],
  start: number,
  end: number,
  bytesMax: number,
): number {
  let bytes = 0;
  for (let i = start; i < end; i++) {
    bytes += entries[i]!.data.length + ENTRY_OVERHEAD_BYTES;
    if (bytes > bytesMax && i > start) return i - start;
  }
  return end - start;
}
