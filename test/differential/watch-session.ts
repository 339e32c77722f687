// One watch stream of a case. Order between different watchers is not promised by etcd, so responses
// are taken per watcher.

import type * as grpc from "@grpc/grpc-js";
import type { Json, JsonObject } from "./plain.ts";
import type { Side } from "./side.ts";
import { StreamSession } from "./stream-session.ts";

export class WatchSession extends StreamSession {
  constructor(side: Side, stream: grpc.ClientDuplexStream<object, object>) {
    super(side, stream, "watch");
  }

  /** Sends a create request and waits for its answer; gives the watcher's id. */
  async create(request: object): Promise<string> {
    this.send({ create_request: request });
    const created = await this.take((each) => each.created === true, "create", request as Json);
    return String(created?.watch_id ?? "0");
  }

  async cancel(watchId: string): Promise<void> {
    this.send({ cancel_request: { watch_id: watchId } });
    await this.canceled(watchId);
  }

  /** Waits for the response that ends a watcher. */
  async canceled(watchId: string): Promise<void> {
    const fits = (each: JsonObject) => isOf(each, watchId) && each.canceled === true;
    await this.take(fits, "canceled", { watch_id: watchId });
  }

  /** Asks for progress and waits for the answer to all watchers of the stream. */
  async progress(): Promise<void> {
    this.send({ progress_request: {} });
    await this.take((each) => isOf(each, "-1"), "progress");
  }

  /** Waits until a watcher has delivered this many events, and writes the events down, not how they
   * were divided into responses: catching up may batch as it likes. */
  async events(watchId: string, count: number): Promise<void> {
    const events: Json[] = [];
    while (events.length < count) {
      const message = await this.next((each) => isOf(each, watchId) && Array.isArray(each.events));
      if (message === null) break;
      events.push(...(message.events as Json[]));
    }
    this.note("events", { watch_id: watchId }, events);
  }

  /** Like events, up to and with the first that fits. */
  async eventsUntil(watchId: string, isLast: (event: JsonObject) => boolean): Promise<void> {
    const events: JsonObject[] = [];
    while (!events.some(isLast)) {
      const message = await this.next((each) => isOf(each, watchId) && Array.isArray(each.events));
      if (message === null) break;
      events.push(...(message.events as JsonObject[]));
    }
    this.note("events", { watch_id: watchId }, events);
  }

  /** Waits for this many whole responses of one watcher and writes them down as they came. */
  async responses(watchId: string, count: number): Promise<void> {
    const messages: Json[] = [];
    while (messages.length < count) {
      const message = await this.next((each) => isOf(each, watchId));
      if (message === null) break;
      messages.push(message);
    }
    this.note("responses", { watch_id: watchId }, messages);
  }

  /** Like events, for values too large to print: keys, sizes of values and fragment marks. */
  async shapes(watchId: string, count: number): Promise<void> {
    const keys: Json[] = [];
    const fragments: Json[] = [];
    while (keys.length < count) {
      const message = await this.next((each) => isOf(each, watchId) && Array.isArray(each.events));
      if (message === null) break;
      for (const event of message.events as JsonObject[]) {
        const pair = event.kv as JsonObject;
        keys.push([pair.key ?? null, pair.mod_revision ?? null, String(pair.value ?? "").length]);
      }
      fragments.push([(message.events as Json[]).length, message.fragment ?? false]);
    }
    this.note("shapes", { watch_id: watchId }, { keys, fragments });
  }
}

export function isOf(message: JsonObject, watchId: string): boolean {
  return String(message.watch_id ?? "0") === watchId;
}
