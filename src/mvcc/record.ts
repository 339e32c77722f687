/**
 * The stored form of a key at a revision: an encoded mvccpb.KeyValue with the fields in order and
 * zeros left out, exactly as etcd writes it, because HashKV runs over these bytes and clients get
 * them as they are.
 *
 *   field  tag   content
 *   1      0x0a  key                      4  0x20  version
 *   2      0x10  create revision          5  0x2a  value
 *   3      0x18  modification revision    6  0x30  lease
 *
 * Written straight into one buffer of the right size; read without copying.
 */
const TAG_KEY = 0x0a;
const TAG_CREATE = 0x10;
const TAG_MOD = 0x18;
const TAG_VERSION = 0x20;
const TAG_VALUE = 0x2a;
const TAG_LEASE = 0x30;
const HIGH = 2 ** 32;
const SAFE = 2 ** 53;

const EMPTY = new Uint8Array(0);

export function encodeRecord(
  key: Uint8Array,
  create: number,
  mod: number,
  version: number,
  value: Uint8Array,
  lease: bigint,
): Uint8Array {
  const keyBytes = key.length;
  const valueBytes = value.length;
  const size =
    1 +
    varintBytes(keyBytes) +
    keyBytes +
    numberFieldBytes(create) +
    numberFieldBytes(mod) +
    numberFieldBytes(version) +
    (valueBytes === 0 ? 0 : 1 + varintBytes(valueBytes) + valueBytes) +
    (lease === 0n ? 0 : 1 + leaseBytes(lease));
  const out = new Uint8Array(size);
  let at = writeBytesField(out, 0, TAG_KEY, key);
  at = writeNumberField(out, at, TAG_CREATE, create);
  at = writeNumberField(out, at, TAG_MOD, mod);
  at = writeNumberField(out, at, TAG_VERSION, version);
  if (valueBytes !== 0) at = writeBytesField(out, at, TAG_VALUE, value);
  if (lease !== 0n) {
    out[at] = TAG_LEASE;
    writeLease(out, at + 1, lease);
  }
  return out;
}

/** What etcd stores for a deletion: the key alone. */
export function encodeTombstone(key: Uint8Array): Uint8Array {
  return encodeRecord(key, 0, 0, 0, EMPTY, 0n);
}

/** What a watcher gets for a deletion: key and modification revision. */
export function encodeDeleted(key: Uint8Array, mod: number): Uint8Array {
  return encodeRecord(key, 0, mod, 0, EMPTY, 0n);
}

/** The record without value and lease. */
export function encodeKeyOnly(
  key: Uint8Array,
  create: number,
  mod: number,
  version: number,
): Uint8Array {
  return encodeRecord(key, create, mod, version, EMPTY, 0n);
}

/**
 * A reader of records that is used again and again: `read` sets the fields, positions refer to the
 * bytes given.
 */
export class RecordReader {
  keyStart = 0;
  keyEnd = 0;
  create = 0;
  mod = 0;
  version = 0;
  valueStart = 0;
  valueEnd = 0;
  lease = 0n;
  #at = 0;
  #number = 0;

  /** False when the bytes are no record. Unknown fields are skipped. */
  read(bytes: Uint8Array): boolean {
    this.keyStart = this.keyEnd = this.valueStart = this.valueEnd = 0;
    this.create = this.mod = this.version = 0;
    this.lease = 0n;
    this.#at = 0;
    while (this.#at < bytes.length) {
      if (!this.#readField(bytes, bytes[this.#at++]!)) return false;
    }
    return this.#at === bytes.length;
  }

  #readField(bytes: Uint8Array, tag: number): boolean {
    if (tag === TAG_LEASE) {
      const start = this.#at;
      if (!this.#varint(bytes)) return false;
      this.lease = readLease(bytes, start, this.#number);
      return true;
    }
    if (!this.#varint(bytes)) return false;
    const number = this.#number;
    switch (tag) {
      case TAG_KEY:
        this.keyStart = this.#at;
        this.keyEnd = this.#at += number;
        break;
      case TAG_VALUE:
        this.valueStart = this.#at;
        this.valueEnd = this.#at += number;
        break;
      case TAG_CREATE:
        this.create = number;
        break;
      case TAG_MOD:
        this.mod = number;
        break;
      case TAG_VERSION:
        this.version = number;
        break;
      default:
        if ((tag & 7) === 2 && tag < 0x80) this.#at += number;
        else if ((tag & 7) !== 0 || tag >= 0x80) return false;
    }
    return number < SAFE && this.#at <= bytes.length;
  }

  #varint(bytes: Uint8Array): boolean {
    let low = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      const byte = bytes[this.#at++];
      if (byte === undefined) return false;
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.#number = low;
        return true;
      }
      factor *= 128;
    }
    return false;
  }
}

/**
 * Where the key lies in a record made by encodeRecord: start of its bytes; the end is
 * `recordKeyEnd`.
 */
export function recordKey(record: Uint8Array): Uint8Array {
  let at = 1;
  let length = 0;
  let shift = 0;
  for (;;) {
    const byte = record[at++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  return record.subarray(at, at + length);
}

export function varintBytes(value: number): number {
  let bytes = 1;
  while (value >= 128) {
    value = value < HIGH ? value >>> 7 : Math.floor(value / 128);
    bytes++;
  }
  return bytes;
}

export function writeVarint(out: Uint8Array, at: number, value: number): number {
  while (value >= HIGH) {
    out[at++] = (value % 128) | 0x80;
    value = Math.floor(value / 128);
  }
  while (value >= 128) {
    out[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[at] = value;
  return at + 1;
}

function numberFieldBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

function writeNumberField(out: Uint8Array, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  out[at] = tag;
  return writeVarint(out, at + 1, value);
}

function writeBytesField(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  out[at] = tag;
  at = writeVarint(out, at + 1, bytes.length);
  out.set(bytes, at);
  return at + bytes.length;
}

function leaseBytes(lease: bigint): number {
  let rest = BigInt.asUintN(64, lease);
  let bytes = 1;
  while (rest >= 128n) {
    rest >>= 7n;
    bytes++;
  }
  return bytes;
}

function writeLease(out: Uint8Array, at: number, lease: bigint): number {
  let rest = BigInt.asUintN(64, lease);
  while (rest >= 128n) {
    out[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  out[at] = Number(rest);
  return at + 1;
}

/** The varint at `start` as a signed 64-bit number; `approximate` is it as a double. */
function readLease(bytes: Uint8Array, start: number, approximate: number): bigint {
  if (approximate < SAFE) return BigInt(approximate);
  let lease = 0n;
  let shift = 0n;
  for (let at = start; ; at++) {
    lease |= BigInt(bytes[at]! & 0x7f) << shift;
    if (bytes[at]! < 0x80) return BigInt.asIntN(64, lease);
    shift += 7n;
  }
}
