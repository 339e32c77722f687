/**
 * A call with a stream of answers, and for bidirectional methods a stream of requests too. Requests that arrive
 * while the service has paused (or not yet listened) wait decoded; their bytes are not credited to the client,
 * so at most one stream window of them can wait.
 */
import {
  type CallContext,
  EtcdError,
  GrpcCode,
  type RequestStream,
  type StreamCall,
} from "../../api/index.ts";
import { assert } from "../../base/assert.ts";
import { ErrorCode, type Http2Stream, type StreamConsumer } from "../http2/index.ts";
import type { CallPlan } from "./call-plan.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import type { MessageSink } from "./message-assembler.ts";
import { CallCore, type CallServer } from "./server-call.ts";

const UNMARSHAL_TEXT = "grpc: failed to unmarshal the received message";

export class StreamServerCall
  implements StreamCall<unknown>, RequestStream<unknown>, StreamConsumer, MessageSink
{
  readonly #core: CallCore;
  #messageListener: ((request: unknown) => void) | null = null;
  #endListener: (() => void) | null = null;
  #drainListener: (() => void) | null = null;
  #paused = false;
  #waiting: unknown[] = [];
  /** Received and not yet credited to the client. */
  #owedBytes = 0;
  #clientEnded = false;
  #endDelivered = false;
  #delivering = false;
  #started = false;
  #chunkEnded = false;

  constructor(stream: Http2Stream, plan: CallPlan, server: CallServer, peer: GrpcPeer) {
    this.#core = new CallCore(stream, plan, server, peer);
  }

  /** Bidirectional calls start with their headers. */
  start(): void {
    const core = this.#core;
    const { method } = core.plan.entry;
    if (method.kind !== "bidiStream") return;
    if (!core.start()) return;
    method.handler(this as unknown as RequestStream<never>, this as StreamCall<never>);
    core.watchDeadline();
  }

  get context(): CallContext {
    return this.#core.context;
  }

  get aborted(): boolean {
    return this.#core.aborted;
  }

  get queuedBytes(): number {
    return this.#core.stream.queuedBytes;
  }

  send(response: unknown): boolean {
    const core = this.#core;
    if (!this.#maySend()) return false;
    core.sendMessage(response);
    return !core.stream.isFull();
  }

  sendEncoded(bytes: Uint8Array): boolean {
    const core = this.#core;
    if (!this.#maySend()) return false;
    core.sendEncoded(bytes);
    return !core.stream.isFull();
  }

  #maySend(): boolean {
    const core = this.#core;
    if (core.ended) {
      assert(core.aborted, "message sent after the end of the call");
      return false;
    }
    const { stream } = core;
    if (stream.queuedBytes <= stream.connection.limits.streamQueueBytesMax) return true;
    // The service did not stop when asked to, and the client does not read: there is no way to be polite.
    stream.reset(ErrorCode.EnhanceYourCalm);
    core.cancel();
    return false;
  }

  end(): void {
    const core = this.#core;
    if (core.ended) assert(core.aborted, "stream call ended twice");
    else core.endWithSuccess();
  }

  fail(error: EtcdError): void {
    const core = this.#core;
    if (core.ended) assert(core.aborted, "stream call ended twice");
    else core.endWithError(error);
  }

  onAbort(listener: () => void): void {
    this.#core.onAbort(listener);
  }

  onMessage(listener: (request: unknown) => void): void {
    this.#messageListener = listener;
    this.#deliver();
  }

  onEnd(listener: () => void): void {
    this.#endListener = listener;
    this.#deliver();
  }

  onDrain(listener: () => void): void {
    this.#drainListener = listener;
  }

  takeMessage(bytes: Uint8Array, start: number, end: number): void {
    const core = this.#core;
    if (core.ended) return;
    const message = core.decode(bytes, start, end, UNMARSHAL_TEXT);
    if (core.ended || this.#started) return;
    this.#waiting.push(message);
    const { stream } = core;
    if (core.plan.entry.method.kind === "serverStream" && !stream.remoteClosed) {
      stream.connection.callAtChunkEnd(this);
    }
  }

  onChunkEnd(): void {
    this.#chunkEnded = true;
    this.#deliver();
  }

  onEndStream(): void {
    this.#clientEnded = true;
    this.#deliver();
  }

  onWritable(): void {
    this.#drainListener?.();
  }

  failMessage(error: EtcdError): void {
    this.#core.refuse(error);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver();
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const core = this.#core;
    const { stream } = core;
    core.receive(bytes, start, end, this);
    // The connection's window is for all streams: a paused one must not hold it. Its own window is held.
    stream.connection.creditConnection(end - start);
    this.#owedBytes += end - start;
    this.#deliver();
  }

  onReset(): void {
    this.#waiting = [];
    this.#core.cancel();
  }

  /** Hands on what waits, as far as the service wants it. */
  #deliver(): void {
    // A listener may pause, resume or end from within: only the outermost call goes on.
    if (this.#delivering) return;
    this.#delivering = true;
    if (this.#core.plan.entry.method.kind === "serverStream") this.#startOnRequest();
    else this.#deliverMessages();
    this.#delivering = false;
  }

  #deliverMessages(): void {
    const core = this.#core;
    let next = 0;
    while (
      next < this.#waiting.length &&
      !this.#paused &&
      !core.ended &&
      this.#messageListener !== null
    ) {
      this.#messageListener(this.#waiting[next++]);
    }
    this.#waiting = next === this.#waiting.length ? [] : this.#waiting.slice(next);
    if (core.ended || this.#paused || this.#waiting.length > 0) return;
    this.#payOwed();
    if (!this.#clientEnded || this.#endDelivered) return;
    if (core.hasPartialMessage) {
      core.refuse(new EtcdError(GrpcCode.Internal, "unexpected EOF"));
    } else if (this.#endListener !== null) {
      this.#endDelivered = true;
      this.#endListener();
    }
  }

  #payOwed(): void {
    const { stream } = this.#core;
    if (this.#owedBytes === 0) return;
    stream.connection.creditStream(stream, this.#owedBytes);
    this.#owedBytes = 0;
  }

  /** Server streaming: the first request message starts the handler, once its chunk is read. */
  #startOnRequest(): void {
    const core = this.#core;
    const { method } = core.plan.entry;
    this.#payOwed();
    if (this.#started || core.ended) return;
    if (this.#waiting.length === 0) {
      if (!this.#clientEnded) return;
      core.endWithError(
        core.hasPartialMessage
          ? new EtcdError(GrpcCode.Internal, "unexpected EOF")
          : new EtcdError(GrpcCode.Unknown, "EOF"),
      );
      return;
    }
    if (!this.#clientEnded && !this.#chunkEnded) return;
    this.#started = true;
    const request = this.#waiting[0];
    this.#waiting = [];
    if (!core.start()) return;
    if (method.kind === "serverStream") {
      method.handler(request as never, this as StreamCall<never>);
    }
    core.watchDeadline();
  }
}
