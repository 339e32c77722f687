/** Member and cluster ids by etcd's algorithm, so that restores and joins agree with real members. */
import { concatBytes, utf8 } from "../base/bytes.ts";
import type { NewDigest } from "../io/index.ts";

/**
 * SHA-1 over the sorted peer URLs, joined without a separator, and the cluster token (members added at run time:
 * no token, but the decimal unix seconds); the first eight bytes, big-endian.
 */
export function memberIdOf(
  newDigest: NewDigest,
  peerUrls: readonly string[],
  suffix: string,
): bigint {
  return firstWord(newDigest, utf8([...peerUrls].sort().join("") + suffix));
}

/** SHA-1 over the ascending member ids of the first configuration, eight big-endian bytes each. */
export function clusterIdOf(newDigest: NewDigest, memberIds: readonly bigint[]): bigint {
  const ascending = [...memberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return firstWord(newDigest, concatBytes(ascending.map(bigEndian)));
}

function bigEndian(id: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, id);
  return bytes;
}

function firstWord(newDigest: NewDigest, bytes: Uint8Array): bigint {
  const digest = newDigest("sha1");
  digest.update(bytes);
  const sum = digest.finish();
  return new DataView(sum.buffer, sum.byteOffset, sum.length).getBigUint64(0);
}
