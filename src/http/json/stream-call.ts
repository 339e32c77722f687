/**
 * A call with a stream of results through the gateway: one line of JSON per result, each its own chunk. The HTTP
 * status waits for the first result, so that an error before it sets the status. What the client does not read
 * waits in the response's queue: past `queueBytes` the service is asked to stop, and a service that goes on
 * past `queueBytesMax` loses the call.
 */
import {
  type CallContext,
  EtcdError,
  errContextCanceled,
  errContextDeadlineExceeded,
  GrpcCode,
  type StreamCall,
} from "../../api/index.ts";
import { encodeJsonErrorLine, encodeJsonLine } from "../../api/json/index.ts";
import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../io/index.ts";
import type { MethodCounter } from "./call-counters.ts";
import { watchDeadline } from "./deadline.ts";
import { httpStatus, JSON_CONTENT_TYPE } from "./http-status.ts";

export interface StreamLimits {
  readonly queueBytes: number;
  readonly queueBytesMax: number;
}

export interface StreamMethod {
  readonly responseType: string;
  readonly decodeResponse: (bytes: Uint8Array) => unknown;
}

export class JsonStreamCall implements StreamCall<unknown> {
  readonly context: CallContext;
  aborted = false;
  readonly #method: StreamMethod;
  readonly #limits: StreamLimits;
  readonly #counter: MethodCounter;
  readonly #respond: (response: Response) => void;
  /** Told once, however the call ended. */
  readonly #onEnded: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #ended = false;
  #isFull = false;
  #drainListener: (() => void) | null = null;
  #abortListener: (() => void) | null = null;
  #deadline: Timer | null = null;
  #signal: AbortSignal | null = null;

  constructor(
    context: CallContext,
    method: StreamMethod,
    limits: StreamLimits,
    counter: MethodCounter,
    respond: (response: Response) => void,
    onEnded: () => void,
  ) {
    this.context = context;
    this.#onEnded = onEnded;
    this.#method = method;
    this.#limits = limits;
    this.#counter = counter;
    this.#respond = respond;
  }

  get queuedBytes(): number {
    if (this.#controller === null || this.#ended) return 0;
    return this.#limits.queueBytes - (this.#controller.desiredSize ?? this.#limits.queueBytes);
  }

  send(response: unknown): boolean {
    if (this.#ended) {
      assert(this.aborted, "result sent after the end of the call");
      return false;
    }
    if (this.queuedBytes > this.#limits.queueBytesMax) {
      this.#abort(new EtcdError(GrpcCode.ResourceExhausted, "client reads too slowly"));
      return false;
    }
    this.#counter.send();
    this.#enqueue(encodeJsonLine(this.#method.responseType, response));
    this.#isFull = this.queuedBytes >= this.#limits.queueBytes;
    return !this.#isFull;
  }

  sendEncoded(bytes: Uint8Array): boolean {
    return this.send(this.#method.decodeResponse(bytes));
  }

  end(): void {
    if (!this.#settle(GrpcCode.OK)) return;
    // A stream without a result has no body, and no type of one.
    if (this.#controller === null) this.#respond(new Response(null, { status: 200 }));
    else this.#controller.close();
  }

  fail(error: EtcdError): void {
    if (!this.#settle(error.code)) return;
    if (this.#controller === null) {
      this.#open(httpStatus(error.code), { "Content-Type": JSON_CONTENT_TYPE });
    }
    this.#controller!.enqueue(utf8(encodeJsonErrorLine(error.code, error.message)));
    this.#controller!.close();
  }

  onDrain(listener: () => void): void {
    this.#drainListener = listener;
  }

  onAbort(listener: () => void): void {
    this.#abortListener = listener;
    if (this.aborted) this.#tellAbort();
  }

  /** The service has the call: watches the deadline and the client. */
  watch(clock: Clock, signal: AbortSignal): void {
    if (this.#ended) return;
    const { deadlineMs } = this.context;
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      const onDeadline = () => this.#abort(errContextDeadlineExceeded);
      this.#deadline = watchDeadline(clock, deadlineMs, onDeadline);
    }
    this.#signal = signal;
    signal.addEventListener("abort", this.#onSignal);
    if (signal.aborted) this.#onSignal();
  }

  /** The client is gone. */
  readonly #onSignal = (): void => this.#abort(errContextCanceled);

  #abort(error: EtcdError): void {
    if (this.#ended) return;
    this.fail(error);
    this.aborted = true;
    this.#tellAbort();
  }

  #tellAbort(): void {
    const listener = this.#abortListener;
    this.#abortListener = null;
    listener?.();
  }

  #enqueue(line: string): void {
    if (this.#controller === null) {
      this.#open(200, {
        "Content-Type": JSON_CONTENT_TYPE,
        "Grpc-Metadata-Content-Type": "application/grpc",
      });
    }
    this.#controller!.enqueue(utf8(line));
  }

  #open(status: number, headers: Record<string, string>): void {
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#onPull(),
        cancel: () => this.#onCancel(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: this.#limits.queueBytes }),
    );
    this.#respond(new Response(body, { status, headers }));
  }

  /** The client took something. */
  #onPull(): void {
    if (!this.#isFull || this.#ended || this.queuedBytes >= this.#limits.queueBytes) return;
    this.#isFull = false;
    this.#drainListener?.();
  }

  #onCancel(): void {
    if (this.#ended) return;
    this.#settle(GrpcCode.Canceled);
    this.aborted = true;
    this.#tellAbort();
  }

  /** False when the call had ended before. */
  #settle(code: number): boolean {
    if (this.#ended) {
      assert(this.aborted, "stream call ended twice");
      return false;
    }
    this.#ended = true;
    this.#deadline?.cancel();
    this.#signal?.removeEventListener("abort", this.#onSignal);
    this.#counter.finish(code);
    this.#onEnded();
    return true;
  }
}
