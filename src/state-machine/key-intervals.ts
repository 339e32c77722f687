/**
 * A set of keys as sorted, disjoint, half-open intervals, for the overlap rule of transactions: a nested one may hold
 * tens of thousands of deletes and puts, which must not be compared each with each. Keys are latin1 text, which
 * sorts as its bytes do.
 */
export interface KeyInterval {
  readonly begin: string;
  /** Behind the last key. Not after `begin`: the interval is empty. */
  readonly end: string;
}

export class KeyIntervals {
  #sorted: KeyInterval[] = [];

  intervals(): readonly KeyInterval[] {
    return this.#sorted;
  }

  /** Adds many at once: each call costs time in the size of the whole. */
  add(more: readonly KeyInterval[]): void {
    const added = more.filter(({ begin, end }) => begin < end);
    if (added.length === 0) return;
    const all = this.#sorted.concat(added).sort((a, b) => compareText(a.begin, b.begin));
    const joined: KeyInterval[] = [];
    let { begin, end } = all[0]!;
    for (const next of all) {
      if (next.begin > end) {
        joined.push({ begin, end });
        begin = next.begin;
        end = next.end;
      } else if (next.end > end) {
        end = next.end;
      }
    }
    joined.push({ begin, end });
    this.#sorted = joined;
  }

  cover(key: string): boolean {
    const sorted = this.#sorted;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]!.begin <= key) low = middle + 1;
      else high = middle;
    }
    return low > 0 && key < sorted[low - 1]!.end;
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
