/** Fires once after the last touch was `delayMs` ago. One timer however often it is touched. */
import type { Clock, Timer } from "../io/index.ts";

export class QuietTimer {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #fire: () => void;
  #timer: Timer | null = null;
  #touchedMs = 0;

  constructor(clock: Clock, delayMs: number, fire: () => void) {
    this.#clock = clock;
    this.#delayMs = delayMs;
    this.#fire = fire;
  }

  touch(nowMs: number): void {
    this.#touchedMs = nowMs;
    this.#timer ??= this.#clock.setTimer(this.#delayMs, () => this.#check());
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #check(): void {
    this.#timer = null;
    const leftMs = this.#touchedMs + this.#delayMs - this.#clock.monotonicMs();
    if (leftMs > 0) this.#timer = this.#clock.setTimer(leftMs, () => this.#check());
    else this.#fire();
  }
}
