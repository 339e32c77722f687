/**
 * The window of append messages sent to one follower and not yet answered, bounded in messages and
 * in bytes (etcd's MaxInflightMsgs and MaxInflightBytes). Owned by the follower's Progress while it
 * replicates.
 *
 * Invariants: the last indexes of the messages ascend from head to tail; bytes is the sum over the
 * window. The byte bound is soft by one message: a message that starts below it is let through, or
 * a large entry never could.
 */
import { assert } from "../base/assert.ts";

const CAPACITY_START = 16;

export class Inflights {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #lastIndexes = new Float64Array(CAPACITY_START);
  #sizes = new Float64Array(CAPACITY_START);
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    assert(messagesMax > 0 && bytesMax > 0, `an inflight window of ${messagesMax}, ${bytesMax} B`);
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  isFull(): boolean {
    return this.#count >= this.#messagesMax || this.#bytes >= this.#bytesMax;
  }

  /** A message whose last entry is `lastIndex` was sent. */
  add(lastIndex: number, bytes: number): void {
    assert(!this.isFull(), `a full window takes no message: ${this.#count}, ${this.#bytes} B`);
    const capacity = this.#lastIndexes.length;
    if (this.#count === capacity) this.#grow(capacity * 2);
    const tail = (this.#head + this.#count) % this.#lastIndexes.length;
    this.#lastIndexes[tail] = lastIndex;
    this.#sizes[tail] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /**
   * The follower has everything up to `index`: all messages that end there or before are answered.
   */
  freeThrough(index: number): void {
    const capacity = this.#lastIndexes.length;
    while (this.#count > 0 && this.#lastIndexes[this.#head]! <= index) {
      this.#bytes -= this.#sizes[this.#head]!;
      this.#head = (this.#head + 1) % capacity;
      this.#count--;
    }
  }

  clear(): void {
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(capacity: number): void {
    const indexes = new Float64Array(capacity);
    const sizes = new Float64Array(capacity);
    for (let i = 0; i < this.#count; i++) {
      const from = (this.#head + i) % this.#lastIndexes.length;
      indexes[i] = this.#lastIndexes[from]!;
      sizes[i] = this.#sizes[from]!;
    }
    this.#lastIndexes = indexes;
    this.#sizes = sizes;
    this.#head = 0;
  }
}
