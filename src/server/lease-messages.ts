/**
 * What members ask the leader about leases, and its answers. All are CBOR arrays (positional; ids are unsigned
 * bigints, everything else numbers or byte strings):
 *
 *   lease-renew          [id, ...]                  -> [seconds, ...] in the same order; 0 no such lease, -1 it ran
 *                                                      out and its revocation is on its way
 *   lease-time-to-live   [[id, with keys], ...]     -> [[seconds left, seconds granted, [key, ...]], ...]; seconds
 *                                                      left is -1 for no such lease
 *
 * An answer's status is 0; 1 when the member asked does not lead (the body is empty), 2 with an error for the client:
 * [code, text]. Decoders return null for anything else.
 */
import { EtcdError } from "../api/index.ts";
import { copyBytes } from "../base/bytes.ts";
import { CborError, type CborValue, decodeCbor, encodeCbor } from "../base/cbor.ts";
import type { PeerAnswer } from "../peer/index.ts";

export const LEASE_RENEW = "lease-renew";
export const LEASE_TIME_TO_LIVE = "lease-time-to-live";

export const STATUS_OK = 0;
export const STATUS_NOT_LEADING = 1;
export const STATUS_ERROR = 2;

export interface LeaseTimesQuery {
  readonly id: bigint;
  readonly withKeys: boolean;
}

export interface LeaseTimes {
  /** -1: no such lease. */
  readonly secondsLeft: number;
  readonly secondsGranted: number;
  readonly keys: readonly Uint8Array[];
}

const NO_BYTES = new Uint8Array(0);

export function okAnswer(body: Uint8Array): PeerAnswer {
  return { status: STATUS_OK, body };
}

export const NOT_LEADING_ANSWER: PeerAnswer = { status: STATUS_NOT_LEADING, body: NO_BYTES };

export function errorAnswer(error: EtcdError): PeerAnswer {
  return { status: STATUS_ERROR, body: encodeCbor([error.code, error.message]) };
}

export function decodeError(body: Uint8Array): EtcdError | null {
  const value = decodeArray(body);
  if (value === null || value.length !== 2) return null;
  const [code, message] = value;
  if (typeof code !== "number" || typeof message !== "string") return null;
  return new EtcdError(code, message);
}

export function encodeLeaseIds(ids: readonly bigint[]): Uint8Array {
  return encodeCbor(ids.map(toUnsigned));
}

export function decodeLeaseIds(body: Uint8Array): bigint[] | null {
  return decodeItems(body, (item) => (typeof item === "bigint" ? toSigned(item) : null));
}

export function encodeSeconds(seconds: readonly number[]): Uint8Array {
  return encodeCbor([...seconds]);
}

export function decodeSeconds(body: Uint8Array): number[] | null {
  return decodeItems(body, (item) => (isSeconds(item) ? item : null));
}

export function encodeTimesQueries(queries: readonly LeaseTimesQuery[]): Uint8Array {
  return encodeCbor(queries.map(({ id, withKeys }) => [toUnsigned(id), withKeys]));
}

export function decodeTimesQueries(body: Uint8Array): LeaseTimesQuery[] | null {
  return decodeItems(body, (item) => {
    if (!Array.isArray(item) || item.length !== 2) return null;
    const [id, withKeys] = item;
    if (typeof id !== "bigint" || typeof withKeys !== "boolean") return null;
    return { id: toSigned(id), withKeys };
  });
}

export function encodeTimes(times: readonly LeaseTimes[]): Uint8Array {
  return encodeCbor(
    times.map(({ secondsLeft, secondsGranted, keys }) => [secondsLeft, secondsGranted, keys]),
  );
}

export function decodeTimes(body: Uint8Array): LeaseTimes[] | null {
  return decodeItems(body, (item) => {
    if (!Array.isArray(item) || item.length !== 3) return null;
    const [secondsLeft, secondsGranted, keys] = item;
    if (!isSeconds(secondsLeft) || !isSeconds(secondsGranted) || !isKeys(keys)) return null;
    // The body belongs to the transport.
    return { secondsLeft, secondsGranted, keys: keys.map(copyBytes) };
  });
}

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= -1;
}

function isKeys(value: unknown): value is Uint8Array[] {
  return Array.isArray(value) && value.every((key) => key instanceof Uint8Array);
}

function decodeItems<Item>(
  body: Uint8Array,
  decodeItem: (item: CborValue) => Item | null,
): Item[] | null {
  const values = decodeArray(body);
  if (values === null) return null;
  const items: Item[] = [];
  for (const value of values) {
    const item = decodeItem(value);
    if (item === null) return null;
    items.push(item);
  }
  return items;
}

function decodeArray(body: Uint8Array): readonly CborValue[] | null {
  try {
    const value = decodeCbor(body);
    return Array.isArray(value) ? value : null;
  } catch (error) {
    if (error instanceof CborError) return null;
    throw error;
  }
}

function toUnsigned(id: bigint): bigint {
  return BigInt.asUintN(64, id);
}

/** As protobuf's int64 gives it. */
function toSigned(id: bigint): bigint {
  return BigInt.asIntN(64, id);
}
