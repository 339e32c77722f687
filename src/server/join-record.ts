/**
 * Whom a joining member was told of: kept in a file of its own beside the log from its first start until its state
 * names the members, so that a restart in between can answer those who speak to it. Losing it is no loss of data: the
 * member then waits for its snapshot or log for ever, and is to be removed and joined again.
 */
import { utf8, utf8Text } from "../base/bytes.ts";
import { decodeMember, encodeMember } from "../cluster/index.ts";
import type { Disk } from "../io/index.ts";
import type { PeerAddress } from "../peer/index.ts";

const FILE = "joining.json";
const BYTES_MAX = 1 << 20;

/** Durable before the log is made. */
export function writeJoinRecord(
  disk: Disk,
  directory: string,
  remotes: readonly PeerAddress[],
): void {
  const rows = remotes.map(({ id, peerUrls }) =>
    encodeMember({ id, peerUrls, name: "", clientUrls: [], isLearner: false }),
  );
  const bytes = utf8(rows.map((row) => `${row}\n`).join(""));
  removeJoinRecord(disk, directory);
  const file = disk.open(`${directory}/${FILE}`, { create: true });
  try {
    file.writeAt(bytes, 0, bytes.length, 0);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.syncDirectory(directory);
}

/** Nobody where there is none; lines that are not members are passed over. */
export function readJoinRecord(disk: Disk, directory: string): PeerAddress[] {
  const path = `${directory}/${FILE}`;
  if (!disk.exists(path)) return [];
  const file = disk.open(path, { readOnly: true });
  try {
    const bytes = new Uint8Array(Math.min(file.sizeBytes(), BYTES_MAX));
    const length = file.readAt(bytes, 0, bytes.length, 0);
    const lines = utf8Text(bytes.subarray(0, length)).split("\n");
    const members = lines.map(decodeMember).filter((member) => member !== undefined);
    return members.map(({ id, peerUrls }) => ({ id, peerUrls }));
  } finally {
    file.close();
  }
}

export function removeJoinRecord(disk: Disk, directory: string): void {
  if (disk.exists(`${directory}/${FILE}`)) disk.remove(`${directory}/${FILE}`);
}
