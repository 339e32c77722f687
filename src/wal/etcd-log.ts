/**
 * Tells etcd's own write-ahead log from a damaged one of ours, so that the operator reads what is wrong. etcd's first
 * record is a checksum record: eight bytes of length (the highest bit set for padding), then protobuf with type 4.
 */
import type { Disk } from "../io/index.ts";
import { parseSegmentName } from "./segment-name.ts";

const HEAD_BYTES = 10;
const PADDING_FLAG = 0x80;
const TYPE_FIELD = 0x08;
const TYPE_CHECKSUM = 0x04;

/** Whether the first segment in a directory was written by etcd. Throws DiskError. */
export function isEtcdLog(disk: Disk, directory: string): boolean {
  const first = disk.list(directory).find((name) => parseSegmentName(name) !== null);
  if (first === undefined) return false;
  const file = disk.open(`${directory}/${first}`, { readOnly: true });
  try {
    const head = new Uint8Array(HEAD_BYTES);
    if (file.readAt(head, 0, HEAD_BYTES, 0) < HEAD_BYTES) return false;
    const isLength = head[1] === 0 && head[2] === 0 && head[6] === 0 && head[7]! >= PADDING_FLAG;
    return isLength && head[8] === TYPE_FIELD && head[9] === TYPE_CHECKSUM;
  } finally {
    file.close();
  }
}
