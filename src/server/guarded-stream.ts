/**
 * A stream that somebody else than its service may end. The service learns of it as of a client that went away; what
 * it still sends is dropped.
 */
import type { CallContext, EtcdError, StreamCall } from "../api/index.ts";

export class GuardedStream implements StreamCall<unknown> {
  readonly #call: StreamCall<unknown>;
  readonly #onOver: () => void;
  #abortListener: (() => void) | null = null;
  #isOver = false;
  #isRefused = false;

  /** `onOver` is called once, however the stream ends. */
  constructor(call: StreamCall<unknown>, onOver: () => void) {
    this.#call = call;
    this.#onOver = onOver;
    call.onAbort(() => {
      this.#over();
      this.#abortListener?.();
    });
  }

  /** Ends the call with an error in the service's place. */
  refuse(error: EtcdError): void {
    if (this.#isOver) return;
    this.#over();
    this.#isRefused = true;
    this.#call.fail(error);
    this.#abortListener?.();
  }

  get context(): CallContext {
    return this.#call.context;
  }

  get aborted(): boolean {
    return this.#isRefused || this.#call.aborted;
  }

  get queuedBytes(): number {
    return this.#call.queuedBytes;
  }

  send(response: unknown): boolean {
    return !this.#isRefused && this.#call.send(response);
  }

  sendEncoded(bytes: Uint8Array): boolean {
    return !this.#isRefused && this.#call.sendEncoded(bytes);
  }

  end(): void {
    this.#over();
    if (!this.#isRefused) this.#call.end();
  }

  fail(error: EtcdError): void {
    this.#over();
    if (!this.#isRefused) this.#call.fail(error);
  }

  onDrain(listener: () => void): void {
    this.#call.onDrain(() => {
      if (!this.#isRefused) listener();
    });
  }

  onAbort(listener: () => void): void {
    this.#abortListener = listener;
    if (this.aborted) listener();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
  }
}
