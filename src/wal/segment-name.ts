/** Names of segments: <sequence, 16 hex digits>-<index of the first entry expected in it, 16 hex digits>.wal */

export interface SegmentName {
  readonly file: string;
  readonly sequence: number;
  /** The log's last index when the segment was begun, plus one. Later entries may still overwrite earlier ones. */
  readonly firstIndex: number;
}

export const PREPARED_FILE = "next.tmp";

const PATTERN = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/;

export function segmentName(sequence: number, firstIndex: number): SegmentName {
  return { file: `${hex16(sequence)}-${hex16(firstIndex)}.wal`, sequence, firstIndex };
}

/** The name's parts, or null if this is not a segment's name. */
export function parseSegmentName(file: string): SegmentName | null {
  const match = PATTERN.exec(file);
  if (match === null) return null;
  const sequence = Number.parseInt(match[1]!, 16);
  const firstIndex = Number.parseInt(match[2]!, 16);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(firstIndex)) return null;
  return { file, sequence, firstIndex };
}

export function hex16(value: number): string {
  return value.toString(16).padStart(16, "0");
}
