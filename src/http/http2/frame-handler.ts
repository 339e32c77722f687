/**
 * What each received frame means for its connection (RFC 9113, section 6, and the stream states of 5.1).
 * A violation costs the stream where the RFC allows it, the connection where it demands it.
 */
import type { Http2Connection } from "./connection.ts";
import { takeFromWindow } from "./flow-control.ts";
import { CLIENT_PREFACE, ErrorCode, Flag, FrameType, uint31At } from "./frame.ts";
import type { FrameSink } from "./frame-reader.ts";
import { HeaderSections } from "./header-section.ts";
import { HpackResult } from "./hpack-decoder.ts";
import { trailersFault } from "./request-head.ts";
import { applySettings } from "./settings.ts";
import { Http2Stream } from "./stream.ts";

export class FrameHandler implements FrameSink {
  readonly #connection: Http2Connection;
  readonly #sections: HeaderSections;
  #settingsSeen = false;

  constructor(connection: Http2Connection) {
    this.#connection = connection;
    this.#sections = new HeaderSections(connection.limits);
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    if (!this.#settingsSeen && type !== FrameType.Settings) {
      return this.#fail(ErrorCode.ProtocolError, "first frame is not SETTINGS");
    }
    if (this.#sections.openStreamId !== 0) {
      if (type !== FrameType.Continuation || streamId !== this.#sections.openStreamId) {
        return this.#fail(ErrorCode.ProtocolError, "header block interrupted");
      }
      return this.#onContinuation(flags, streamId, bytes, start, end);
    }
    switch (type) {
      case FrameType.Data:
        return this.#onData(flags, streamId, bytes, start, end);
      case FrameType.Headers:
        return this.#onHeaders(flags, streamId, bytes, start, end);
      case FrameType.WindowUpdate:
        return this.#onWindowUpdate(streamId, bytes, start, end);
      case FrameType.Settings:
        return this.#onSettings(flags, streamId, bytes, start, end);
      case FrameType.Ping:
        return this.#onPing(flags, streamId, bytes, start, end);
      case FrameType.ResetStream:
        return this.#onResetStream(streamId, bytes, start, end);
      case FrameType.Priority:
        return this.#onPriority(streamId, bytes, start, end);
      case FrameType.GoAway:
        if (streamId !== 0) return this.#fail(ErrorCode.ProtocolError, "GOAWAY on a stream");
        if (end - start < 8) return this.#fail(ErrorCode.FrameSizeError, "short GOAWAY");
        return this.#spendIdle();
      case FrameType.PushPromise:
        return this.#fail(ErrorCode.ProtocolError, "PUSH_PROMISE from a client");
      case FrameType.Continuation:
        return this.#fail(ErrorCode.ProtocolError, "CONTINUATION without HEADERS");
      default:
        return this.#spendIdle();
    }
  }

  onFrameTooLarge(payloadBytes: number): void {
    this.#connection.fail(ErrorCode.FrameSizeError, `frame of ${payloadBytes} bytes`);
  }

  onBadPreface(): void {
    this.#connection.fail(ErrorCode.ProtocolError, `preface is not ${CLIENT_PREFACE.slice(0, 14)}`);
  }

  #fail(errorCode: number, reason: string): boolean {
    this.#connection.fail(errorCode, reason);
    return false;
  }

  /** For frames that bring nothing. */
  #spendIdle(): boolean {
    const connection = this.#connection;
    if (connection.idleFrames.spend(connection.nowMs)) return true;
    return this.#fail(ErrorCode.EnhanceYourCalm, "too many idle frames");
  }

  /** A violation that costs one stream. Counted, since the peer can provoke it at will. */
  #resetStream(streamId: number, errorCode: number): boolean {
    const connection = this.#connection;
    if (!connection.resets.spend(connection.nowMs)) {
      return this.#fail(ErrorCode.EnhanceYourCalm, "too many resets");
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      connection.writeReset(streamId, errorCode);
      return true;
    }
    const consumer = stream.consumer;
    connection.resetStream(stream, errorCode);
    consumer?.onReset(errorCode);
    return true;
  }

  #onData(flags: number, streamId: number, bytes: Buffer, from: number, to: number): boolean {
    const connection = this.#connection;
    const flowBytes = to - from;
    let start = from;
    let end = to;
    if ((flags & Flag.Padded) !== 0) {
      if (flowBytes === 0) return this.#fail(ErrorCode.FrameSizeError, "no pad length");
      end -= bytes[start++]!;
      if (end < start) return this.#fail(ErrorCode.ProtocolError, "padding exceeds the frame");
    }
    if (!takeFromWindow(connection, flowBytes)) {
      return this.#fail(ErrorCode.FlowControlError, "connection window exceeded");
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined || stream.remoteClosed) {
      return this.#dataWithoutStream(streamId, flowBytes);
    }
    if (!takeFromWindow(stream, flowBytes)) {
      connection.creditConnection(flowBytes);
      return this.#resetStream(streamId, ErrorCode.FlowControlError);
    }
    const length = end - start;
    if (flowBytes > length) stream.credit(flowBytes - length);
    const ends = (flags & Flag.EndStream) !== 0;
    if (length === 0 && !ends && !this.#spendIdle()) return false;
    stream.receivedBytes += length;
    if (stream.expectedBytes >= 0) {
      const wrong = ends
        ? stream.receivedBytes !== stream.expectedBytes
        : stream.receivedBytes > stream.expectedBytes;
      if (wrong) {
        connection.creditConnection(length);
        return this.#resetStream(streamId, ErrorCode.ProtocolError);
      }
    }
    if (ends) stream.remoteClosed = true;
    if (length > 0) stream.consumer?.onData(bytes, start, end);
    if (ends) stream.consumer?.onEndStream();
    return !connection.finished;
  }

  #dataWithoutStream(streamId: number, flowBytes: number): boolean {
    const connection = this.#connection;
    connection.creditConnection(flowBytes);
    if (streamId === 0 || streamId > connection.lastStreamId || (streamId & 1) === 0) {
      return this.#fail(ErrorCode.ProtocolError, "DATA on an idle stream");
    }
    if (connection.wasReset(streamId)) return this.#spendIdleUnlessData(flowBytes);
    return this.#resetStream(streamId, ErrorCode.StreamClosed);
  }

  #spendIdleUnlessData(flowBytes: number): boolean {
    return flowBytes > 0 || this.#spendIdle();
  }

  #onHeaders(flags: number, streamId: number, bytes: Buffer, from: number, to: number): boolean {
    let start = from;
    let end = to;
    if ((streamId & 1) === 0)
      return this.#fail(ErrorCode.ProtocolError, "HEADERS on an even stream");
    if ((flags & Flag.Padded) !== 0) {
      if (end === start) return this.#fail(ErrorCode.FrameSizeError, "no pad length");
      end -= bytes[start++]!;
    }
    let dependsOnItself = false;
    if ((flags & Flag.Priority) !== 0) {
      if (end - start < 5) return this.#fail(ErrorCode.FrameSizeError, "no priority fields");
      dependsOnItself = uint31At(bytes, start) === streamId;
      start += 5;
    }
    if (end < start) return this.#fail(ErrorCode.ProtocolError, "padding exceeds the frame");
    if (dependsOnItself) return this.#fail(ErrorCode.ProtocolError, "stream depends on itself");
    const endStream = (flags & Flag.EndStream) !== 0;
    if ((flags & Flag.EndHeaders) !== 0) {
      return this.#onBlock(streamId, endStream, bytes, start, end);
    }
    if (this.#sections.open(streamId, endStream, bytes, start, end)) return true;
    return this.#fail(ErrorCode.EnhanceYourCalm, "header block too large");
  }

  #onContinuation(
    flags: number,
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    if (!this.#sections.continue(bytes, start, end)) {
      return this.#fail(ErrorCode.EnhanceYourCalm, "header block too large");
    }
    if ((flags & Flag.EndHeaders) === 0) return true;
    const block = this.#sections.close();
    return this.#onBlock(streamId, this.#sections.openEndStream, block, 0, block.length);
  }

  #onBlock(
    streamId: number,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    const connection = this.#connection;
    if (streamId > connection.lastStreamId) {
      return this.#onRequest(streamId, endStream, bytes, start, end);
    }
    const fields = this.#sections.other(bytes, start, end);
    if (!this.#blockDecoded()) return false;
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      if (connection.wasReset(streamId)) return this.#spendIdle();
      return this.#fail(ErrorCode.StreamClosed, "HEADERS on a closed stream");
    }
    if (stream.remoteClosed) return this.#resetStream(streamId, ErrorCode.StreamClosed);
    const short = stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes;
    if (!endStream || short || trailersFault(fields) !== null) {
      return this.#resetStream(streamId, ErrorCode.ProtocolError);
    }
    stream.remoteClosed = true;
    stream.consumer?.onEndStream();
    return !connection.finished;
  }

  #blockDecoded(): boolean {
    switch (this.#sections.result) {
      case HpackResult.Ok:
        return true;
      case HpackResult.TooLarge:
        return this.#fail(ErrorCode.EnhanceYourCalm, "header list too large");
      default:
        return this.#fail(ErrorCode.CompressionError, "header block does not decode");
    }
  }

  #onRequest(
    streamId: number,
    endStream: boolean,
    bytes: Buffer,
    start: number,
    end: number,
  ): boolean {
    const connection = this.#connection;
    if (streamId > connection.lastAcceptedId) {
      // After the final GOAWAY: the client knows that this stream was not processed.
      this.#sections.other(bytes, start, end);
      return this.#blockDecoded();
    }
    connection.lastStreamId = streamId;
    const head = this.#sections.request(bytes, start, end);
    if (!this.#blockDecoded()) return false;
    if (typeof head === "string") {
      const tooLarge = this.#sections.truncated;
      return this.#resetStream(
        streamId,
        tooLarge ? ErrorCode.EnhanceYourCalm : ErrorCode.ProtocolError,
      );
    }
    const { limits } = connection;
    if (
      connection.streams.size >= limits.maxConcurrentStreams ||
      connection.queuedBytes > limits.queuedBytesMax
    ) {
      return this.#resetStream(streamId, ErrorCode.RefusedStream);
    }
    if (endStream && head.contentLength > 0) {
      return this.#resetStream(streamId, ErrorCode.ProtocolError);
    }
    const stream = new Http2Stream(
      streamId,
      connection,
      connection.peerInitialWindow,
      limits.streamWindowBytes,
    );
    stream.remoteClosed = endStream;
    stream.expectedBytes = head.contentLength;
    connection.streams.set(streamId, stream);
    connection.handler.onRequest(stream, head);
    if (endStream) stream.consumer?.onEndStream();
    return !connection.finished;
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    const connection = this.#connection;
    if (end - start !== 4) return this.#fail(ErrorCode.FrameSizeError, "WINDOW_UPDATE length");
    if (!connection.windowUpdates.spend(connection.nowMs)) {
      return this.#fail(ErrorCode.EnhanceYourCalm, "too many window updates");
    }
    const increment = uint31At(bytes, start);
    if (streamId === 0) {
      if (increment === 0) return this.#fail(ErrorCode.ProtocolError, "window increment 0");
      if (connection.grow(null, increment)) return true;
      return this.#fail(ErrorCode.FlowControlError, "connection window overflow");
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) {
      if (streamId <= connection.lastStreamId && (streamId & 1) === 1) return true;
      return this.#fail(ErrorCode.ProtocolError, "WINDOW_UPDATE on an idle stream");
    }
    if (increment === 0) return this.#resetStream(streamId, ErrorCode.ProtocolError);
    if (connection.grow(stream, increment)) return true;
    return this.#resetStream(streamId, ErrorCode.FlowControlError);
  }

  #onSettings(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    const connection = this.#connection;
    if (streamId !== 0) return this.#fail(ErrorCode.ProtocolError, "SETTINGS on a stream");
    if ((flags & Flag.Ack) !== 0) {
      if (end !== start) return this.#fail(ErrorCode.FrameSizeError, "SETTINGS ack with payload");
      return this.#spendIdle();
    }
    if (this.#settingsSeen && !this.#spendIdle()) return false;
    this.#settingsSeen = true;
    const errorCode = applySettings(bytes, start, end, connection);
    if (errorCode !== ErrorCode.NoError) return this.#fail(errorCode, "invalid SETTINGS");
    connection.writeSettingsAck();
    return true;
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): boolean {
    const connection = this.#connection;
    if (streamId !== 0) return this.#fail(ErrorCode.ProtocolError, "PING on a stream");
    if (end - start !== 8) return this.#fail(ErrorCode.FrameSizeError, "PING length");
    if ((flags & Flag.Ack) !== 0) {
      connection.onPingAck(bytes, start);
      return !connection.finished && this.#spendIdle();
    }
    connection.writePing(bytes, start, true);
    if (connection.pings.onPing(connection.nowMs, connection.activeStreams)) return true;
    return this.#fail(ErrorCode.EnhanceYourCalm, "too_many_pings");
  }

  #onResetStream(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    const connection = this.#connection;
    if (end - start !== 4) return this.#fail(ErrorCode.FrameSizeError, "RST_STREAM length");
    if (streamId === 0 || streamId > connection.lastStreamId || (streamId & 1) === 0) {
      return this.#fail(ErrorCode.ProtocolError, "RST_STREAM on an idle stream");
    }
    if (!connection.resets.spend(connection.nowMs)) {
      return this.#fail(ErrorCode.EnhanceYourCalm, "too many resets");
    }
    const stream = connection.streams.get(streamId);
    if (stream === undefined) return true;
    const consumer = stream.consumer;
    connection.forget(stream);
    consumer?.onReset(((bytes[start]! << 24) | uint31At(bytes, start)) >>> 0);
    return !connection.finished;
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): boolean {
    if (streamId === 0) return this.#fail(ErrorCode.ProtocolError, "PRIORITY on stream 0");
    if (end - start !== 5) return this.#fail(ErrorCode.FrameSizeError, "PRIORITY length");
    if (uint31At(bytes, start) === streamId) {
      return this.#fail(ErrorCode.ProtocolError, "stream depends on itself");
    }
    return this.#spendIdle();
  }
}
