// One watch stream of a case. Order between different watchers is not promised by etcd, so responses
// are kept per watcher and written down when a case asks for them.

import type * as grpc from "@grpc/grpc-js";
import { failureOf } from "./grpc-client.ts";
import { type Json, type JsonObject, plain, wire } from "./plain.ts";
import type { Side } from "./side.ts";

const waitMilliseconds = 8000;

export class WatchSession {
  readonly #side: Side;
  readonly #stream: grpc.ClientDuplexStream<object, object>;
  readonly #received: JsonObject[] = [];
  #ended: Json = null;
  #wake: () => void = () => {};

  constructor(side: Side, stream: grpc.ClientDuplexStream<object, object>) {
    this.#side = side;
    this.#stream = stream;
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

  /** Sends a create request and waits for its answer; gives the watcher's id. */
  async create(request: object): Promise<string> {
    this.send({ create_request: request });
    const created = await this.take(
      (message) => message.created === true,
      "create",
      request as Json,
    );
    return String(created?.watch_id ?? "0");
  }

  async cancel(watchId: string): Promise<void> {
    this.send({ cancel_request: { watch_id: watchId } });
    await this.take((message) => message.canceled === true, "cancel", { watch_id: watchId });
  }

  /** Waits for a response that fits, takes it out of the queue and writes it down. */
  async take(
    fits: (message: JsonObject) => boolean,
    name = "response",
    request: Json = null,
  ): Promise<JsonObject | null> {
    const message = await this.#next(fits);
    this.#side.note(`watch ${name}`, request, message ?? this.#ended ?? "nothing came");
    return message;
  }

  /** Waits until a watcher has delivered this many events, and writes the events down, not how they
   * were divided into responses: catching up may batch as it likes. */
  async events(watchId: string, count: number): Promise<Json[]> {
    const events: Json[] = [];
    while (events.length < count) {
      const message = await this.#next((each) => isOf(each, watchId) && Array.isArray(each.events));
      if (message === null) break;
      events.push(...(message.events as Json[]));
    }
    this.#side.note("watch events", { watch_id: watchId }, events);
    return events;
  }

  /** Waits for this many whole responses of one watcher and writes them down as they came. */
  async responses(watchId: string, count: number): Promise<void> {
    const messages: Json[] = [];
    while (messages.length < count) {
      const message = await this.#next((each) => isOf(each, watchId));
      if (message === null) break;
      messages.push(message);
    }
    this.#side.note("watch responses", { watch_id: watchId }, messages);
  }

  /** Writes down whatever is left, after everything sent before has been answered. */
  rest(): void {
    this.#side.note("watch rest", null, this.#received.splice(0));
  }

  /** How the stream ended; waits for it. */
  async ended(): Promise<void> {
    await this.#until(() => this.#ended !== null);
    this.#side.note("watch ended", null, this.#ended ?? "still open");
  }

  halfClose(): void {
    this.#stream.end();
  }

  end(): void {
    this.#stream.on("error", () => {});
    this.#stream.cancel();
  }

  async #next(fits: (message: JsonObject) => boolean): Promise<JsonObject | null> {
    await this.#until(() => this.#ended !== null || this.#received.some(fits));
    const index = this.#received.findIndex(fits);
    return index < 0 ? null : (this.#received.splice(index, 1)[0] ?? null);
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + waitMilliseconds;
    while (!condition() && performance.now() < deadline) {
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#wake = resolve;
        }),
        Bun.sleep(50),
      ]);
    }
  }
}

function isOf(message: JsonObject, watchId: string): boolean {
  return String(message.watch_id ?? "0") === watchId;
}
