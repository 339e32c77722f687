import type { Random } from "../random.ts";

/** Randomness from the operating system. */
export class BunRandom implements Random {
  readonly #word = new Uint32Array(1);

  uint32(): number {
    crypto.getRandomValues(this.#word);
    return this.#word[0]!;
  }

  fill(buffer: Uint8Array): void {
    crypto.getRandomValues(buffer);
  }
}
