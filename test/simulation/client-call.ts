/** One call of a simulated client. The client may give up; the member may die before it answers. */
import type { CallContext, EtcdError, UnaryCall } from "../../src/api/index.ts";

export const CLIENT_CONTEXT: CallContext = {
  token: null,
  requireLeader: false,
  clientApiVersion: "3.7",
  peerName: "",
  viaGateway: false,
  peerAddress: "simulation",
  deadlineMs: Number.POSITIVE_INFINITY,
};

export class ClientCall implements UnaryCall<object> {
  readonly context = CLIENT_CONTEXT;
  aborted = false;
  #isAnswered = false;
  #onAbort: () => void = () => {};
  readonly #done: (response: object | null, error: EtcdError | null) => void;

  constructor(done: (response: object | null, error: EtcdError | null) => void) {
    this.#done = done;
  }

  succeed(response: object): void {
    this.#answer(response, null);
  }

  fail(error: EtcdError): void {
    this.#answer(null, error);
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** In the member's process: nobody waits any more. */
  abort(): void {
    if (this.#isAnswered || this.aborted) return;
    this.aborted = true;
    this.#onAbort();
  }

  #answer(response: object | null, error: EtcdError | null): void {
    if (this.#isAnswered) throw new Error("a call was answered twice");
    this.#isAnswered = true;
    if (!this.aborted) this.#done(response, error);
  }
}
