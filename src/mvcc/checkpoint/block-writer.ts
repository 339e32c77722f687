/**
 * Builds one block of the checkpoint: entries in key order, each key cut by what it shares with the
 * one before.
 */
import { writeVarint } from "../record.ts";
import { BLOCK_HEADER_BYTES, BLOCK_PAYLOAD_BYTES, blockCrc } from "./format.ts";

const VARINT_BYTES_MAX = 10;

export class BlockWriter {
  #bytes = new Uint8Array(BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES + 4096);
  #at = BLOCK_HEADER_BYTES;
  #entries = 0;
  #previousKey: Uint8Array = new Uint8Array(0);

  get isFull(): boolean {
    return this.#at - BLOCK_HEADER_BYTES >= BLOCK_PAYLOAD_BYTES;
  }

  get isEmpty(): boolean {
    return this.#entries === 0;
  }

  /** Begins an entry; its numbers follow. */
  key(key: Uint8Array): void {
    const previous = this.#previousKey;
    const limit = Math.min(previous.length, key.length);
    let shared = 0;
    while (shared < limit && previous[shared] === key[shared]) shared++;
    this.number(shared);
    this.number(key.length - shared);
    this.#reserve(key.length - shared);
    this.#bytes.set(key.subarray(shared), this.#at);
    this.#at += key.length - shared;
    this.#previousKey = key;
    this.#entries++;
  }

  number(value: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    this.#at = writeVarint(this.#bytes, this.#at, value);
  }

  lease(lease: bigint): void {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigInt64(this.#at, lease, true);
    this.#at += 8;
  }

  /** The finished block (valid until the next entry), after which a new one begins. */
  take(): Uint8Array {
    const block = this.#bytes.subarray(0, this.#at);
    const view = new DataView(this.#bytes.buffer);
    view.setUint32(0, this.#at - BLOCK_HEADER_BYTES, true);
    view.setUint32(4, this.#entries, true);
    view.setUint32(8, blockCrc(block, block, BLOCK_HEADER_BYTES, this.#at), true);
    this.#at = BLOCK_HEADER_BYTES;
    this.#entries = 0;
    this.#previousKey = new Uint8Array(0);
    return block;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = new Uint8Array((this.#at + more) * 2);
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
