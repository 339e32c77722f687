/**
 * Cuts the DATA of a call into messages: a flag byte, four bytes of length, the message. A message that lies
 * whole within one frame is handed on in place; others are collected in a buffer that grows with what really
 * came, not with what was announced.
 */
import { EtcdError, GrpcCode } from "../../api/index.ts";

export const ENVELOPE_BYTES = 5;

export interface MessageSink {
  /** One message, bytes[start, end), already inflated. */
  takeMessage(bytes: Uint8Array, start: number, end: number): void;
  failMessage(error: EtcdError): void;
}

/** Bytes of unfinished messages over all calls of a connection. */
export interface PartialBudget {
  usedBytes: number;
  readonly bytesMax: number;
}

export interface MessageOptions {
  readonly messageBytesMax: number;
  /** Unpacks gzip; null when damaged, "too-large" when the result would exceed `bytesMax`. */
  readonly inflate: Inflate;
}

export type Inflate = (bytes: Uint8Array, bytesMax: number) => Uint8Array | null | "too-large";

const FIRST_BUFFER_BYTES = 4096;

export class MessageAssembler {
  readonly #sink: MessageSink;
  readonly #options: MessageOptions;
  readonly #budget: PartialBudget;
  readonly #encoding: string;
  readonly #envelope = new Uint8Array(ENVELOPE_BYTES);
  #envelopeCount = 0;
  #body = new Uint8Array(0);
  #bodyCount = 0;
  #bodyBytes = 0;
  #stopped = false;

  constructor(sink: MessageSink, options: MessageOptions, budget: PartialBudget, encoding: string) {
    this.#sink = sink;
    this.#options = options;
    this.#budget = budget;
    this.#encoding = encoding;
  }

  /** Whether a message's body has begun and not ended. (grpc-go takes a torn envelope for a plain end.) */
  get isPartial(): boolean {
    return this.#envelopeCount === ENVELOPE_BYTES;
  }

  push(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.#stopped) {
      if (this.#envelopeCount < ENVELOPE_BYTES) {
        this.#envelope[this.#envelopeCount++] = bytes[at++]!;
        if (this.#envelopeCount < ENVELOPE_BYTES) continue;
        if (!this.#open()) return;
        if (this.#bodyBytes <= end - at) {
          const from = at;
          at += this.#bodyBytes;
          this.#envelopeCount = 0;
          this.#deliver(bytes, from, at);
        }
        continue;
      }
      const count = Math.min(this.#bodyBytes - this.#bodyCount, end - at);
      if (!this.#collect(bytes, at, at + count)) return;
      at += count;
      if (this.#bodyCount < this.#bodyBytes) return;
      const body = this.#body;
      this.#release();
      this.#envelopeCount = 0;
      this.#deliver(body, 0, this.#bodyBytes);
    }
  }

  /** The call is over: takes no more and gives its share of the budget back. */
  stop(): void {
    this.#stopped = true;
    this.#release();
  }

  #release(): void {
    this.#budget.usedBytes -= this.#body.length;
    this.#body = new Uint8Array(0);
    this.#bodyCount = 0;
  }

  #refuse(code: number, message: string): boolean {
    this.stop();
    this.#sink.failMessage(new EtcdError(code, message));
    return false;
  }

  #open(): boolean {
    const envelope = this.#envelope;
    const flag = envelope[0]!;
    this.#bodyBytes =
      ((envelope[1]! << 24) | (envelope[2]! << 16) | (envelope[3]! << 8) | envelope[4]!) >>> 0;
    if (this.#bodyBytes > this.#options.messageBytesMax) {
      return this.#refuse(
        GrpcCode.ResourceExhausted,
        `grpc: received message larger than max (${this.#bodyBytes} vs. ${this.#options.messageBytesMax})`,
      );
    }
    if (flag > 1) {
      return this.#refuse(GrpcCode.Internal, `grpc: received unexpected payload format ${flag}`);
    }
    if (flag === 0) return true;
    if (this.#encoding === "" || this.#encoding === "identity") {
      const text = "grpc: compressed flag set with identity or empty encoding";
      return this.#refuse(GrpcCode.Internal, text);
    }
    return true;
  }

  #collect(bytes: Buffer, start: number, end: number): boolean {
    const needed = this.#bodyCount + end - start;
    if (needed > this.#body.length) {
      const size = Math.min(
        this.#bodyBytes,
        Math.max(needed, this.#body.length * 2, FIRST_BUFFER_BYTES),
      );
      const extra = size - this.#body.length;
      if (this.#budget.usedBytes + extra > this.#budget.bytesMax) {
        const text = "too many unfinished messages on one connection";
        return this.#refuse(GrpcCode.ResourceExhausted, text);
      }
      this.#budget.usedBytes += extra;
      const grown = new Uint8Array(size);
      grown.set(this.#body.subarray(0, this.#bodyCount));
      this.#body = grown;
    }
    this.#body.set(bytes.subarray(start, end), this.#bodyCount);
    this.#bodyCount = needed;
    return true;
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    if (this.#envelope[0] === 0) {
      this.#sink.takeMessage(bytes, start, end);
      return;
    }
    const { messageBytesMax, inflate } = this.#options;
    const inflated = inflate(bytes.subarray(start, end), messageBytesMax);
    if (inflated === null) {
      this.#refuse(GrpcCode.Internal, "grpc: failed to decompress the message: unexpected EOF");
    } else if (inflated === "too-large") {
      const text = `grpc: received message after decompression larger than max ${messageBytesMax}`;
      this.#refuse(GrpcCode.ResourceExhausted, text);
    } else {
      this.#sink.takeMessage(inflated, 0, inflated.length);
    }
  }
}
