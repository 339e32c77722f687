/**
 * The rows of the `key` bucket that one batch adds, in memory until they are durable. Rows come in
 * ascending order, so a lookup is a binary search over two numbers; there is no object per row but
 * its value.
 */
import { assert } from "../base/assert.ts";

const FIRST_CAPACITY = 1024;
/** A buffer that had to grow beyond this is given back after its batch. */
const KEPT_CAPACITY_MAX = 1 << 16;
const TOMBSTONE_BIT = 0x80000000;

export class RevisionBuffer {
  #mains = new Float64Array(FIRST_CAPACITY);
  #subs = new Uint32Array(FIRST_CAPACITY);
  #values: (Uint8Array | undefined)[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  append(main: number, sub: number, tombstone: boolean, value: Uint8Array): void {
    const last = this.#count - 1;
    if (last >= 0) {
      const lastMain = this.#mains[last]!;
      const ascends =
        main > lastMain || (main === lastMain && sub > this.#subs[last]! % TOMBSTONE_BIT);
      assert(ascends, "rows of the key bucket are appended in order");
    }
    if (this.#count === this.#mains.length) this.#grow();
    this.#mains[this.#count] = main;
    this.#subs[this.#count] = tombstone ? (sub | TOMBSTONE_BIT) >>> 0 : sub;
    this.#values[this.#count] = value;
    this.#count++;
  }

  /** The value of a row that is no tombstone. */
  get(main: number, sub: number): Uint8Array | undefined {
    if (this.#count === 0 || main < this.#mains[0]!) return undefined;
    const index = this.firstAtOrAfter(main, sub);
    const isThere = index < this.#count && this.#mains[index] === main;
    return isThere && this.#subs[index] === sub ? this.#values[index] : undefined;
  }

  /** The index of the first row at or after (main, sub), `count` if there is none. */
  firstAtOrAfter(main: number, sub: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.#mains[middle]!;
      if (at < main || (at === main && this.#subs[middle]! % TOMBSTONE_BIT < sub)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  main(index: number): number {
    return this.#mains[index]!;
  }

  sub(index: number): number {
    return this.#subs[index]! % TOMBSTONE_BIT;
  }

  isTombstone(index: number): boolean {
    return this.#subs[index]! >= TOMBSTONE_BIT;
  }

  value(index: number): Uint8Array {
    return this.#values[index]!;
  }

  clear(): void {
    this.#count = 0;
    this.#values.length = 0;
    if (this.#mains.length > KEPT_CAPACITY_MAX) {
      this.#mains = new Float64Array(FIRST_CAPACITY);
      this.#subs = new Uint32Array(FIRST_CAPACITY);
    }
  }

  #grow(): void {
    const mains = new Float64Array(this.#mains.length * 2);
    mains.set(this.#mains);
    this.#mains = mains;
    const subs = new Uint32Array(this.#subs.length * 2);
    subs.set(this.#subs);
    this.#subs = subs;
  }
}
