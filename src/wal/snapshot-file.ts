/**
 * Metadata of raft snapshots: one small file per snapshot, <term>-<index>.snap, saying which state the
 * database had to reach and who the members were then. The data itself is the database file.
 *
 * A file is written under a temporary name, synced and renamed: under its name it is whole, or the disk
 * damaged it. A damaged one is set aside as <name>.broken and reported (etcd does the same), and the next
 * older one counts.
 *
 *   0  u32 magic "CSN1"   4  u32 payload length   8  u32 CRC-32C of the payload   12  u32 zero
 *   16 CBOR [index, term, membership bytes]
 */
import { CborError, type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";
import { crc32c } from "../base/crc32c.ts";
import type { Disk } from "../io/index.ts";
import { hex16 } from "./segment-name.ts";

export interface RaftSnapshot {
  readonly index: number;
  readonly term: number;
  /** The membership at `index`, in the encoding of whoever saves it. */
  readonly membership: Uint8Array;
}

export interface LoadedSnapshot {
  /** Null where there is no valid snapshot. */
  readonly snapshot: RaftSnapshot | null;
  /** Damaged files that were renamed; report them. */
  readonly broken: readonly { readonly file: string; readonly reason: string }[];
}

const MAGIC = 0x314e5343; // "CSN1"
const HEADER_BYTES = 16;
const FILE_BYTES_MAX = 64 << 20;
const PATTERN = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/;

/** Saves the snapshot durably, blocking. Throws DiskError; then nothing counts as saved. */
export function saveSnapshot(disk: Disk, directory: string, snapshot: RaftSnapshot): string {
  const name = `${hex16(snapshot.term)}-${hex16(snapshot.index)}.snap`;
  const temporary = `${directory}/${name}.tmp`;
  const bytes = encodeSnapshot(snapshot);
  if (disk.exists(temporary)) disk.remove(temporary);
  const file = disk.open(temporary, { create: true, exclusive: true });
  try {
    file.writeAt(bytes, 0, bytes.length, 0);
    file.syncNow();
  } finally {
    file.close();
  }
  disk.rename(temporary, `${directory}/${name}`);
  disk.syncDirectory(directory);
  return name;
}

/**
 * The newest valid snapshot that `accept` takes (recovery asks for one that the log has a mark of).
 * Leftovers of interrupted saves are removed.
 */
export function loadNewestSnapshot(
  disk: Disk,
  directory: string,
  accept: (snapshot: RaftSnapshot) => boolean = () => true,
): LoadedSnapshot {
  const broken: { file: string; reason: string }[] = [];
  for (const file of disk.list(directory)) {
    if (file.endsWith(".snap.tmp")) disk.remove(`${directory}/${file}`);
  }
  for (const file of snapshotFiles(disk, directory)) {
    const result = readSnapshot(disk, directory, file);
    if (typeof result === "string") {
      disk.rename(`${directory}/${file}`, `${directory}/${file}.broken`);
      broken.push({ file, reason: result });
    } else if (accept(result)) {
      return { snapshot: result, broken };
    }
  }
  return { snapshot: null, broken };
}

/** Removes all but the newest `keep` snapshot files; returns the names removed. */
export function purgeSnapshots(disk: Disk, directory: string, keep: number): string[] {
  const removed = snapshotFiles(disk, directory).slice(Math.max(1, keep));
  for (const file of removed) disk.remove(`${directory}/${file}`);
  return removed;
}

/** Newest first: by term, then index, which is the order of the names. */
function snapshotFiles(disk: Disk, directory: string): string[] {
  return disk
    .list(directory)
    .filter((file) => PATTERN.test(file))
    .sort()
    .reverse();
}

function encodeSnapshot(snapshot: RaftSnapshot): Uint8Array {
  const payload = encodeCbor([snapshot.index, snapshot.term, snapshot.membership]);
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, payload.length, true);
  view.setUint32(8, crc32c(payload), true);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** The snapshot, or what is wrong with the file. */
function readSnapshot(disk: Disk, directory: string, name: string): RaftSnapshot | string {
  const file = disk.open(`${directory}/${name}`, { readOnly: true });
  try {
    const size = file.sizeBytes();
    if (size < HEADER_BYTES || size > FILE_BYTES_MAX) return `a size of ${size} bytes`;
    const bytes = new Uint8Array(size);
    if (file.readAt(bytes, 0, size, 0) < size) return "cut off while being read";
    return decodeSnapshot(bytes, name);
  } finally {
    file.close();
  }
}

function decodeSnapshot(bytes: Uint8Array, name: string): RaftSnapshot | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) return "not a snapshot file";
  const payload = bytes.subarray(HEADER_BYTES);
  if (view.getUint32(4, true) !== payload.length) return "a length that differs from the file's";
  if (view.getUint32(12, true) !== 0) return "unknown flags";
  if (crc32c(payload) !== view.getUint32(8, true)) return "the checksum does not match";
  let value: CborValue;
  try {
    value = decodeCbor(payload);
  } catch (error) {
    if (error instanceof CborError) return error.message;
    throw error;
  }
  const [index, term, membership] = Array.isArray(value) ? value : [];
  if (typeof index !== "number" || typeof term !== "number") return "unexpected content";
  if (!(membership instanceof Uint8Array)) return "unexpected content";
  if (`${hex16(term)}-${hex16(index)}.snap` !== name) return "the content of another snapshot";
  return { index, term, membership };
}
