/**
 * The requests of a load run. All requests of a run are the same bytes but for their keys (and a sequence number
 * at the start of the value, where one is asked for), so they are encoded once and patched in place.
 */

import {
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  ProtoWriter,
  type RangeRequestInit,
} from "../../../api/index.ts";
import { assert } from "../../../base/assert.ts";

export interface RequestSource {
  readonly path: string;
  /** The enveloped message of request number `index`; valid until the next call. */
  next(index: number, startMs: number): Uint8Array;
}

export interface KeyChoice {
  readonly keyBytes: number;
  readonly keySpaceSize: number;
  readonly isSequential: boolean;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

const ENVELOPE_BYTES = 5;
const DIGIT_ZERO = 48;
const VALUE_FILL = 118; // v

export function putSource(keys: KeyChoice, valueBytes: number): RequestSource {
  const value = new Uint8Array(valueBytes).fill(VALUE_FILL);
  return keyedSource("/etcdserverpb.KV/Put", keys, (key) =>
    envelope((writer) => encodePutRequest(writer, { key, value })),
  );
}

/** Transactions of `operations` puts on different keys. */
export function txnSource(keys: KeyChoice, valueBytes: number, operations: number): RequestSource {
  const value = new Uint8Array(valueBytes).fill(VALUE_FILL);
  return keyedSource("/etcdserverpb.KV/Txn", keys, (key) => {
    const request_put = { key, value };
    const success = new Array(operations).fill({ request_put });
    return envelope((writer) => encodeTxnRequest(writer, { success }));
  });
}

export function rangeSource(keys: KeyChoice, request: RangeRequestInit): RequestSource {
  return keyedSource(RANGE_PATH, keys, (key) =>
    envelope((writer) => encodeRangeRequest(writer, { ...request, key })),
  );
}

/** The same range each time. */
export function fixedRangeSource(request: RangeRequestInit): RequestSource {
  const bytes = envelope((writer) => encodeRangeRequest(writer, request));
  return { path: RANGE_PATH, next: () => bytes };
}

const RANGE_PATH = "/etcdserverpb.KV/Range";

/** Puts to one key whose values begin with the request's number, in `digits` decimal digits. */
export function numberedPutSource(
  key: Uint8Array,
  valueBytes: number,
  digits: number,
  onStart: (index: number, startMs: number) => void,
): RequestSource {
  assert(valueBytes >= digits, "a value holds its number");
  const encode = (fill: number) =>
    envelope((writer) =>
      encodePutRequest(writer, {
        key,
        value: new Uint8Array(valueBytes).fill(fill, 0, digits).fill(VALUE_FILL, digits),
      }),
    );
  const bytes = encode(0);
  const [at] = differences(bytes, encode(1));
  return {
    path: "/etcdserverpb.KV/Put",
    next(index, startMs) {
      putDigits(bytes, at!, digits, index);
      onStart(index, startMs);
      return bytes;
    },
  };
}

export function envelope(encode: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  writer.position = ENVELOPE_BYTES;
  encode(writer);
  const bytes = writer.finish();
  bytes[0] = 0;
  new DataView(bytes.buffer).setUint32(1, bytes.length - ENVELOPE_BYTES);
  return bytes;
}

function keyedSource(
  path: string,
  keys: KeyChoice,
  encode: (key: Uint8Array) => Uint8Array,
): RequestSource {
  const { keyBytes, keySpaceSize } = keys;
  const bytes = encode(new Uint8Array(keyBytes));
  // Where two encodings differ that differ in their keys, there are the keys.
  const offsets = differences(bytes, encode(new Uint8Array(keyBytes).fill(1)));
  return {
    path,
    next(index) {
      const first = keys.isSequential
        ? (index * offsets.length) % keySpaceSize
        : Math.floor(keys.random() * keySpaceSize);
      for (let i = 0; i < offsets.length; i++) {
        putDigits(bytes, offsets[i]!, keyBytes, (first + i) % keySpaceSize);
      }
      return bytes;
    },
  };
}

/** The beginnings of the stretches in which two equally long texts differ. */
function differences(one: Uint8Array, other: Uint8Array): number[] {
  const starts: number[] = [];
  for (let i = 0; i < one.length; i++) {
    if (one[i] !== other[i] && (i === 0 || one[i - 1] === other[i - 1])) starts.push(i);
  }
  return starts;
}

/** A number as `count` decimal digits, with leading zeros. */
export function putDigits(bytes: Uint8Array, at: number, count: number, value: number): void {
  let rest = value;
  for (let i = at + count - 1; i >= at; i--) {
    const tens = Math.floor(rest / 10);
    bytes[i] = DIGIT_ZERO + (rest - tens * 10);
    rest = tens;
  }
}

/** Reads what putDigits wrote; -1 when other bytes stand there. */
export function digitsAt(bytes: Uint8Array, at: number, count: number): number {
  if (bytes.length < at + count) return -1;
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = bytes[i]! - DIGIT_ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
