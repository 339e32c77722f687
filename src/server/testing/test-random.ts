/** A random port that always says the same. */
import type { Random } from "../../io/index.ts";

export function newTestRandom(value = 7): Random {
  return { uint32: () => value, fill: (buffer) => buffer.fill(value & 0xff) };
}
