/**
 * What unary and streaming calls share: the way of an answer's parts onto the stream, counting, the deadline,
 * and ending exactly once.
 */
import {
  type CallContext,
  EtcdError,
  errContextCanceled,
  errContextDeadlineExceeded,
  GrpcCode,
  ProtoError,
} from "../../api/index.ts";
import type { Http2Stream } from "../http2/index.ts";
import type { CallPlan } from "./call-plan.ts";
import type { GrpcCounters } from "./counters.ts";
import type { DeadlineEntry, Deadlines } from "./deadlines.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import {
  ENVELOPE_BYTES,
  MessageAssembler,
  type MessageOptions,
  type MessageSink,
} from "./message-assembler.ts";
import type { GrpcMethod } from "./method-table.ts";
import { GRPC_CONTENT_TYPE, statusTrailers, trailersOnly } from "./status.ts";

/** What a call needs of its server. */
export interface CallServer extends MessageOptions {
  readonly counters: GrpcCounters;
  readonly deadlines: Deadlines;
  nowMs(): number;
  /** Told about every finished call when set (latency histograms, request logs). */
  readonly onHandled: ((method: GrpcMethod, code: number, seconds: number) => void) | null;
}

/** The context of one call: the plan's own when there is no deadline. */
export function contextOf(plan: CallPlan, server: CallServer): CallContext {
  if (plan.timeoutMs < 0) return plan.context;
  return { ...plan.context, deadlineMs: server.nowMs() + plan.timeoutMs };
}

/** A deadline this close has passed: the clock is coarser than the nanoseconds a client may ask for. */
const DEADLINE_SLACK_MS = 0.01;

/** Composed into each call; owns everything about it but the service's view. */
export class CallCore implements DeadlineEntry {
  readonly stream: Http2Stream;
  readonly plan: CallPlan;
  readonly context: CallContext;
  aborted = false;
  /** The status is decided: nothing more may be sent. */
  ended = false;
  deadlineMs: number;
  nextEntry: DeadlineEntry | null = null;
  previousEntry: DeadlineEntry | null = null;
  slot = -1;
  readonly #server: CallServer;
  readonly #peer: GrpcPeer;
  #assembler: MessageAssembler | null = null;
  #abortListener: (() => void) | null = null;
  #startedMs = 0;
  #started = false;

  constructor(stream: Http2Stream, plan: CallPlan, server: CallServer, peer: GrpcPeer) {
    this.stream = stream;
    this.plan = plan;
    this.#server = server;
    this.#peer = peer;
    this.context = contextOf(plan, server);
    this.deadlineMs = this.context.deadlineMs;
  }

  /** The handler is about to run; false when the deadline has passed and the call is over already. */
  start(): boolean {
    this.#started = true;
    this.#server.counters.started[this.plan.entry.index]!++;
    if (this.#server.onHandled !== null) this.#startedMs = this.#server.nowMs();
    if (this.deadlineMs === Number.POSITIVE_INFINITY) return true;
    if (this.#server.nowMs() + DEADLINE_SLACK_MS < this.deadlineMs) return true;
    this.onDeadline();
    return false;
  }

  /** The handler returned without ending the call: from now on the deadline is watched. */
  watchDeadline(): void {
    if (!this.ended && this.deadlineMs !== Number.POSITIVE_INFINITY)
      this.#server.deadlines.add(this);
  }

  onDeadline(): void {
    this.refuse(errContextDeadlineExceeded);
  }

  /** Ends the call from our side of the service, which learns of it as of an abort. */
  refuse(error: EtcdError): void {
    if (this.ended) return;
    this.endWithError(error);
    this.#abort();
  }

  onAbort(listener: () => void): void {
    this.#abortListener = listener;
    if (this.aborted) this.#abort();
  }

  /** The client reset the stream, or the connection is gone. */
  cancel(): void {
    if (this.ended) return;
    this.#end(errContextCanceled.code);
    this.#abort();
  }

  #abort(): void {
    this.aborted = true;
    const listener = this.#abortListener;
    this.#abortListener = null;
    listener?.();
  }

  /** DATA arrived; messages go to `sink`. */
  receive(bytes: Buffer, start: number, end: number, sink: MessageSink): void {
    const length = end - start;
    if (this.#assembler === null) {
      // The usual case: one uncompressed message that fills one frame is handed on in place.
      if (
        length >= ENVELOPE_BYTES &&
        bytes[start] === 0 &&
        bytes[start + 1] === 0 &&
        ((bytes[start + 2]! << 16) | (bytes[start + 3]! << 8) | bytes[start + 4]!) ===
          length - ENVELOPE_BYTES &&
        length - ENVELOPE_BYTES <= this.#server.messageBytesMax
      ) {
        sink.takeMessage(bytes, start + ENVELOPE_BYTES, end);
        return;
      }
      const { encoding } = this.plan;
      this.#assembler = new MessageAssembler(sink, this.#server, this.#peer, encoding);
    }
    this.#assembler.push(bytes, start, end);
  }

  get hasPartialMessage(): boolean {
    return this.#assembler?.isPartial ?? false;
  }

  /** The decoded message; null when it is damaged, which ends the call with `prefix` and the reason. */
  decode(bytes: Uint8Array, start: number, end: number, prefix: string): unknown {
    const { counters } = this.#server;
    counters.messagesReceived[this.plan.entry.index]!++;
    counters.receivedBytes += end - start;
    try {
      return this.plan.entry.method.decode(bytes, start, end);
    } catch (error) {
      if (!(error instanceof ProtoError)) throw error;
      this.refuse(new EtcdError(GrpcCode.Internal, `${prefix}: ${protoText(error)}`));
      return null;
    }
  }

  /**
   * Writes one message straight into the connection's output; it waits on the stream if it does not fit. With
   * `mayDrop` the result is false, and nothing was sent, when it would have to wait where too much waits already.
   */
  sendMessage(message: unknown, mayDrop = false): boolean {
    const { stream } = this;
    this.#sendHeadersOnce();
    const frameStart = stream.openData();
    const out = stream.connection.out;
    out.reserve(ENVELOPE_BYTES);
    const envelope = out.position;
    out.position = envelope + ENVELOPE_BYTES;
    this.plan.entry.method.encode(out, message as never);
    const length = out.position - envelope - ENVELOPE_BYTES;
    putEnvelope(out.bytes, envelope, length);
    if (!stream.closeData(frameStart, mayDrop)) return false;
    this.#countSent(length);
    return true;
  }

  /** As sendMessage, for bytes that many streams share: they are referred to, not copied, while they wait. */
  sendEncoded(bytes: Uint8Array): void {
    const { stream } = this;
    this.#sendHeadersOnce();
    if (stream.fitsNow(bytes.length + ENVELOPE_BYTES)) {
      const frameStart = stream.openData();
      const out = stream.connection.out;
      out.reserve(ENVELOPE_BYTES);
      putEnvelope(out.bytes, out.position, bytes.length);
      out.position += ENVELOPE_BYTES;
      out.raw(bytes);
      stream.closeData(frameStart);
    } else {
      const envelope = new Uint8Array(ENVELOPE_BYTES);
      putEnvelope(envelope, 0, bytes.length);
      stream.sendBytes(envelope, 0, ENVELOPE_BYTES);
      stream.sendBytes(bytes, 0, bytes.length);
    }
    this.#countSent(bytes.length);
  }

  endWithSuccess(): void {
    if (this.ended) return;
    this.#sendHeadersOnce();
    const { stream } = this;
    this.#end(GrpcCode.OK);
    stream.finish(this.#peer.okTrailers);
  }

  endWithError(error: EtcdError): void {
    if (this.ended) return;
    const { stream } = this;
    this.#end(error.code);
    if (stream.headersSent) {
      stream.finish(statusTrailers(error.code, error.message));
    } else {
      const { contentType } = this.plan;
      stream.sendHeaders(trailersOnly(200, contentType, error.code, error.message), true);
    }
  }

  #end(code: number): void {
    this.ended = true;
    if (this.slot >= 0) this.#server.deadlines.remove(this);
    this.#assembler?.stop();
    if (!this.#started) return;
    const { entry } = this.plan;
    this.#server.counters.finish(entry.index, code);
    const { onHandled } = this.#server;
    if (onHandled !== null) {
      onHandled(entry.method, code, (this.#server.nowMs() - this.#startedMs) / 1000);
    }
  }

  #sendHeadersOnce(): void {
    const { stream } = this;
    if (stream.headersSent) return;
    const { contentType } = this.plan;
    stream.sendHeaders(
      contentType === GRPC_CONTENT_TYPE
        ? this.#peer.headers
        : [":status", "200", "content-type", contentType],
    );
  }

  #countSent(bytes: number): void {
    const { counters } = this.#server;
    counters.messagesSent[this.plan.entry.index]!++;
    counters.sentBytes += bytes;
  }
}

/** As Go's codec words it. */
function protoText(error: ProtoError): string {
  return error.message === "unexpected EOF" ? error.message : `proto: ${error.message}`;
}

function putEnvelope(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = 0;
  bytes[at + 1] = length >>> 24;
  bytes[at + 2] = length >>> 16;
  bytes[at + 3] = length >>> 8;
  bytes[at + 4] = length;
}
