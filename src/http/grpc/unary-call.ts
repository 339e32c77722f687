/**
 * A unary call: one request message and the client's half-close start the handler, one answer ends it.
 * Answering twice is a bug of the service; answering after the call was aborted is normal and does nothing.
 */
import { type CallContext, EtcdError, GrpcCode, type UnaryCall } from "../../api/index.ts";
import { assert } from "../../base/assert.ts";
import type { Http2Stream, StreamConsumer } from "../http2/index.ts";
import type { CallPlan } from "./call-plan.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import type { MessageSink } from "./message-assembler.ts";
import type { UnaryMethod } from "./method-table.ts";
import { CallCore, type CallServer } from "./server-call.ts";

const NOTHING = Symbol("no request message");

export class UnaryServerCall implements UnaryCall<unknown>, StreamConsumer, MessageSink {
  readonly #core: CallCore;
  #request: unknown = NOTHING;

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
    core.sendMessage(response);
    core.endWithSuccess();
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
    if (core.ended) return;
    if (this.#request !== NOTHING) {
      const text = "cardinality violation: received multiple request messages for a unary call";
      core.endWithError(new EtcdError(GrpcCode.Internal, text));
      return;
    }
    this.#request = core.decode(bytes, start, end, "grpc: error unmarshalling request");
  }

  failMessage(error: EtcdError): void {
    this.#core.endWithError(error);
  }

  onEndStream(): void {
    const core = this.#core;
    if (core.ended) return;
    if (this.#request === NOTHING || core.hasPartialMessage) {
      const text = core.hasPartialMessage
        ? "unexpected EOF"
        : "cardinality violation: received no request message from non-client-streaming RPC";
      core.endWithError(new EtcdError(GrpcCode.Internal, text));
      return;
    }
    const request = this.#request;
    this.#request = NOTHING;
    core.start();
    (core.plan.entry.method as UnaryMethod).handler(request as never, this);
    core.watchDeadline();
  }

  onReset(): void {
    this.#core.cancel();
  }

  onWritable(): void {}
}
