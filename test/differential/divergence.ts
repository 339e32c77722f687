// Every difference from the real etcd 3.5 that is kept on purpose. A difference that is not in this
// table fails the differential test; docs/divergence.md lists the same entries with the same reasons
// (divergence.test.ts compares them).

import type { Json, JsonObject } from "./plain.ts";
import type { Step } from "./trace.ts";

export interface Divergence {
  /** Heading in docs/divergence.md. */
  readonly id: string;
  /** What etcd 3.5 does, what cairn does, why: the three lines of the document. */
  readonly etcd: string;
  readonly cairn: string;
  readonly reason: string;
  /** Turns what etcd answered into what cairn must answer; absent when no step of a case shows it. */
  readonly expect?: (step: Step, cairn: Step) => Json | undefined;
}

export const divergences: readonly Divergence[] = [
  {
    id: "api-level",
    etcd: "Reports version 3.5.x in Status, /version and the metrics.",
    cairn: "Reports 3.7.x there, and its own version in the field `cairn` of /version.",
    reason: "cairn implements the API of etcd 3.7, and clients switch features on by this text.",
  },
  {
    id: "invalid-sort-option",
    etcd: "Takes an unknown sort_order for ascending, and crashes on an unknown sort_target.",
    cairn: "Refuses both with InvalidArgument `etcdserver: invalid sort option`.",
    reason: "etcd answers so since 3.6, and no request may end a server.",
  },
];

/** A case that names a divergence which is not in the table is itself wrong. */
export function requireDivergence(id: string): void {
  if (!divergences.some((each) => each.id === id)) throw new Error(`no divergence ${id}`);
}

/** What cairn must answer where etcd answered `step`. */
export function expectedOf(step: Step, cairn: Step): Json {
  let answer = step.answer;
  for (const divergence of divergences) {
    const changed = divergence.expect?.({ ...step, answer }, cairn);
    if (changed !== undefined) answer = changed;
  }
  return answer;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
