/**
 * The client's half of one HTTP/2 connection that carries calls of one gRPC method, made for the least work per
 * call: a caller is a slot number, answers are told in batches, and nothing is allocated for a successful call.
 *
 * Invariants: each started slot hears exactly one onAnswer, or onLost tells of all that are left; onBatch follows
 * every group of answers, and what is started by then leaves in one write.
 */
import type { Socket } from "node:net";
import { type AnswerStatus, readTrailers } from "./answer-trailers.ts";
import {
  CLIENT_PREFACE,
  DEFAULT_WINDOW_BYTES,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  putFrameHeader,
  Setting,
  settingsFrame,
  uint24At,
  uint31At,
  uint32At,
  WINDOW_BYTES_MAX,
  windowUpdateFrame,
} from "./frame-bytes.ts";
import { RequestHead, type RequestHeadFields } from "./request-head.ts";
import { SendSide } from "./send-side.ts";

const HEADER_TABLE_DEFAULT_BYTES = 4096;
const FRAME_BYTES_MAX = 16_384;
const BLOCK_BYTES_MAX = 1 << 17;
/** Window is given back in steps: few updates, never near the end. */
const CREDIT_STEP_BYTES = 1 << 20;
const GRPC_INTERNAL = 13;
const GRPC_UNAVAILABLE = 14;

export interface ConnectionOwner {
  /** The server's settings arrived: calls may start. */
  onReady(connection: LoadConnection): void;
  /** A call is over; `message` is the error text, empty when the code is 0. */
  onAnswer(connection: LoadConnection, slot: number, code: number, message: string): void;
  /** Bytes of an answer; only for owners that want them. */
  onBytes?(connection: LoadConnection, slot: number, bytes: Buffer, from: number, to: number): void;
  /** All answers of one read were told; new calls started in here leave in one write. */
  onBatch(connection: LoadConnection): void;
  /** The connection is over; these slots never got their answer. */
  onLost(connection: LoadConnection, slots: readonly number[], reason: string): void;
}

export class LoadConnection {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #headFields: RequestHeadFields;
  readonly #send = new SendSide();
  /** When the bytes that are being handled arrived, on performance's clock. */
  receivedMs = 0;
  #left: Buffer | null = null;
  #tableBytes = HEADER_TABLE_DEFAULT_BYTES;
  /** Takes no new calls: the server said goodbye, or stream ids ran out. */
  #retired = false;
  #lost = false;
  /** The block of a successful answer as it came last time: equal bytes need no decoding. */
  #okBlock: Buffer = Buffer.alloc(0);
  #blockParts: Buffer[] = [];
  #blockBytes = 0;
  #blockStream = 0;
  #blockEnds = false;
  #uncredited = 0;
  readonly #streamUncredited = new Map<number, number>();

  constructor(socket: Socket, headFields: RequestHeadFields, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#headFields = headFields;
    this.#owner = owner;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error: Error) => this.#end(error.message));
    socket.on("close", () => this.#end("the server closed the connection"));
    this.#send.raw(Buffer.from(CLIENT_PREFACE, "latin1"));
    this.#send.raw(
      settingsFrame([
        [Setting.HeaderTableSize, 0],
        [Setting.EnablePush, 0],
        [Setting.InitialWindowSize, WINDOW_BYTES_MAX],
      ]),
    );
    this.#send.raw(windowUpdateFrame(0, WINDOW_BYTES_MAX - DEFAULT_WINDOW_BYTES));
    this.flush();
  }

  get isUsable(): boolean {
    return !this.#retired && !this.#lost && this.#send.head !== null;
  }

  get isBusy(): boolean {
    return this.#send.streams.size > 0 || this.#send.waitingCount > 0;
  }

  /** Starts a call with enveloped gRPC messages; without `isLast` the client's side stays open. `flush` sends it. */
  start(slot: number, messages: Uint8Array, isLast = true): void {
    this.#send.start(slot, messages, isLast);
    if (this.#send.isExhausted) this.#retired = true;
  }

  flush(): void {
    const bytes = this.#send.take();
    if (bytes !== null && !this.#lost) this.#socket.write(bytes);
  }

  /** Ends the connection without telling the owner. */
  close(): void {
    this.#lost = true;
    this.#socket.destroy();
  }

  /** Gives up on a connection that no longer answers. */
  abandon(reason: string): void {
    this.#end(reason);
  }

  #receive(chunk: Buffer): void {
    this.receivedMs = performance.now();
    let bytes = chunk;
    if (this.#left !== null) {
      bytes = Buffer.concat([this.#left, chunk]);
      this.#left = null;
    }
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER_BYTES && !this.#lost) {
      const length = uint24At(bytes, at);
      if (length > FRAME_BYTES_MAX) {
        this.#end("the server does not speak HTTP/2");
        return;
      }
      const next = at + FRAME_HEADER_BYTES + length;
      if (next > bytes.length) break;
      this.#frame(bytes, at, next);
      at = next;
    }
    if (this.#lost) return;
    if (at < bytes.length) this.#left = Buffer.from(bytes.subarray(at));
    this.#owner.onBatch(this);
    this.flush();
    if (this.#retired && !this.isBusy) this.#end("the server ended the connection");
  }

  #frame(bytes: Buffer, at: number, end: number): void {
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = uint31At(bytes, at + 5);
    const start = at + FRAME_HEADER_BYTES;
    switch (type) {
      case FrameType.Data:
        this.#data(bytes, start, end, flags, streamId);
        break;
      case FrameType.Headers:
        this.#headers(bytes, start, end, flags, streamId);
        break;
      case FrameType.Continuation:
        this.#block(bytes, start, end, flags);
        break;
      case FrameType.ResetStream:
        this.#finish(streamId, GRPC_UNAVAILABLE, `stream reset, code ${uint32At(bytes, start)}`);
        break;
      case FrameType.Settings:
        if ((flags & Flag.Ack) === 0) this.#settings(bytes, start, end);
        break;
      case FrameType.Ping:
        if ((flags & Flag.Ack) === 0) this.#pong(bytes, start, end);
        break;
      case FrameType.GoAway:
        this.#retired = true;
        break;
      case FrameType.WindowUpdate:
        this.#send.addWindow(streamId, uint31At(bytes, start));
        break;
    }
  }

  #data(bytes: Buffer, start: number, end: number, flags: number, streamId: number): void {
    this.#credit(streamId, end - start);
    const slot = this.#send.streams.get(streamId);
    if (slot === undefined) return;
    if (this.#owner.onBytes !== undefined) {
      const padded = (flags & Flag.Padded) !== 0;
      const to = padded ? end - bytes[start]! : end;
      this.#owner.onBytes(this, slot, bytes, padded ? start + 1 : start, to);
    }
    if ((flags & Flag.EndStream) !== 0) {
      this.#finish(streamId, GRPC_INTERNAL, "the answer carries no gRPC status");
    }
  }

  #credit(streamId: number, count: number): void {
    this.#uncredited += count;
    if (this.#uncredited >= CREDIT_STEP_BYTES) {
      this.#send.raw(windowUpdateFrame(0, this.#uncredited));
      this.#uncredited = 0;
    }
    if (this.#owner.onBytes === undefined) return;
    // Only streams that live long can come near the end of their window.
    const sum = (this.#streamUncredited.get(streamId) ?? 0) + count;
    if (sum >= CREDIT_STEP_BYTES) this.#send.raw(windowUpdateFrame(streamId, sum));
    this.#streamUncredited.set(streamId, sum >= CREDIT_STEP_BYTES ? 0 : sum);
  }

  #headers(bytes: Buffer, start: number, end: number, flags: number, streamId: number): void {
    let from = start;
    let to = end;
    if ((flags & Flag.Padded) !== 0) {
      to -= bytes[from]!;
      from += 1;
    }
    if ((flags & Flag.Priority) !== 0) from += 5;
    const isEnd = (flags & Flag.EndStream) !== 0;
    if ((flags & Flag.EndHeaders) !== 0) {
      // Headers that open an answer say nothing that a load generator wants to know.
      if (isEnd) this.#trailers(bytes, from, to, streamId);
      return;
    }
    this.#blockStream = streamId;
    this.#blockEnds = isEnd;
    this.#blockParts = [];
    this.#blockBytes = 0;
    this.#block(bytes, from, to, flags);
  }

  /** A piece of a block that spans frames. */
  #block(bytes: Buffer, start: number, end: number, flags: number): void {
    this.#blockBytes += end - start;
    if (this.#blockBytes > BLOCK_BYTES_MAX) {
      this.#end("the server sent a header block without end");
      return;
    }
    this.#blockParts.push(Buffer.from(bytes.subarray(start, end)));
    if ((flags & Flag.EndHeaders) === 0) return;
    const block = Buffer.concat(this.#blockParts);
    this.#blockParts = [];
    if (this.#blockEnds) this.#trailers(block, 0, block.length, this.#blockStream);
  }

  #trailers(bytes: Buffer, from: number, to: number, streamId: number): void {
    if (this.#isOkBlock(bytes, from, to)) {
      this.#finish(streamId, 0, "");
      return;
    }
    const { code, message }: AnswerStatus = readTrailers(bytes, from, to);
    if (code < 0) {
      this.#finish(streamId, GRPC_INTERNAL, "the answer carries no gRPC status");
      return;
    }
    if (code === 0) this.#okBlock = Buffer.from(bytes.subarray(from, to));
    this.#finish(streamId, code, message);
  }

  #isOkBlock(bytes: Buffer, from: number, to: number): boolean {
    const known = this.#okBlock;
    if (known.length !== to - from || known.length === 0) return false;
    for (let i = 0; i < known.length; i++) {
      if (known[i] !== bytes[from + i]) return false;
    }
    return true;
  }

  #finish(streamId: number, code: number, message: string): void {
    const slot = this.#send.streams.get(streamId);
    if (slot === undefined) return;
    if (this.#send.finish(streamId)) {
      const reset = new Uint8Array(FRAME_HEADER_BYTES + 4);
      putFrameHeader(reset, 0, 4, FrameType.ResetStream, 0, streamId);
      this.#send.raw(reset);
    }
    this.#streamUncredited.delete(streamId);
    this.#owner.onAnswer(this, slot, code, message);
    if (this.#send.waitingCount > 0) this.#send.pump();
  }

  #settings(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at + 6 <= end; at += 6) {
      const value = uint32At(bytes, at + 2);
      const setting = bytes.readUInt16BE(at);
      if (setting === Setting.HeaderTableSize) this.#tableBytes = value;
      else if (setting === Setting.MaxConcurrentStreams) this.#send.streamsMax = value;
      else if (setting === Setting.InitialWindowSize) this.#send.setStreamWindow(value);
      else if (setting === Setting.MaxFrameSize) this.#send.frameBytesMax = value;
    }
    const ack = new Uint8Array(FRAME_HEADER_BYTES);
    putFrameHeader(ack, 0, 0, FrameType.Settings, Flag.Ack, 0);
    this.#send.raw(ack);
    if (this.#send.head === null) {
      this.#send.head = new RequestHead(this.#headFields, this.#tableBytes);
      this.#owner.onReady(this);
    }
    this.#send.pump();
  }

  #pong(bytes: Buffer, start: number, end: number): void {
    const frame = new Uint8Array(FRAME_HEADER_BYTES + 8);
    putFrameHeader(frame, 0, 8, FrameType.Ping, Flag.Ack, 0);
    frame.set(bytes.subarray(start, Math.min(end, start + 8)), FRAME_HEADER_BYTES);
    this.#send.raw(frame);
  }

  #end(reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#socket.destroy();
    this.#owner.onLost(this, this.#send.allSlots(), reason);
  }
}
