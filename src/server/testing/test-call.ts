/** One call and what became of it. Answering twice is an error of whoever answers. */
import type { EtcdError, StreamCall, UnaryCall } from "../../api/index.ts";

export interface TestCall<Response> extends UnaryCall<Response> {
  response: Response | null;
  error: EtcdError | null;
  aborted: boolean;
  /** Whether it was answered, in whatever way. */
  readonly answered: boolean;
}

const CONTEXT: UnaryCall<unknown>["context"] = {
  token: null,
  requireLeader: false,
  clientApiVersion: "3.7",
  peerName: "",
  viaGateway: false,
  peerAddress: "test",
  deadlineMs: Number.POSITIVE_INFINITY,
};

export function newTestCall<Response>(requireLeader = false): TestCall<Response> {
  const once = () => {
    if (call.answered) throw new Error("a call was answered twice");
  };
  const call: TestCall<Response> = {
    context: { ...CONTEXT, requireLeader },
    response: null,
    error: null,
    aborted: false,
    get answered() {
      return call.response !== null || call.error !== null;
    },
    succeed(response) {
      once();
      call.response = response;
    },
    fail(error) {
      once();
      call.error = error;
    },
    onAbort() {},
  };
  return call;
}

/** A stream that takes so many messages before it asks the sender to stop. */
export class TestStream<Response> implements StreamCall<Response> {
  readonly context: UnaryCall<unknown>["context"];
  readonly messages: Response[] = [];
  error: EtcdError | null = null;
  ended = false;
  aborted = false;
  readonly queuedBytes = 0;
  readonly #windowMessages: number;
  #left: number;
  #onDrain: (() => void) | null = null;
  #onAbort: () => void = () => {};

  constructor(windowMessages: number, requireLeader = false) {
    this.context = { ...CONTEXT, requireLeader };
    this.#windowMessages = windowMessages;
    this.#left = windowMessages;
  }

  send(response: Response): boolean {
    if (this.ended || this.error !== null) throw new Error("a message after the end");
    if (this.#left <= 0) throw new Error("a message although the stream is full");
    this.messages.push(response);
    return --this.#left > 0;
  }

  sendEncoded(): boolean {
    throw new Error("no encoded messages here");
  }

  end(): void {
    this.ended = true;
  }

  fail(error: EtcdError): void {
    this.error = error;
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener;
  }

  onAbort(listener: () => void): void {
    this.#onAbort = listener;
  }

  /** The client went away. */
  abort(): void {
    this.aborted = true;
    this.#onAbort();
  }

  /** The client took what there is; false when nobody waits for that. */
  drain(): boolean {
    const listener = this.#onDrain;
    if (listener === null) return false;
    this.#onDrain = null;
    this.#left = this.#windowMessages;
    listener();
    return true;
  }
}
