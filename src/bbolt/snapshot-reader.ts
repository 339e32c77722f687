/**
 * A copy of one state as a stream of bytes: the two meta pages made for it, then every page up to
 * its high-water mark as the file has it. Pages that the state does not use may carry anything. The
 * reader must stay open until the last byte is read.
 */
import { encodeMetaPage } from "./meta.ts";
import type { ReadTransaction } from "./read-transaction.ts";

const META_PAGES = 2;

export class SnapshotReader {
  /** A multiple of the page size. */
  readonly totalBytes: number;
  readonly #read: ReadTransaction;
  readonly #metas: Uint8Array;
  #position = 0;

  constructor(read: ReadTransaction) {
    const { meta } = read;
    this.#read = read;
    this.totalBytes = meta.pageCount * meta.pageBytes;
    this.#metas = new Uint8Array(META_PAGES * meta.pageBytes);
    this.#metas.set(encodeMetaPage(meta, 0), 0);
    // The second slot is one transaction older with the same roots, as other tools write it.
    const older = { ...meta, transactionId: Math.max(meta.transactionId - 1, 0) };
    this.#metas.set(encodeMetaPage(older, 1), meta.pageBytes);
  }

  get remainingBytes(): number {
    return this.totalBytes - this.#position;
  }

  /** Fills target[offset, offset + length) with the next bytes; returns how many, 0 at the end. */
  read(target: Uint8Array, offset = 0, length = target.length - offset): number {
    const count = this.readAt(this.#position, target, offset, length);
    this.#position += count;
    return count;
  }

  /** The same from any position, for copies that stop and go on. */
  readAt(
    position: number,
    target: Uint8Array,
    offset = 0,
    length: number = target.length - offset,
  ): number {
    const count = Math.max(Math.min(length, this.totalBytes - position), 0);
    let done = 0;
    if (position < this.#metas.length && count > 0) {
      done = Math.min(count, this.#metas.length - position);
      target.set(this.#metas.subarray(position, position + done), offset);
    }
    if (done < count) this.#read.readRaw(target, offset + done, count - done, position + done);
    return count;
  }
}
