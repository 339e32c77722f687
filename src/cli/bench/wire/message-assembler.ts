/** Cuts the DATA of one answer stream into gRPC messages. `onMessage` gets a view that is valid during the call. */
const PREFIX_BYTES = 5;
const MESSAGE_BYTES_MAX = 64 << 20;

export class MessageAssembler {
  #left: Buffer = Buffer.alloc(0);

  /** False when the stream cannot be read on: a compressed or far too long message. */
  push(
    chunk: Buffer,
    start: number,
    end: number,
    onMessage: (bytes: Uint8Array, start: number, end: number) => void,
  ): boolean {
    let bytes = chunk;
    let at = start;
    let stop = end;
    if (this.#left.length > 0) {
      bytes = Buffer.concat([this.#left, chunk.subarray(start, end)]);
      at = 0;
      stop = bytes.length;
    }
    while (stop - at >= PREFIX_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      if (bytes[at] !== 0 || length > MESSAGE_BYTES_MAX) return false;
      const next = at + PREFIX_BYTES + length;
      if (next > stop) break;
      onMessage(bytes, at + PREFIX_BYTES, next);
      at = next;
    }
    this.#left = at === stop ? Buffer.alloc(0) : Buffer.from(bytes.subarray(at, stop));
    return true;
  }
}
