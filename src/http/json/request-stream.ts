/**
 * The client's half of a bidirectional call: JSON objects one after the other in a request body that may stay
 * open. An object that is no request closes the half, as in etcd, which tells the client nothing about it. While
 * the service has paused, nothing more is read from the body; what was already cut waits.
 */
import type { RequestStream } from "../../api/index.ts";
import { decodeJsonText } from "../../api/json/index.ts";
import type { MethodCounter } from "./call-counters.ts";
import { JsonSplitter } from "./json-splitter.ts";

export class JsonRequestStream implements RequestStream<unknown> {
  readonly #requestType: string;
  readonly #counter: MethodCounter;
  readonly #splitter: JsonSplitter;
  readonly #decoder = new TextDecoder();
  #messageListener: ((request: unknown) => void) | null = null;
  #endListener: (() => void) | null = null;
  #paused = false;
  #resumed: (() => void) | null = null;
  #stopped = false;

  constructor(requestType: string, bodyBytesMax: number, counter: MethodCounter) {
    this.#requestType = requestType;
    this.#counter = counter;
    this.#splitter = new JsonSplitter(bodyBytesMax);
  }

  onMessage(listener: (request: unknown) => void): void {
    this.#messageListener = listener;
  }

  onEnd(listener: () => void): void {
    this.#endListener = listener;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const resumed = this.#resumed;
    this.#resumed = null;
    resumed?.();
  }

  /** The call is over: nothing is delivered any more. */
  stop(): void {
    this.#stopped = true;
    this.resume();
  }

  /** Reads the body to its end; the service has its listeners in place. */
  async run(body: ReadableStream<Uint8Array> | null): Promise<void> {
    if (body !== null) await this.#read(body);
    if (!this.#stopped) this.#endListener?.();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    while (!this.#stopped && !this.#splitter.ended) {
      // When the connection breaks, the call hears of it through the request's signal.
      const chunk = await reader.read().catch(() => null);
      if (chunk === null) this.#stopped = true;
      if (chunk === null || chunk.done) break;
      const text = this.#decoder.decode(chunk.value, { stream: true });
      if (!(await this.#deliver(this.#splitter.push(text)))) break;
    }
    reader.cancel().catch(() => {});
  }

  /** Hands on what was cut; false when one of them is no request. */
  async #deliver(texts: readonly string[]): Promise<boolean> {
    for (const text of texts) {
      if (this.#paused) await new Promise<void>((resolve) => (this.#resumed = resolve));
      if (this.#stopped) return false;
      const decoded = decodeJsonText(this.#requestType, text);
      if (!decoded.ok) return false;
      this.#counter.receive();
      this.#messageListener?.(decoded.message);
    }
    return true;
  }
}
