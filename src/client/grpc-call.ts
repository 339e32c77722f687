/**
 * One gRPC call over one HTTP/2 stream, of any kind: messages out, messages in, one outcome. Callers above it
 * (unary, streams, watch) own retries and deadlines.
 *
 * Invariants: `onClose` comes exactly once and last; after `cancel` nothing but `onClose` comes.
 */
import type { ClientHttp2Stream } from "node:http2";
import { EtcdError, errContextCanceled, GrpcCode } from "../api/index.ts";
import { FrameReader } from "./frame-reader.ts";
import { type Headers, statusOf, transportErrorOf } from "./status.ts";

const HTTP2_CANCEL = 8;

export interface CallListener {
  onMessage(message: Uint8Array): void;
  onClose(error: EtcdError | null): void;
}

export class GrpcCall {
  readonly #stream: ClientHttp2Stream;
  readonly #listener: CallListener;
  readonly #reader: FrameReader;
  /** Why the connection went away, when it did; asked for only then. */
  readonly #connectionFailure: () => string;
  #status: EtcdError | null | undefined;
  #closed = false;
  #canceled = false;

  constructor(
    stream: ClientHttp2Stream,
    receiveBytesMax: number,
    connectionFailure: () => string,
    listener: CallListener,
  ) {
    this.#stream = stream;
    this.#listener = listener;
    this.#connectionFailure = connectionFailure;
    this.#reader = new FrameReader(receiveBytesMax, (message) => {
      if (!this.#canceled) listener.onMessage(message);
    });
    stream.on("response", (headers) => this.#headers(headers as Headers));
    stream.on("trailers", (trailers) => this.#settle(statusOf(trailers as Headers)));
    stream.on("data", (chunk: Uint8Array) => this.#data(chunk));
    stream.on("error", () => {}); // "close" follows and says the rest
    stream.on("close", () => this.#close());
  }

  /** Sends an already framed message; false asks the caller to wait. */
  send(frame: Uint8Array): boolean {
    return this.#closed || this.#stream.write(frame);
  }

  /** Sends the only message of a call and closes this half. */
  sendLast(frame: Uint8Array): void {
    this.#stream.end(frame);
  }

  endSending(): void {
    this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cancel(): void {
    if (this.#closed || this.#canceled) return;
    this.#canceled = true;
    this.#settle(errContextCanceled);
    this.#stream.close(HTTP2_CANCEL);
    this.#close();
  }

  #settle(status: EtcdError | null | undefined): void {
    if (this.#status === undefined) this.#status = status;
  }

  #headers(headers: Headers): void {
    this.#settle(statusOf(headers));
    const broken = this.#status === undefined ? transportErrorOf(headers) : null;
    if (broken !== null) this.#abort(broken);
  }

  #data(chunk: Uint8Array): void {
    if (this.#canceled) return;
    const error = this.#reader.push(chunk);
    if (error !== null) this.#abort(error);
  }

  #abort(error: EtcdError): void {
    this.#canceled = true;
    this.#settle(error);
    this.#stream.close(HTTP2_CANCEL);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.onClose(this.#outcome());
  }

  #outcome(): EtcdError | null {
    if (this.#status !== undefined) {
      if (this.#status === null && this.#reader.midMessage) {
        return new EtcdError(GrpcCode.Internal, "unexpected EOF");
      }
      return this.#status;
    }
    return new EtcdError(GrpcCode.Unavailable, this.#connectionFailure());
  }
}
