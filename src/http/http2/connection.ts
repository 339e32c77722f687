/**
 * One HTTP/2 connection, server side, as a pure state machine: receive() takes what the socket delivered,
 * output collects in `out`, and the host (whoever owns the socket) sends it. No socket, timer or promise here.
 *
 * Invariants: a stream is in `streams` exactly while it is not dead; ids of new streams rise; HPACK blocks are
 * decoded in wire order whatever becomes of their stream; after a connection error nothing is read any more.
 */
import { ProtoWriter } from "../../api/index.ts";
import type { AnswerAccount } from "./answer-budget.ts";
import { type ReceiveAccount, returnToWindow } from "./flow-control.ts";
import {
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  MIN_MAX_FRAME_BYTES,
  putFrameHeader,
  putUint32,
  STREAM_ID_MAX,
  WINDOW_BYTES_MAX,
} from "./frame.ts";
import { FrameHandler } from "./frame-handler.ts";
import { FrameReader } from "./frame-reader.ts";
import { writeHeaders } from "./header-writer.ts";
import { HpackEncoder, type RepeatedBlock } from "./hpack-encoder.ts";
import { type KeepaliveOptions, PingPolicy } from "./keepalive.ts";
import { Budget, type Http2Limits } from "./limits.ts";
import type { OutputPool } from "./output-pool.ts";
import type { RequestHead } from "./request-head.ts";
import { SendLine } from "./send-line.ts";
import { type SettingsTarget, writeInitialFrames } from "./settings.ts";
import type { Http2Stream } from "./stream.ts";

/** Who serves the requests: sets stream.consumer and answers now or later. */
export interface RequestHandler {
  onRequest(stream: Http2Stream, head: RequestHead): void;
}

/** Who owns the socket. */
export interface ConnectionHost {
  /** There is output and receive() is not running: fetch it soon. */
  onOutput(): void;
  /** The connection is over; close the socket when the output is sent. */
  onFinished(): void;
}

export interface ChunkEndListener {
  onChunkEnd(): void;
}

export interface ConnectionOptions {
  readonly limits: Http2Limits;
  readonly keepalive: KeepaliveOptions;
  readonly pool: OutputPool;
  readonly nowMs: number;
}

const GRACEFUL_PING = Buffer.from("cairndrn", "latin1");
const KEEPALIVE_PING = Buffer.from("cairnkpa", "latin1");
/** How many streams that we reset are remembered, so that frames still under way to them are ignored. */
const RESET_MEMORY = 1024;

export class Http2Connection implements ReceiveAccount, SettingsTarget {
  readonly limits: Http2Limits;
  readonly pool: OutputPool;
  readonly handler: RequestHandler;
  readonly out = new ProtoWriter(2);
  readonly encoder = new HpackEncoder();
  readonly streams = new Map<number, Http2Stream>();
  readonly pings: PingPolicy;
  readonly resets: Budget;
  readonly idleFrames: Budget;
  readonly windowUpdates: Budget;
  nowMs: number;
  lastReceivedMs: number;
  sendWindow = DEFAULT_WINDOW_BYTES;
  receiveWindow: number;
  returnedBytes = 0;
  peerMaxFrameBytes = MIN_MAX_FRAME_BYTES;
  peerInitialWindow = DEFAULT_WINDOW_BYTES;
  lastStreamId = 0;
  /** Messages waiting on all streams. */
  queuedBytes = 0;
  /** The same as the process sees it, together with what waits in the socket. */
  readonly answers: AnswerAccount;
  /** Nothing is read any more; what is in `out` still goes out. */
  finished = false;
  /** The final GOAWAY of drain() is out: newer streams are ignored. */
  lastAcceptedId = STREAM_ID_MAX;
  readonly #host: ConnectionHost;
  readonly #reader: FrameReader;
  readonly #line = new SendLine();
  readonly #recentlyReset = new Set<number>();
  #drained: Http2Stream[] = [];
  #receiving = false;
  #atChunkEnd: ChunkEndListener[] = [];
  #outputAnnounced = false;
  #draining = false;

  constructor(host: ConnectionHost, handler: RequestHandler, options: ConnectionOptions) {
    this.#host = host;
    this.handler = handler;
    this.limits = options.limits;
    this.pool = options.pool;
    this.pool.detach(this.out);
    this.answers = this.pool.answers.open();
    this.pings = new PingPolicy(options.keepalive);
    this.nowMs = options.nowMs;
    this.lastReceivedMs = options.nowMs;
    this.receiveWindow = options.limits.connectionWindowBytes;
    const { limits, nowMs } = options;
    this.resets = new Budget(limits.resetBurst, limits.resetsPerSecond, nowMs);
    this.idleFrames = new Budget(limits.idleFrameBurst, limits.idleFramesPerSecond, nowMs);
    this.windowUpdates = new Budget(limits.windowUpdateBurst, limits.windowUpdatesPerSecond, nowMs);
    this.#reader = new FrameReader(new FrameHandler(this), limits.maxFrameBytes);
    writeInitialFrames(this.beginWrite(), limits);
  }

  /** What the socket delivered. The host takes the output when this returns. */
  receive(chunk: Buffer, nowMs: number): void {
    if (this.finished) return;
    this.nowMs = nowMs;
    this.lastReceivedMs = nowMs;
    this.#receiving = true;
    this.#reader.push(chunk);
    if (this.#atChunkEnd.length > 0) this.#callAtChunkEnd();
    this.#receiving = false;
    if (this.out.position > this.limits.outputBytesMax && !this.finished) {
      this.fail(ErrorCode.EnhanceYourCalm, "output is not read");
    }
  }

  /** Calls `listener` when the chunk that is being read has been read. Only from within a consumer's callback. */
  callAtChunkEnd(listener: ChunkEndListener): void {
    this.#atChunkEnd.push(listener);
  }

  #callAtChunkEnd(): void {
    const listeners = this.#atChunkEnd;
    this.#atChunkEnd = [];
    for (const listener of listeners) listener.onChunkEnd();
  }

  /** Fills `out` from the streams' queues as far as windows and room allow. The host calls it before it sends. */
  prepareOutput(): void {
    // The host is here already: what is written below needs no call.
    this.#outputAnnounced = true;
    if (!this.#line.isEmpty) this.#line.pump(this);
    if (this.#drained.length > 0) this.#tellDrained();
    this.#outputAnnounced = false;
  }

  #tellDrained(): void {
    const drained = this.#drained;
    this.#drained = [];
    for (const stream of drained) {
      if (!stream.dead && stream.takeDrain()) stream.consumer?.onWritable();
    }
    if (!this.#line.isEmpty) this.#line.pump(this);
  }

  /** Whether prepareOutput() would have more to write once the socket took what there is. */
  get hasMore(): boolean {
    return !this.#line.isEmpty && this.sendWindow > 0;
  }

  get activeStreams(): number {
    return this.streams.size;
  }

  /** Must precede every write to `out`: finds a buffer and makes sure that the host will come for it. */
  beginWrite(): ProtoWriter {
    this.pool.equip(this.out);
    if (!this.#receiving && !this.#outputAnnounced) {
      this.#outputAnnounced = true;
      this.#host.onOutput();
    }
    return this.out;
  }

  /** Ends the connection: refuses new streams and closes once the running ones are answered. */
  drain(): void {
    if (this.#draining || this.finished) return;
    this.#draining = true;
    // Two steps (RFC 9113, 6.8): streams already under way when the client hears of it are still served; the
    // answer to the ping shows that it has heard.
    this.#writeGoAway(STREAM_ID_MAX, ErrorCode.NoError, "graceful_stop");
    this.writePing(GRACEFUL_PING, 0, false);
  }

  onPingAck(bytes: Buffer, start: number): void {
    if (this.#draining && bytes.compare(GRACEFUL_PING, 0, 8, start, start + 8) === 0) {
      this.#closeToNewStreams();
    }
  }

  #closeToNewStreams(): void {
    if (this.lastAcceptedId !== STREAM_ID_MAX) return;
    this.lastAcceptedId = this.lastStreamId;
    this.#writeGoAway(this.lastStreamId, ErrorCode.NoError, "");
    this.#finishIfDrained();
  }

  #finishIfDrained(): void {
    if (this.lastAcceptedId === STREAM_ID_MAX || this.streams.size > 0 || this.finished) return;
    this.finished = true;
    this.#reader.stop();
    this.#host.onFinished();
  }

  /** A ping of ours, by which the host finds out whether the peer still lives. */
  keepalivePing(): void {
    this.writePing(KEEPALIVE_PING, 0, false);
  }

  /** Connection error: GOAWAY, and everything on it is aborted. */
  fail(errorCode: number, reason: string): void {
    if (this.finished) return;
    this.#writeGoAway(this.lastStreamId, errorCode, reason);
    this.abort(errorCode);
    this.#host.onFinished();
  }

  /** The socket is gone (or is to be given up): tells every consumer. */
  abort(errorCode: number): void {
    if (this.finished && this.streams.size === 0) return;
    this.finished = true;
    this.#reader.stop();
    for (const stream of [...this.streams.values()]) {
      const consumer = stream.consumer;
      this.forget(stream);
      consumer?.onReset(errorCode);
    }
  }

  credit(stream: Http2Stream, bytes: number): void {
    this.creditConnection(bytes);
    this.creditStream(stream, bytes);
  }

  creditStream(stream: Http2Stream, bytes: number): void {
    if (stream.remoteClosed || stream.dead) return;
    const increment = returnToWindow(stream, bytes, this.limits.streamWindowBytes);
    if (increment > 0) this.#writeWindowUpdate(stream.id, increment);
  }

  creditConnection(bytes: number): void {
    const increment = returnToWindow(this, bytes, this.limits.connectionWindowBytes);
    if (increment > 0) this.#writeWindowUpdate(0, increment);
  }

  writeHeaderBlock(
    streamId: number,
    fields: readonly string[] | RepeatedBlock,
    endStream: boolean,
  ): void {
    const out = this.beginWrite();
    writeHeaders(out, this.encoder, streamId, fields, endStream, this.peerMaxFrameBytes);
    this.pings.progressed = true;
  }

  /** Our half of the stream is complete. A client still sending is told not to bother. */
  closeLocal(stream: Http2Stream): void {
    if (!stream.remoteClosed) this.writeReset(stream.id, ErrorCode.NoError);
    this.forget(stream);
  }

  resetStream(stream: Http2Stream, errorCode: number): void {
    this.writeReset(stream.id, errorCode);
    this.forget(stream);
  }

  writeReset(streamId: number, errorCode: number): void {
    if (this.#recentlyReset.size >= RESET_MEMORY) {
      const oldest = this.#recentlyReset.values().next().value!;
      this.#recentlyReset.delete(oldest);
    }
    this.#recentlyReset.add(streamId);
    this.#writeNumberFrame(FrameType.ResetStream, streamId, errorCode);
  }

  wasReset(streamId: number): boolean {
    return this.#recentlyReset.has(streamId);
  }

  /** The stream is over; what it still queued is dropped. */
  forget(stream: Http2Stream): void {
    if (stream.dead) return;
    stream.dead = true;
    stream.consumer = null;
    const droppedBytes = stream.queuedBytes;
    this.queuedBytes -= droppedBytes;
    this.answers.giveBack(droppedBytes);
    stream.queue = null;
    this.streams.delete(stream.id);
    if (this.#draining) this.#finishIfDrained();
  }

  noteDataSent(): void {
    this.pings.progressed = true;
    this.windowUpdates.earn(4);
  }

  noteQueued(stream: Http2Stream, bytes: number): void {
    this.queuedBytes += bytes;
    this.answers.add(bytes);
    this.#line.join(stream);
    if (!this.#receiving && !this.#outputAnnounced) {
      this.#outputAnnounced = true;
      this.#host.onOutput();
    }
  }

  noteDequeued(stream: Http2Stream, bytes: number): void {
    this.queuedBytes -= bytes;
    this.answers.giveBack(bytes);
    this.noteDataSent();
    if (stream.consumer !== null) this.#drained.push(stream);
  }

  /** The peer's WINDOW_UPDATE; false when the window overflows. `stream` null means the connection. */
  grow(stream: Http2Stream | null, increment: number): boolean {
    if (stream === null) {
      this.sendWindow += increment;
      return this.sendWindow <= WINDOW_BYTES_MAX;
    }
    stream.sendWindow += increment;
    this.#line.join(stream);
    return stream.sendWindow <= WINDOW_BYTES_MAX;
  }

  setHeaderTableBytes(bytes: number): void {
    this.encoder.setPeerTableBytes(bytes);
  }

  setMaxFrameBytes(bytes: number): void {
    this.peerMaxFrameBytes = bytes;
  }

  setInitialWindow(bytes: number): boolean {
    const change = bytes - this.peerInitialWindow;
    this.peerInitialWindow = bytes;
    for (const stream of this.streams.values()) {
      if (!this.grow(stream, change)) return false;
    }
    return true;
  }

  writeSettingsAck(): void {
    const out = this.beginWrite();
    out.reserve(FRAME_HEADER_BYTES);
    putFrameHeader(out.bytes, out.position, 0, FrameType.Settings, Flag.Ack, 0);
    out.position += FRAME_HEADER_BYTES;
  }

  writePing(bytes: Buffer, start: number, ack: boolean): void {
    const out = this.beginWrite();
    out.reserve(FRAME_HEADER_BYTES + 8);
    putFrameHeader(out.bytes, out.position, 8, FrameType.Ping, ack ? Flag.Ack : 0, 0);
    out.position += FRAME_HEADER_BYTES;
    for (let i = 0; i < 8; i++) out.bytes[out.position++] = bytes[start + i]!;
  }

  #writeGoAway(lastStreamId: number, errorCode: number, reason: string): void {
    const out = this.beginWrite();
    out.reserve(FRAME_HEADER_BYTES + 8);
    const length = 8 + reason.length;
    putFrameHeader(out.bytes, out.position, length, FrameType.GoAway, 0, 0);
    putUint32(out.bytes, out.position + FRAME_HEADER_BYTES, lastStreamId);
    putUint32(out.bytes, out.position + FRAME_HEADER_BYTES + 4, errorCode);
    out.position += FRAME_HEADER_BYTES + 8;
    out.raw(Buffer.from(reason, "latin1"));
  }

  #writeWindowUpdate(streamId: number, increment: number): void {
    this.#writeNumberFrame(FrameType.WindowUpdate, streamId, increment);
  }

  #writeNumberFrame(type: number, streamId: number, value: number): void {
    const out = this.beginWrite();
    out.reserve(FRAME_HEADER_BYTES + 4);
    putFrameHeader(out.bytes, out.position, 4, type, 0, streamId);
    putUint32(out.bytes, out.position + FRAME_HEADER_BYTES, value);
    out.position += FRAME_HEADER_BYTES + 4;
  }
}
