/**
 * Calls through the gateway count as gRPC calls, as in etcd, where they are. The gRPC layer's counters have
 * this shape; the gateway adds to the same arrays.
 */
export interface CallCounters {
  readonly methods: readonly { readonly path: string }[];
  readonly started: Float64Array;
  readonly messagesReceived: Float64Array;
  readonly messagesSent: Float64Array;
  finish(methodIndex: number, code: number): void;
}

/** One method's share of the counters; counts nothing for a method that they do not know. */
export class MethodCounter {
  readonly #counters: CallCounters | null;
  readonly #index: number;

  constructor(counters: CallCounters | null, path: string) {
    this.#index = counters === null ? -1 : counters.methods.findIndex((row) => row.path === path);
    this.#counters = this.#index < 0 ? null : counters;
  }

  start(): void {
    if (this.#counters !== null) this.#counters.started[this.#index]!++;
  }

  receive(): void {
    if (this.#counters !== null) this.#counters.messagesReceived[this.#index]!++;
  }

  send(): void {
    if (this.#counters !== null) this.#counters.messagesSent[this.#index]!++;
  }

  finish(code: number): void {
    this.#counters?.finish(this.#index, code);
  }
}
