/** Standard input as lines or as a whole. Bounded: no line and no input may exceed what a request can carry. */

import { argumentOfBytes } from "./argument-bytes.ts";
import type { CommandInput } from "./command-io.ts";

const INPUT_BYTES_MAX = 512 * 1024 * 1024;
const NEWLINE = 0x0a;

export class InputLines {
  readonly #chunks: AsyncIterator<Uint8Array | string>;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(input: CommandInput) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** The next line without its end; null when the input ends first, whatever stood on its last line. */
  async next(): Promise<string | null> {
    for (;;) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end >= 0) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return argumentOfBytes(line);
      }
      if (!(await this.#more())) return null;
    }
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const { value, done } = await this.#chunks.next();
    if (done) {
      this.#ended = true;
      return false;
    }
    const chunk = typeof value === "string" ? Buffer.from(value) : value;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#rest.length > INPUT_BYTES_MAX)
      throw new RangeError("a line of the input is too long");
    return true;
  }
}

/** Everything up to the end of the input. */
export async function readInput(input: CommandInput): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    total += bytes.length;
    if (total > INPUT_BYTES_MAX) throw new RangeError("the input is too long");
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}
