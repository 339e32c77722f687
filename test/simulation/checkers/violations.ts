// What the checkers hand back: empty when all is well. Only so many of a kind are kept, because one
// broken rule tends to break at every later event.

export interface Violation {
  readonly rule: string;
  readonly message: string;
}

const violationsPerRuleMax = 10;

export class Violations {
  readonly list: Violation[] = [];
  readonly #counts = new Map<string, number>();

  add(rule: string, message: string): void {
    const count = (this.#counts.get(rule) ?? 0) + 1;
    this.#counts.set(rule, count);
    if (count <= violationsPerRuleMax) this.list.push({ rule, message });
  }
}
