// Election safety: at most one leader in a term. Ask at every tick of every member that says it leads.

import type { Violation } from "./violations.ts";

export class LeadersByTerm {
  readonly #leaders = new Map<number, string>();

  /** `member` leads in `term`. Hands back the violation, if it is one. */
  observe(term: number, member: string): Violation | null {
    const leader = this.#leaders.get(term);
    if (leader === undefined) this.#leaders.set(term, member);
    if (leader === undefined || leader === member) return null;
    return { rule: "one-leader", message: `${leader} and ${member} both lead in term ${term}` };
  }
}

export function checkOneLeaderPerTerm(
  observations: Iterable<{ readonly term: number; readonly member: string }>,
): Violation[] {
  const leaders = new LeadersByTerm();
  const violations: Violation[] = [];
  for (const { term, member } of observations) {
    const violation = leaders.observe(term, member);
    if (violation !== null) violations.push(violation);
  }
  return violations;
}
