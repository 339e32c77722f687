/**
 * Keys of the `key` bucket: one row per change.
 *
 *   offset size
 *   0      8    main revision, big-endian
 *   8      1    '_'
 *   9      8    sub: position within the revision, big-endian
 *   17     1    't', only when the change is a deletion
 *
 * So bytewise order is the order of changes. Revisions are safe integers here.
 */
export const REVISION_KEY_BYTES = 17;
export const TOMBSTONE_KEY_BYTES = 18;
const UNDERSCORE = 0x5f;
const TOMBSTONE_MARK = 0x74;
const HIGH = 2 ** 32;

/** Writes 17 bytes, or 18 with the mark; returns how many. */
export function writeRevisionKey(
  target: Uint8Array,
  main: number,
  sub: number,
  tombstone: boolean,
): number {
  writeUint64(target, 0, main);
  target[8] = UNDERSCORE;
  writeUint64(target, 9, sub);
  if (!tombstone) return REVISION_KEY_BYTES;
  target[17] = TOMBSTONE_MARK;
  return TOMBSTONE_KEY_BYTES;
}

export function revisionKey(main: number, sub: number, tombstone: boolean): Uint8Array {
  const key = new Uint8Array(tombstone ? TOMBSTONE_KEY_BYTES : REVISION_KEY_BYTES);
  writeRevisionKey(key, main, sub, tombstone);
  return key;
}

export function isRevisionKey(key: Uint8Array): boolean {
  if (key[8] !== UNDERSCORE) return false;
  if (key.length === TOMBSTONE_KEY_BYTES) return key[17] === TOMBSTONE_MARK;
  return key.length === REVISION_KEY_BYTES;
}

export function revisionKeyMain(key: Uint8Array): number {
  return readUint64(key, 0);
}

export function revisionKeySub(key: Uint8Array): number {
  return readUint64(key, 9);
}

export function readUint64(bytes: Uint8Array, at: number): number {
  const high =
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  const low =
    ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>>
    0;
  return high * HIGH + low;
}

export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / HIGH);
  const low = value >>> 0;
  bytes[at] = high >>> 24;
  bytes[at + 1] = high >>> 16;
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = low >>> 16;
  bytes[at + 6] = low >>> 8;
  bytes[at + 7] = low;
}

export function uint64Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}
