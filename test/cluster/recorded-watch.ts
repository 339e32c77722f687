// Watchers under faults: each stream is a recorded watch of its own; when it breaks, the next one begins behind the
// last revision seen, on any member. They also ask for progress notices, which promise that nothing is missing.

import type * as grpc from "@grpc/grpc-js";
import { type GrpcClient, method } from "../differential/grpc-client.ts";
import { type JsonObject, plain, wire } from "../differential/plain.ts";
import { SeededRandom } from "../disk/seeded-random.ts";
import type {
  RecordedWatch,
  WatchedEvent,
  WatchResponse,
} from "../simulation/checkers/watch-checks.ts";
import { memberClient } from "./cluster-member.ts";
import { keyValueOf } from "./kv-wire.ts";

const progressMilliseconds = 500;
const reopenMilliseconds = 100;
/** A stream is left now and then, so that resuming is tried without faults too. */
const streamMillisecondsMax = 8000;

interface Growing extends RecordedWatch {
  createdRevision: number;
  readonly responses: WatchResponse[];
}

export class RecordedWatcher {
  readonly watches: RecordedWatch[] = [];
  readonly #name: string;
  readonly #endpoints: () => readonly string[];
  readonly #random: SeededRandom;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #endStream: (() => void) | null = null;
  #nextRevision = 1;

  constructor(name: string, endpoints: () => readonly string[], seed: number) {
    this.#name = name;
    this.#endpoints = endpoints;
    this.#random = new SeededRandom(seed);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** After `untilRevision` has been seen, or the limit. */
  async stop(untilRevision: number, limitMs: number): Promise<boolean> {
    const endMs = performance.now() + limitMs;
    while (this.#nextRevision <= untilRevision && performance.now() < endMs) await Bun.sleep(20);
    this.#stopped = true;
    this.#endStream?.();
    await this.#running;
    return this.#nextRevision > untilRevision;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const endpoints = this.#endpoints();
      const client = memberClient(endpoints[this.#random.below(endpoints.length)]!);
      await this.#stream(client);
      client.close();
      await Bun.sleep(reopenMilliseconds);
    }
  }

  #stream(client: GrpcClient): Promise<void> {
    const watch: Growing = {
      name: `${this.#name}.${this.watches.length}`,
      request: {
        key: "",
        rangeEnd: "\0",
        startRevision: this.#nextRevision,
        previous: true,
        filters: [],
      },
      createdRevision: 0,
      responses: [],
    };
    this.watches.push(watch);
    const metadata = { hasleader: "true" };
    const stream = client.bidirectional(method("Watch", "Watch"), { metadata });
    return new Promise((resolve) => {
      const timers = [
        setInterval(() => send(stream, { progress_request: {} }), progressMilliseconds),
        setTimeout(() => end(), this.#random.below(streamMillisecondsMax)),
      ] as const;
      const end = () => {
        clearInterval(timers[0]);
        clearTimeout(timers[1]);
        this.#endStream = null;
        ended = true;
        stream.cancel();
        resolve();
      };
      let ended = false;
      this.#endStream = end;
      stream.on("error", () => end());
      stream.on("end", () => end());
      stream.on("data", (message: object) => {
        if (!ended) this.#take(watch, plain(message) as JsonObject, end);
      });
      const { startRevision } = watch.request;
      const create = { key: "\0", range_end: "\0", start_revision: startRevision, prev_kv: true };
      send(stream, { create_request: create });
    });
  }

  #take(watch: Growing, message: JsonObject, end: () => void): void {
    const revision = Number((message.header as JsonObject).revision ?? 0);
    if (message.canceled === true) {
      const compactRevision = Number(message.compact_revision ?? 0);
      watch.responses.push({ kind: "canceled", compactRevision });
      // Compacted away under a watcher that was cut off for long: it begins again there.
      this.#nextRevision = Math.max(this.#nextRevision, compactRevision);
      end();
      return;
    }
    if (message.created === true) {
      watch.createdRevision = revision;
      return;
    }
    const events = ((message.events ?? []) as JsonObject[]).map(eventOf);
    if (events.length === 0) {
      // A member that is behind the start answers with what it has, which says nothing about this watch.
      if (revision < watch.request.startRevision) return;
      watch.responses.push({ kind: "progress", revision });
      this.#nextRevision = Math.max(this.#nextRevision, revision + 1);
      return;
    }
    watch.responses.push({ kind: "events", revision, events, fragment: message.fragment === true });
    this.#nextRevision = events.at(-1)!.keyValue.modRevision + 1;
  }
}

function send(stream: grpc.ClientDuplexStream<object, object>, request: JsonObject): void {
  stream.write(wire(request) as object);
}

export function eventOf(event: JsonObject): WatchedEvent {
  const kind = event.type === "DELETE" ? "delete" : "put";
  const previous = event.prev_kv ? keyValueOf(event.prev_kv) : null;
  return { kind, keyValue: keyValueOf(event.kv!), previous };
}
