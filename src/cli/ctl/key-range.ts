/** The keys that get, del and watch mean: one key, a range, a prefix, or everything from a key on. */
import { prefixRangeEnd } from "../../base/bytes.ts";
import { bytesOfArgument } from "../output/index.ts";

export interface KeyRange {
  readonly key: Uint8Array;
  readonly range_end: Uint8Array;
}

const NONE = new Uint8Array(0);
const ZERO = Uint8Array.of(0);

export function singleKey(word: string): KeyRange {
  return { key: bytesOfArgument(word), range_end: NONE };
}

export function keyRange(from: string, to: string): KeyRange {
  return { key: bytesOfArgument(from), range_end: bytesOfArgument(to) };
}

/** An empty prefix means every key. */
export function prefixRange(word: string): KeyRange {
  const key = bytesOfArgument(word);
  return key.length === 0
    ? { key: ZERO, range_end: ZERO }
    : { key, range_end: prefixRangeEnd(key) };
}

export function fromKeyRange(word: string): KeyRange {
  const key = bytesOfArgument(word);
  return { key: key.length === 0 ? ZERO : key, range_end: ZERO };
}
