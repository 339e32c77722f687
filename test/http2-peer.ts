/**
 * A client made of bytes, for tests of the HTTP/2 layer: builds frames by hand (also wrong ones), feeds them to a
 * connection without any socket, and parses what comes out.
 */
import { ProtoWriter } from "../src/api/index.ts";
import { HeaderList, HpackDecoder } from "../src/http/http2/hpack-decoder.ts";
import { HpackEncoder } from "../src/http/http2/hpack-encoder.ts";
import {
  CLIENT_PREFACE,
  type ConnectionHost,
  DEFAULT_HTTP2_LIMITS,
  DEFAULT_KEEPALIVE,
  Http2Connection,
  type Http2Limits,
  type Http2Stream,
  type KeepaliveOptions,
  OutputPool,
  type RequestHandler,
  type RequestHead,
  type StreamConsumer,
} from "../src/http/http2/index.ts";

export interface SeenFrame {
  type: number;
  flags: number;
  streamId: number;
  payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array | readonly number[] = [],
): Buffer {
  const body = Buffer.from(payload as Uint8Array);
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, body]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Header blocks as a client would write them. */
export class BlockWriter {
  readonly #encoder = new HpackEncoder();

  block(fields: readonly string[], remember = false): Buffer {
    const writer = new ProtoWriter();
    this.#encoder.beginBlock(writer);
    for (let i = 0; i < fields.length; i += 2) {
      this.#encoder.field(writer, fields[i]!, fields[i + 1]!, remember);
    }
    return Buffer.from(writer.finish());
  }
}

export const POST = [":method", "POST", ":scheme", "http", ":path", "/", ":authority", "test"];

/** A consumer that remembers what happened to its stream. */
export class Recorder implements StreamConsumer {
  readonly stream: Http2Stream;
  readonly head: RequestHead;
  data = Buffer.alloc(0);
  ended = false;
  resetCode = -1;
  drains = 0;
  /** Gives credit back at once; tests of back-pressure turn it off. */
  credits = true;
  onEnded: (() => void) | null = null;

  constructor(stream: Http2Stream, head: RequestHead) {
    this.stream = stream;
    this.head = head;
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.data = Buffer.concat([this.data, bytes.subarray(start, end)]);
    if (this.credits) this.stream.credit(end - start);
  }

  onEndStream(): void {
    this.ended = true;
    this.onEnded?.();
  }

  onReset(errorCode: number): void {
    this.resetCode = errorCode;
  }

  onWritable(): void {
    this.drains++;
  }
}

export interface TestPeerOptions {
  limits?: Partial<Http2Limits>;
  keepalive?: Partial<KeepaliveOptions>;
  /** Sends preface and SETTINGS and drops the server's first frames; true unless said otherwise. */
  handshake?: boolean;
}

export class TestPeer implements ConnectionHost, RequestHandler {
  readonly connection: Http2Connection;
  readonly requests: Recorder[] = [];
  readonly blocks = new BlockWriter();
  nowMs = 1000;
  finished = false;
  outputCalls = 0;
  onNewRequest: ((request: Recorder) => void) | null = null;
  readonly #decoder = new HpackDecoder(4096, 1 << 20);

  constructor(options: TestPeerOptions = {}) {
    this.connection = new Http2Connection(this, this, {
      limits: { ...DEFAULT_HTTP2_LIMITS, ...options.limits },
      keepalive: { ...DEFAULT_KEEPALIVE, ...options.keepalive },
      pool: new OutputPool(),
      nowMs: this.nowMs,
    });
    if (options.handshake === false) return;
    this.send(Buffer.from(CLIENT_PREFACE, "latin1"), frame(4, 0, 0));
    this.take();
  }

  onOutput(): void {
    this.outputCalls++;
  }

  onFinished(): void {
    this.finished = true;
  }

  onRequest(stream: Http2Stream, head: RequestHead): void {
    const recorder = new Recorder(stream, head);
    stream.consumer = recorder;
    this.requests.push(recorder);
    this.onNewRequest?.(recorder);
  }

  send(...parts: Uint8Array[]): void {
    this.connection.receive(Buffer.concat(parts), this.nowMs);
  }

  /** HEADERS of a request, ended or not. */
  open(streamId: number, fields: readonly string[] = POST, endStream = false): void {
    this.send(frame(1, 4 | (endStream ? 1 : 0), streamId, this.blocks.block(fields)));
  }

  /** Everything the server wants to send now, as one socket write would take it. */
  takeBytes(): Buffer {
    this.connection.prepareOutput();
    const { out } = this.connection;
    const bytes = Buffer.from(out.bytes.subarray(0, out.position));
    this.connection.pool.release(out);
    return bytes;
  }

  /** The same as frames; DATA that waits for room in the output is fetched too. */
  take(): SeenFrame[] {
    const parts: Buffer[] = [];
    for (;;) {
      const bytes = this.takeBytes();
      if (bytes.length === 0) break;
      parts.push(bytes);
    }
    return parseFrames(Buffer.concat(parts));
  }

  headers(seen: SeenFrame): string[] {
    const list = new HeaderList();
    this.#decoder.decode(seen.payload, 0, seen.payload.length, list);
    return list.fields;
  }
}

export function parseFrames(bytes: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      streamId: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return frames;
}

/** "GOAWAY code reason", "RST id code", ... for short assertions. */
export function told(frames: readonly SeenFrame[]): string[] {
  return frames.map(({ type, flags, streamId, payload }) => {
    switch (type) {
      case 0:
        return `DATA ${streamId} ${payload.length}${flags & 1 ? " end" : ""}`;
      case 1:
        return `HEADERS ${streamId}${flags & 1 ? " end" : ""}`;
      case 3:
        return `RST ${streamId} ${payload.readUInt32BE(0)}`;
      case 4:
        return flags & 1 ? "SETTINGS ack" : "SETTINGS";
      case 6:
        return flags & 1 ? "PING ack" : "PING";
      case 7:
        return `GOAWAY ${payload.readUInt32BE(4)} ${payload.toString("latin1", 8)}`.trim();
      case 8:
        return `WINDOW ${streamId} ${payload.readUInt32BE(0)}`;
      default:
        return `type ${type}`;
    }
  });
}
