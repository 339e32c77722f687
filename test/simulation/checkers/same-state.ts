// State-machine safety: members that applied the same log index have the same state, told by a hash of
// it. The same class holds any other pair of place and content: log entries by index, HashKV by
// revision and compacted revision.

import type { Violation } from "./violations.ts";

interface First {
  readonly member: string;
  readonly hash: string;
}

export class SameState {
  readonly #first = new Map<string, First>();
  readonly #what: string;

  /** `what`: names the place in messages, such as "index". */
  constructor(what = "index") {
    this.#what = what;
  }

  /** Also finds a member that contradicts itself, after a restart say. */
  observe(at: number | string, member: string, hash: number | bigint | string): Violation | null {
    const place = String(at);
    const text = String(hash);
    const first = this.#first.get(place);
    if (first === undefined) this.#first.set(place, { member, hash: text });
    if (first === undefined || first.hash === text) return null;
    const message = `at ${this.#what} ${place} ${first.member} has ${first.hash}, ${member} has ${text}`;
    return { rule: "same-state", message };
  }
}

export function checkSameState(
  observations: Iterable<{
    readonly at: number | string;
    readonly member: string;
    readonly hash: number | bigint | string;
  }>,
  what = "index",
): Violation[] {
  const state = new SameState(what);
  const violations: Violation[] = [];
  for (const { at, member, hash } of observations) {
    const violation = state.observe(at, member, hash);
    if (violation !== null) violations.push(violation);
  }
  return violations;
}
