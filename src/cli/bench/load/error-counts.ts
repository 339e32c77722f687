/** How often each error text came. A server that makes up a text per call cannot fill memory. */
const TEXTS_MAX = 50;
const OTHERS = "(other errors)";

export class ErrorCounts {
  total = 0;
  readonly #counts = new Map<string, number>();

  add(text: string): void {
    this.total++;
    const key = this.#counts.has(text) || this.#counts.size < TEXTS_MAX ? text : OTHERS;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Most frequent first. */
  rows(): { text: string; count: number }[] {
    return [...this.#counts]
      .map(([text, count]) => ({ text, count }))
      .sort((one, other) => other.count - one.count || (one.text < other.text ? -1 : 1));
  }
}
