// A register per key: read, write and compare-and-set. Each key is a partition of its own.

import type { Model } from "./history.ts";

export type RegisterInput =
  | { readonly kind: "read"; readonly key: string }
  | { readonly kind: "write"; readonly key: string; readonly value: string }
  | { readonly kind: "cas"; readonly key: string; readonly from: string; readonly to: string };

/** Reads: what was there, null for nothing. Writes: the value. Compare-and-set: whether it was set. */
export type RegisterOutput = string | null | boolean;

export const registerModel: Model<string | null, RegisterInput, { value: RegisterOutput }> = {
  initial: null,
  step(state, input, output) {
    switch (input.kind) {
      case "read":
        return [output === null || output.value === state, state];
      case "write":
        return [true, input.value];
      case "cas": {
        const matches = state === input.from;
        if (output !== null && output.value !== matches) return [false, state];
        return [true, matches ? input.to : state];
      }
    }
  },
  hash: textHash,
  equal: (a, b) => a === b,
  preservesState(input, output) {
    if (input.kind === "read") return true;
    return input.kind === "cas" && output !== null && output.value === false;
  },
  partition: (input) => input.key,
};

/** FNV-1a over code units; null apart from every text. */
export function textHash(text: string | null): number {
  if (text === null) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
