// Writes at a steady pace, whatever became of those before, and when each was answered: what a client sees of a
// failover. Writes overlap, because one that is lost with its leader is answered only after the server's own limit.

export interface ProbedWrite {
  readonly issuedMs: number;
  readonly doneMs: number;
  /** null: acknowledged. */
  readonly error: string | null;
}

const outstandingMax = 5000;

export class WriteProbe {
  readonly writes: ProbedWrite[] = [];
  readonly #put: (key: string) => Promise<string | null>;
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setInterval> | null = null;
  #outstanding = 0;
  #issued = 0;

  /** `put` resolves to the error, null when it was acknowledged. */
  constructor(intervalMs: number, put: (key: string) => Promise<string | null>) {
    this.#intervalMs = intervalMs;
    this.#put = put;
  }

  start(): void {
    this.#timer = setInterval(() => this.#issue(), this.#intervalMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** When the first write that was issued after `sinceMs` was acknowledged; null: not within the limit. */
  async firstAcknowledged(sinceMs: number, limitMs: number): Promise<number | null> {
    const endMs = performance.now() + limitMs;
    while (performance.now() < endMs) {
      const done = this.writes
        .filter(({ issuedMs, error }) => issuedMs >= sinceMs && error === null)
        .map(({ doneMs }) => doneMs);
      if (done.length > 0) return Math.min(...done);
      await Bun.sleep(2);
    }
    return null;
  }

  /** The longest time between two moments at which a write was acknowledged. */
  longestStallMs(fromMs: number, toMs: number): number {
    const moments = this.writes
      .filter(({ error }) => error === null)
      .map(({ doneMs }) => doneMs)
      .filter((doneMs) => doneMs >= fromMs && doneMs <= toMs)
      .sort((a, b) => a - b);
    let longest = 0;
    let before = fromMs;
    for (const moment of [...moments, toMs]) {
      longest = Math.max(longest, moment - before);
      before = moment;
    }
    return longest;
  }

  /** Until every write that was issued has an answer or an error. */
  async settle(limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (this.#outstanding > 0 && performance.now() < endMs) await Bun.sleep(10);
  }

  /** Of the writes issued from then on: how many failed, and how long the slowest answer or error took. */
  outcome(sinceMs: number): { readonly failed: number; readonly slowestMs: number } {
    const since = this.writes.filter(({ issuedMs }) => issuedMs >= sinceMs);
    const slowestMs = Math.max(0, ...since.map(({ issuedMs, doneMs }) => doneMs - issuedMs));
    return { failed: since.filter(({ error }) => error !== null).length, slowestMs };
  }

  /** How often each error came, for writes issued from then on. */
  errors(sinceMs: number): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { issuedMs, error } of this.writes) {
      if (error === null || issuedMs < sinceMs) continue;
      const general = error.replace(/127\.0\.0\.1:\d+/g, "ADDRESS").replace(/\d+\.\d+s/g, "N s");
      counts.set(general, (counts.get(general) ?? 0) + 1);
    }
    return counts;
  }

  #issue(): void {
    if (this.#outstanding >= outstandingMax) return;
    this.#outstanding++;
    const issuedMs = performance.now();
    this.#put(`probe/${this.#issued++ % 100}`).then((error) => {
      this.#outstanding--;
      this.writes.push({ issuedMs, doneMs: performance.now(), error });
    });
  }
}

/** The smallest value that at least this share of them does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
