/**
 * One unary call through the gateway. Answered exactly once: by the service, by the deadline, or not at all when
 * the client is gone. Answering after an abort is normal and does nothing; answering twice is a service's bug.
 */
import {
  type CallContext,
  type EtcdError,
  errContextCanceled,
  errContextDeadlineExceeded,
  GrpcCode,
  type UnaryCall,
} from "../../api/index.ts";
import { encodeJson } from "../../api/json/index.ts";
import { assert } from "../../base/assert.ts";
import type { Clock, Timer } from "../../io/index.ts";
import { sizedResponse } from "../sized-response.ts";
import type { MethodCounter } from "./call-counters.ts";
import { watchDeadline } from "./deadline.ts";
import { errorResponse, JSON_CONTENT_TYPE } from "./http-status.ts";

const RESULT_HEADERS = {
  "Content-Type": JSON_CONTENT_TYPE,
  "Grpc-Metadata-Content-Type": "application/grpc",
};

export class JsonUnaryCall implements UnaryCall<unknown> {
  readonly context: CallContext;
  aborted = false;
  readonly #responseType: string;
  readonly #counter: MethodCounter;
  readonly #respond: (response: Response) => void;
  #answered = false;
  #abortListener: (() => void) | null = null;
  #deadline: Timer | null = null;
  #signal: AbortSignal | null = null;

  constructor(
    context: CallContext,
    responseType: string,
    counter: MethodCounter,
    respond: (response: Response) => void,
  ) {
    this.context = context;
    this.#responseType = responseType;
    this.#counter = counter;
    this.#respond = respond;
  }

  succeed(response: unknown): void {
    if (!this.#settle(GrpcCode.OK)) return;
    this.#counter.send();
    this.#respond(sizedResponse(encodeJson(this.#responseType, response), 200, RESULT_HEADERS));
  }

  fail(error: EtcdError): void {
    if (this.#settle(error.code)) this.#respond(errorResponse(error));
  }

  onAbort(listener: () => void): void {
    this.#abortListener = listener;
    if (this.aborted) this.#tellAbort();
  }

  /** The service has the call and did not answer at once: watches the deadline and the client. */
  watch(clock: Clock, signal: AbortSignal): void {
    if (this.#answered) return;
    const { deadlineMs } = this.context;
    if (deadlineMs !== Number.POSITIVE_INFINITY) {
      const onDeadline = () => this.#abort(errContextDeadlineExceeded);
      this.#deadline = watchDeadline(clock, deadlineMs, onDeadline);
    }
    this.#signal = signal;
    signal.addEventListener("abort", this.#onSignal);
    if (signal.aborted) this.#onSignal();
  }

  readonly #onSignal = (): void => this.#abort(errContextCanceled);

  #abort(error: EtcdError): void {
    if (this.#answered) return;
    this.fail(error);
    this.aborted = true;
    this.#tellAbort();
  }

  #tellAbort(): void {
    const listener = this.#abortListener;
    this.#abortListener = null;
    listener?.();
  }

  /** False when the call was aborted before. */
  #settle(code: number): boolean {
    if (this.#answered) {
      assert(this.aborted, "unary call answered twice");
      return false;
    }
    this.#answered = true;
    this.#deadline?.cancel();
    this.#signal?.removeEventListener("abort", this.#onSignal);
    this.#counter.finish(code);
    return true;
  }
}
