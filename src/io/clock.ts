/** The clock port: two clocks that must not be mixed, and timers. */
export interface Clock {
  /** Milliseconds since an arbitrary point, never goes back; fractions allowed. For intervals and deadlines. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC; may jump. Only for people and for ids. */
  wallMs(): number;
  /** Calls once after `delayMs`. */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Calls once in a later turn of the event loop, after pending input was handled: the place where batches form. */
  soon(fire: () => void): void;
}

export interface Timer {
  cancel(): void;
}
