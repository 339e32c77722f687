/**
 * One stream of a connection, seen from the server: the request comes in through the consumer, the answer goes
 * out through the methods. Created by the connection for a request, forgotten when both sides are closed.
 * A stream ends exactly once: by finish(), by reset(), or by the consumer's onReset(); what is called after
 * that does nothing.
 */
import type { Http2Connection } from "./connection.ts";
import type { ReceiveAccount } from "./flow-control.ts";
import { ErrorCode, Flag, FRAME_HEADER_BYTES, FrameType, putFrameHeader } from "./frame.ts";
import type { RepeatedBlock } from "./hpack-encoder.ts";
import { OutputQueue } from "./output-queue.ts";

/** Who takes what arrives on a stream. */
export interface StreamConsumer {
  /** Payload bytes[start, end); to be given back by stream.credit() as soon as they are taken. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** The client's half is complete. */
  onEndStream(): void;
  /** The client reset the stream or the connection is gone. Nothing can be sent any more. */
  onReset(errorCode: number): void;
  /** The queue is short again after isFull() was true. */
  onWritable(): void;
}

/** Stolen rather than copied when a message does not go out at once. */
const STEAL_BYTES_MIN = 32 * 1024;

export class Http2Stream implements ReceiveAccount {
  readonly id: number;
  readonly connection: Http2Connection;
  consumer: StreamConsumer | null = null;
  /** The peer sent END_STREAM. */
  remoteClosed = false;
  /** Both sides are done, or one was reset. */
  dead = false;
  headersSent = false;
  sendWindow: number;
  receiveWindow: number;
  returnedBytes = 0;
  /** Announced content-length and what came of it; -1 when not announced. */
  expectedBytes = -1;
  receivedBytes = 0;
  queue: OutputQueue | null = null;
  /** finish() was called; `trailers` follow the queue. */
  finishing = false;
  trailers: readonly string[] | RepeatedBlock | null = null;
  /** In the connection's line of streams that have something to send. */
  inLine = false;
  nextInLine: Http2Stream | null = null;
  #drainWanted = false;

  constructor(id: number, connection: Http2Connection, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.connection = connection;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  get queuedBytes(): number {
    return this.queue === null ? 0 : this.queue.byteCount;
  }

  /** Whether the producer should wait for onWritable: at once when the process has too much waiting already. */
  isFull(): boolean {
    const { limits, answers } = this.connection;
    const { queuedBytes } = this;
    if (queuedBytes < limits.streamQueueHighWaterBytes && (queuedBytes === 0 || !answers.isFull)) {
      return false;
    }
    this.#drainWanted = true;
    return true;
  }

  /** True once when the queue has become short enough for a producer that waits. */
  takeDrain(): boolean {
    if (!this.#drainWanted) return false;
    if (this.queuedBytes * 2 > this.connection.limits.streamQueueHighWaterBytes) return false;
    this.#drainWanted = false;
    return true;
  }

  /** The consumer took `bytes` of the payload. */
  credit(bytes: number): void {
    this.connection.credit(this, bytes);
  }

  /** Whether `bytes` more of payload would go out at once, as one frame. */
  fitsNow(bytes: number): boolean {
    const connection = this.connection;
    return (
      this.queuedBytes === 0 &&
      bytes <= this.sendWindow &&
      bytes <= connection.sendWindow &&
      bytes <= connection.peerMaxFrameBytes &&
      connection.out.position <= connection.limits.outputHighWaterBytes
    );
  }

  /** Response headers: name, value, name, value, ... starting with :status. */
  sendHeaders(fields: readonly string[] | RepeatedBlock, endStream = false): void {
    if (this.dead) return;
    this.headersSent = true;
    this.connection.writeHeaderBlock(this.id, fields, endStream);
    if (endStream) this.connection.closeLocal(this);
  }

  /**
   * Opens a DATA frame whose payload the caller now writes to connection.out. Returns the frame's offset, which
   * closeData() needs. Nothing else may be written to the connection in between.
   */
  openData(): number {
    const out = this.connection.beginWrite();
    out.reserve(FRAME_HEADER_BYTES);
    const frameStart = out.position;
    out.position = frameStart + FRAME_HEADER_BYTES;
    return frameStart;
  }

  /**
   * Lets the frame go if windows and room allow it; otherwise its payload waits in the queue. With `mayDrop` a
   * long one is dropped instead, and the result is false, when too much waits in this process already.
   */
  closeData(frameStart: number, mayDrop = false): boolean {
    const connection = this.connection;
    const out = connection.out;
    const start = frameStart + FRAME_HEADER_BYTES;
    const length = out.position - start;
    if (this.dead) {
      out.position = frameStart;
      return true;
    }
    if (
      this.queuedBytes === 0 &&
      length <= this.sendWindow &&
      length <= connection.sendWindow &&
      length <= connection.peerMaxFrameBytes &&
      frameStart <= connection.limits.outputHighWaterBytes
    ) {
      putFrameHeader(out.bytes, frameStart, length, FrameType.Data, 0, this.id);
      this.sendWindow -= length;
      connection.sendWindow -= length;
      connection.noteDataSent();
      return true;
    }
    const kept = !mayDrop || length < STEAL_BYTES_MIN || connection.answers.allows(length);
    const end = out.position;
    const bytes = out.bytes;
    out.position = frameStart;
    if (length < STEAL_BYTES_MIN) {
      this.#enqueue(bytes.slice(start, end), 0, length);
      return true;
    }
    const fresh = connection.pool.take();
    out.bytes = fresh;
    out.position = 0;
    out.raw(bytes.subarray(0, frameStart));
    // A dropped payload leaves with its buffer, too: the writer must not go on holding what it grew to.
    if (kept) this.#enqueue(bytes, start, end);
    return kept;
  }

  /** Sends bytes[start, end) without keeping a copy: the caller must not change them afterwards. */
  sendBytes(bytes: Uint8Array, start: number, end: number): void {
    if (!this.dead) this.#enqueue(bytes, start, end);
  }

  /** Ends our half after everything queued, with trailers or without. */
  finish(trailers: readonly string[] | RepeatedBlock | null): void {
    if (this.dead || this.finishing) return;
    this.finishing = true;
    this.trailers = trailers;
    if (this.queuedBytes === 0) this.sendEnd();
  }

  /** Writes what finish() asked for; the queue is empty. */
  sendEnd(): void {
    const connection = this.connection;
    if (this.trailers !== null) {
      connection.writeHeaderBlock(this.id, this.trailers, true);
    } else {
      const out = connection.beginWrite();
      out.reserve(FRAME_HEADER_BYTES);
      putFrameHeader(out.bytes, out.position, 0, FrameType.Data, Flag.EndStream, this.id);
      out.position += FRAME_HEADER_BYTES;
    }
    connection.closeLocal(this);
  }

  /** Gives the stream up at once. The consumer is not told. */
  reset(errorCode: number = ErrorCode.Cancel): void {
    if (!this.dead) this.connection.resetStream(this, errorCode);
  }

  #enqueue(bytes: Uint8Array, start: number, end: number): void {
    if (this.queue === null) this.queue = new OutputQueue();
    this.queue.push(bytes, start, end);
    this.connection.noteQueued(this, end - start);
  }
}
