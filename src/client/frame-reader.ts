/**
 * Cuts gRPC messages (1 byte flags, 4 bytes length, body) out of the chunks of a stream. Bounded: a message
 * over the limit is refused before it is collected. The bytes handed out are never overwritten.
 */
import { EtcdError, GrpcCode } from "../api/index.ts";

const PREFIX_BYTES = 5;

export class FrameReader {
  readonly #bytesMax: number;
  readonly #onMessage: (message: Uint8Array) => void;
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;

  constructor(bytesMax: number, onMessage: (message: Uint8Array) => void) {
    this.#bytesMax = bytesMax;
    this.#onMessage = onMessage;
  }

  /** Takes a chunk; an error means that the stream is not to be read further. */
  push(chunk: Uint8Array): EtcdError | null {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    for (;;) {
      if (this.#bufferedBytes < PREFIX_BYTES) return null;
      const prefix = this.#peekPrefix();
      if (prefix[0] !== 0) {
        return new EtcdError(
          GrpcCode.Internal,
          "grpc: received a compressed message without having offered an encoding",
        );
      }
      const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
      if (length > this.#bytesMax) {
        return new EtcdError(
          GrpcCode.ResourceExhausted,
          `grpc: received message larger than max (${length} vs. ${this.#bytesMax})`,
        );
      }
      if (this.#bufferedBytes < PREFIX_BYTES + length) return null;
      this.#onMessage(this.#take(PREFIX_BYTES + length).subarray(PREFIX_BYTES));
    }
  }

  /** Whether a message was cut off by the end of the stream. */
  get midMessage(): boolean {
    return this.#bufferedBytes > 0;
  }

  #peekPrefix(): Uint8Array {
    if (this.#chunks[0]!.length < PREFIX_BYTES) this.#join();
    return this.#chunks[0]!;
  }

  #take(length: number): Uint8Array {
    if (this.#chunks[0]!.length < length) this.#join();
    const first = this.#chunks[0]!;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    this.#bufferedBytes -= length;
    return first.subarray(0, length);
  }

  #join(): void {
    this.#chunks = [Buffer.concat(this.#chunks, this.#bufferedBytes)];
  }
}
