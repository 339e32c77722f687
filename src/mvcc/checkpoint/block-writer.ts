/**
 * Builds one block of the checkpoint: the keys in order, each cut by what it shares with the one
 * before, then the numbers of each entry.
 */
import { writeVarint } from "../record.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KEY_BYTES_FIELD,
  BLOCK_PAYLOAD_BYTES,
  blockCrc,
} from "./format.ts";

const VARINT_BYTES_MAX = 10;
const KEYS_FROM = BLOCK_HEADER_BYTES + BLOCK_KEY_BYTES_FIELD;

export class BlockWriter {
  /** Header, payload up to the end of the keys; the numbers come behind them in `take`. */
  #bytes = new Uint8Array(KEYS_FROM + BLOCK_PAYLOAD_BYTES);
  #at = KEYS_FROM;
  #numbers = new Uint8Array(BLOCK_PAYLOAD_BYTES);
  #numbersAt = 0;
  #entries = 0;
  #previousKey = new Uint8Array(1024);
  #previousLength = 0;

  get isFull(): boolean {
    return this.#at + this.#numbersAt - BLOCK_HEADER_BYTES >= BLOCK_PAYLOAD_BYTES;
  }

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  /** Begins an entry with the first `length` bytes of `key`; its numbers follow. */
  key(key: Uint8Array, length: number): void {
    if (length > this.#previousKey.length) this.#growPrevious(length);
    if (this.#at + length + 2 * VARINT_BYTES_MAX > this.#bytes.length) {
      this.#bytes = grown(this.#bytes, this.#at, length);
    }
    const previous = this.#previousKey;
    const bytes = this.#bytes;
    const limit = Math.min(this.#previousLength, length);
    let shared = 0;
    while (shared < limit && previous[shared] === key[shared]) shared++;
    let at = writeVarint(bytes, this.#at, shared);
    at = writeVarint(bytes, at, length - shared);
    for (let i = shared; i < length; i++) {
      bytes[at++] = key[i]!;
      previous[i] = key[i]!;
    }
    this.#at = at;
    this.#previousLength = length;
    this.#entries++;
  }

  number(value: number): void {
    this.#reserve();
    if (value < 128) this.#numbers[this.#numbersAt++] = value;
    else this.#numbersAt = writeVarint(this.#numbers, this.#numbersAt, value);
  }

  lease(lease: bigint): void {
    this.#reserve();
    new DataView(this.#numbers.buffer).setBigInt64(this.#numbersAt, lease, true);
    this.#numbersAt += 8;
  }

  /** The finished block (valid until the next entry), after which a new one begins. */
  take(): Uint8Array {
    const end = this.#at + this.#numbersAt;
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, this.#at, this.#numbersAt);
    this.#bytes.set(this.#numbers.subarray(0, this.#numbersAt), this.#at);
    const block = this.#bytes.subarray(0, end);
    const view = new DataView(this.#bytes.buffer);
    view.setUint32(0, end - BLOCK_HEADER_BYTES, true);
    view.setUint32(4, this.#entries, true);
    view.setUint32(BLOCK_HEADER_BYTES, this.#at - KEYS_FROM, true);
    view.setUint32(8, blockCrc(block, block, BLOCK_HEADER_BYTES, end), true);
    this.#at = KEYS_FROM;
    this.#numbersAt = 0;
    this.#entries = 0;
    this.#previousLength = 0;
    return block;
  }

  #reserve(): void {
    if (this.#numbersAt + VARINT_BYTES_MAX <= this.#numbers.length) return;
    this.#numbers = grown(this.#numbers, this.#numbersAt, VARINT_BYTES_MAX);
  }

  #growPrevious(length: number): void {
    this.#previousKey = grown(this.#previousKey, this.#previousLength, length);
  }
}

/** A copy of bytes[0, used) with room for `more` and as much again. */
function grown(bytes: Uint8Array, used: number, more: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array((used + more + VARINT_BYTES_MAX) * 2);
  larger.set(bytes.subarray(0, used));
  return larger;
}
