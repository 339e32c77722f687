/**
 * Bytes of one stream that wait for flow control or for the socket. Holds references, not copies; the order is
 * kept. Empty for most streams of a connection most of the time, and then not even allocated.
 */
interface Piece {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
}

const SMALL_COPY_BYTES = 32;
const COMPACT_AT = 64;

export class OutputQueue {
  byteCount = 0;
  #pieces: Piece[] = [];
  #first = 0;

  push(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return;
    this.#pieces.push({ bytes, position: start, end });
    this.byteCount += end - start;
  }

  /** Moves `count` bytes (at most byteCount) to target[at...]. */
  take(count: number, target: Uint8Array, at: number): void {
    let left = count;
    let position = at;
    while (left > 0) {
      const piece = this.#pieces[this.#first]!;
      const part = Math.min(left, piece.end - piece.position);
      copy(piece.bytes, piece.position, piece.position + part, target, position);
      piece.position += part;
      position += part;
      left -= part;
      if (piece.position === piece.end) this.#drop();
    }
    this.byteCount -= count;
  }

  #drop(): void {
    this.#first++;
    if (this.#first === this.#pieces.length) {
      this.#pieces = [];
      this.#first = 0;
    } else if (this.#first >= COMPACT_AT && this.#first * 2 >= this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    }
  }
}

function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > SMALL_COPY_BYTES) {
    to.set(from.subarray(start, end), at);
    return;
  }
  for (let i = start; i < end; i++) to[at + i - start] = from[i]!;
}
