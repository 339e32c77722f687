/**
 * A unary call: one request message starts the handler, one answer ends it. The client's half-close usually comes
 * in the same chunk and is waited for until the chunk's end, so that the stream closes without a reset; a client
 * that leaves it out is answered all the same, and so is one that sends a second message (as grpc-go does).
 * Answering twice is a bug of the service; answering after the call was aborted is normal and does nothing.
 */
import {
  type CallContext,
  EtcdError,
  errRequestTooManyRequests,
  errTimeout,
  GrpcCode,
  type UnaryCall,
} from "../../api/index.ts";
import { assert } from "../../base/assert.ts";
import type { Http2Stream, StreamConsumer } from "../http2/index.ts";
import type { CallPlan } from "./call-plan.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import type { MessageSink } from "./message-assembler.ts";
import type { UnaryMethod } from "./method-table.ts";
import { CallCore, type CallServer } from "./server-call.ts";

/** What a client hears whose answer there is no room for: of writes it must not believe that they were not done. */
function unansweredError(path: string): EtcdError {
  return path === RANGE_PATH ? errRequestTooManyRequests : errTimeout;
}

const RANGE_PATH = "/etcdserverpb.KV/Range";

export class UnaryServerCall implements UnaryCall<unknown>, StreamConsumer, MessageSink {
  readonly #core: CallCore;
  #request: unknown = null;
  #requested = false;
  #running = false;

  constructor(stream: Http2Stream, plan: CallPlan, server: CallServer, peer: GrpcPeer) {
    this.#core = new CallCore(stream, plan, server, peer);
  }

  get context(): CallContext {
    return this.#core.context;
  }

  get aborted(): boolean {
    return this.#core.aborted;
  }

  succeed(response: unknown): void {
    const core = this.#core;
    if (core.ended) {
      assert(core.aborted, "unary call answered twice");
      return;
    }
    if (core.sendMessage(response, true)) core.endWithSuccess();
    else core.endWithError(unansweredError(core.plan.entry.method.path));
  }

  fail(error: EtcdError): void {
    const core = this.#core;
    if (core.ended) assert(core.aborted, "unary call answered twice");
    else core.endWithError(error);
  }

  onAbort(listener: () => void): void {
    this.#core.onAbort(listener);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const core = this.#core;
    const { stream } = core;
    core.receive(bytes, start, end, this);
    if (!stream.dead) stream.credit(end - start);
    else stream.connection.creditConnection(end - start);
  }

  takeMessage(bytes: Uint8Array, start: number, end: number): void {
    const core = this.#core;
    if (core.ended || this.#requested) return;
    this.#requested = true;
    this.#request = core.decode(bytes, start, end, "grpc: error unmarshalling request");
    const { stream } = core;
    if (!stream.remoteClosed && !core.ended) stream.connection.callAtChunkEnd(this);
  }

  failMessage(error: EtcdError): void {
    this.#core.endWithError(error);
  }

  onEndStream(): void {
    const core = this.#core;
    if (this.#requested) {
      this.#run();
    } else if (!core.ended) {
      const text = core.hasPartialMessage ? "unexpected EOF" : "EOF";
      core.endWithError(new EtcdError(GrpcCode.Unknown, text));
    }
  }

  onChunkEnd(): void {
    this.#run();
  }

  #run(): void {
    const core = this.#core;
    if (core.ended || this.#running) return;
    this.#running = true;
    const request = this.#request;
    this.#request = null;
    if (!core.start()) return;
    (core.plan.entry.method as UnaryMethod).handler(request as never, this);
    core.watchDeadline();
  }

  onReset(): void {
    this.#core.cancel();
  }

  onWritable(): void {}
}
