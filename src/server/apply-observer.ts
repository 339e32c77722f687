/** Watches how long commands take to apply: histograms by kind, and a warning for each that is slow. */
import type { MemberInstruments } from "../api/index.ts";
import type { Logger } from "../io/index.ts";
import { COMMAND_NAMES } from "../state-machine/index.ts";

export class ApplyObserver {
  readonly #instruments: MemberInstruments;
  readonly #logger: Logger;
  readonly #slowSeconds: number;
  /** By kind, twice: failed, succeeded. Looked up once, fed often. */
  readonly #histograms: { observe(seconds: number): void }[] = [];
  slowCount = 0;

  constructor(instruments: MemberInstruments, logger: Logger, slowMs: number) {
    this.#instruments = instruments;
    this.#logger = logger;
    this.#slowSeconds = slowMs / 1000;
  }

  readonly observe = (kind: number, succeeded: boolean, seconds: number): void => {
    // Membership changes are no commands.
    if (kind === 0) return;
    const slot = kind * 2 + (succeeded ? 1 : 0);
    this.#histograms[slot] ??= this.#instruments.applySeconds.with(
      COMMAND_NAMES[kind] ?? "",
      String(succeeded),
    );
    this.#histograms[slot].observe(seconds);
    if (seconds >= this.#slowSeconds) this.#warn(kind, seconds);
  };

  #warn(kind: number, seconds: number): void {
    this.slowCount++;
    this.#logger.warn("apply request took too long", {
      took: `${(seconds * 1000).toFixed(3)}ms`,
      "expected-duration": `${this.#slowSeconds * 1000}ms`,
      request: COMMAND_NAMES[kind] ?? "",
    });
  }
}
