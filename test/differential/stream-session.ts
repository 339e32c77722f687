// One bidirectional stream of a case: what the server sends is queued, taken by condition and written
// down as a step.

import type * as grpc from "@grpc/grpc-js";
import { failureOf } from "./grpc-client.ts";
import { type Json, type JsonObject, plain, wire } from "./plain.ts";
import type { Side } from "./side.ts";

const waitMilliseconds = 8000;
const pollMilliseconds = 50;

export type Fits = (message: JsonObject) => boolean;

export class StreamSession {
  readonly side: Side;
  readonly #stream: grpc.ClientDuplexStream<object, object>;
  readonly #name: string;
  readonly #received: JsonObject[] = [];
  #ended: Json = null;
  #wake: () => void = () => {};

  constructor(side: Side, stream: grpc.ClientDuplexStream<object, object>, name: string) {
    this.side = side;
    this.#stream = stream;
    this.#name = name;
    stream.on("data", (message: object) => {
      this.#received.push(plain(message) as JsonObject);
      this.#wake();
    });
    stream.on("error", (failure: grpc.ServiceError) => {
      this.#ended = failureOf(failure) as unknown as Json;
      this.#wake();
    });
    stream.on("end", () => {
      this.#ended ??= "end";
      this.#wake();
    });
  }

  send(request: object): void {
    this.#stream.write(wire(request as Json) as object);
  }

  /** Waits for a response that fits, takes it out of the queue and writes it down. */
  async take(fits: Fits, name = "response", request: Json = null): Promise<JsonObject | null> {
    const message = await this.next(fits);
    this.note(name, request, message ?? this.#ended ?? "nothing came");
    return message;
  }

  /** The same without writing it down. */
  async next(fits: Fits): Promise<JsonObject | null> {
    await this.#until(() => this.#ended !== null || this.#received.some(fits));
    const index = this.#received.findIndex(fits);
    return index < 0 ? null : (this.#received.splice(index, 1)[0] ?? null);
  }

  /** Writes down whatever has come and was not taken. */
  rest(): void {
    this.note("rest", null, this.#received.splice(0));
  }

  /** How the stream ended; waits for it. */
  async ended(): Promise<void> {
    await this.#until(() => this.#ended !== null);
    this.note("ended", null, this.#ended ?? "still open");
  }

  note(name: string, request: Json, answer: Json): void {
    this.side.note(`${this.#name} ${name}`, request, answer);
  }

  halfClose(): void {
    this.#stream.end();
  }

  end(): void {
    this.#stream.cancel();
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + waitMilliseconds;
    while (!condition() && performance.now() < deadline) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        Bun.sleep(pollMilliseconds),
      ]);
    }
  }
}
