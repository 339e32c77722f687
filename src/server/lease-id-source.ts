/**
 * Ids for leases that the client did not name: the member id's low two bytes, five bytes of milliseconds, one
 * counting byte, without the sign bit (etcd's form); so two members never choose the same one.
 */
import type { Clock } from "../io/index.ts";

export class LeaseIdSource {
  readonly #prefix: bigint;
  #suffix: bigint;

  constructor(memberId: bigint, clock: Clock) {
    this.#prefix = (memberId & 0xffffn) << 48n;
    this.#suffix = (BigInt(Math.floor(clock.wallMs())) & 0xffffffffffn) << 8n;
  }

  /** The next id that is not taken; never 0. */
  next(isTaken: (id: bigint) => boolean): bigint {
    for (;;) {
      this.#suffix = (this.#suffix + 1n) & 0xffffffffffffn;
      const id = (this.#prefix | this.#suffix) & 0x7fffffffffffffffn;
      if (id !== 0n && !isTaken(id)) return id;
    }
  }
}
