/**
 * A rate for bytes: whoever sends asks how long to wait first. At most a tenth of a second goes ahead of the rate, so
 * that a pause is not made up for by a burst.
 */
export class ByteRate {
  readonly #bytesPerMs: number;
  /** When what was granted so far will have been sent at this rate. */
  #paidUntilMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** 0: go ahead now; `grant` then counts the bytes. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#paidUntilMs - nowMs - BURST_MS);
  }

  grant(bytes: number, nowMs: number): void {
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + bytes / this.#bytesPerMs;
  }
}

const BURST_MS = 100;
