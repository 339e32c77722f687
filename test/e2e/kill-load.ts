// Load for the kill loop: writers that put, delete and change several keys at once without pause, and
// a watcher that notes what it is shown, until the process under them is killed.

import type * as grpc from "@grpc/grpc-js";
import { GrpcClient, method, type Outcome } from "../differential/grpc-client.ts";
import { type JsonObject, plain, wire } from "../differential/plain.ts";
import type { ChangeEvent, KillHistory, Operation, Revision } from "./kill-history.ts";

const keyCount = 200;
const callMilliseconds = 5000;
const everything = { key: "\0", range_end: "\0" };

export class KillLoad {
  readonly #client: GrpcClient;
  readonly #history: KillHistory;
  readonly #name: string;
  #stopped = false;
  #sequence = 0;
  #watch: grpc.ClientDuplexStream<object, object> | null = null;

  constructor(endpoint: string, history: KillHistory, name: string) {
    this.#client = new GrpcClient(endpoint);
    this.#history = history;
    this.#name = name;
  }

  /** Runs until every writer has met the end of the process or `stop` was called. */
  async run(writerCount: number): Promise<void> {
    this.#startWatch(this.#history.checkedRevision + 1);
    const writers = Array.from({ length: writerCount }, (_, writer) => this.#write(writer));
    await Promise.all(writers);
    this.close();
  }

  stop(): void {
    this.#stopped = true;
  }

  close(): void {
    this.#watch?.on("error", () => {});
    this.#watch?.cancel();
    this.#client.close();
  }

  /** Each writer has keys of its own, so that a delete knows what it deletes. */
  async #write(writer: number): Promise<void> {
    const held = new Set<string>();
    for (const { key } of this.#history.state()) {
      if (key.startsWith(`w${writer}/`)) held.add(key);
    }
    while (!this.#stopped) {
      const step = this.#sequence++;
      const tag = `${this.#name}.${writer}.${step}`;
      const key = `w${writer}/${(step * 7919) % keyCount}`;
      const [operation, request] = drawn(step, key, tag, held);
      const outcome = await this.#client.unary(method("KV", "Txn"), request, {
        timeoutMilliseconds: callMilliseconds,
      });
      if (!this.#note(operation, outcome)) return;
      for (const event of operation.events) {
        if (event.kind === "put") held.add(event.key);
        else held.delete(event.key);
      }
    }
  }

  /** False when the process is gone. */
  #note(operation: Operation, outcome: Outcome): boolean {
    if ("error" in outcome) {
      this.#history.lose(operation);
      const { code, details } = outcome.error;
      // 14: no connection, 4 and 1: given up, 13: the stream was cut.
      if (![1, 4, 13, 14].includes(code)) throw new Error(`unexpected error ${code}: ${details}`);
      return false;
    }
    const header = (outcome.ok as JsonObject).header as JsonObject;
    this.#history.acknowledge(operation, Number(header.revision));
    return true;
  }

  #startWatch(revision: number): void {
    const stream = this.#client.bidirectional(method("Watch", "Watch"));
    this.#watch = stream;
    stream.on("error", () => {});
    stream.on("data", (message: object) => {
      for (const each of revisionsOf(plain(message) as JsonObject)) this.#history.observe(each);
    });
    const create_request = { ...everything, start_revision: revision };
    stream.write(wire({ create_request }) as object);
  }
}

/** The next change of a writer: mostly puts, sometimes a delete or a txn over several keys. */
function drawn(step: number, key: string, tag: string, held: Set<string>): [Operation, JsonObject] {
  const puts = [put(key, tag)];
  const deletes: ChangeEvent[] = [];
  if (step % 11 === 3) puts.push(put(`${key}/more`, tag), put(`${key}/most`, "x".repeat(3000)));
  const victim = [...held].find((each) => !puts.some((other) => other.key === each));
  if (step % 5 === 1 && victim !== undefined) deletes.push(remove(victim));
  const events = [...puts, ...deletes];
  const success = events.map(
    ({ kind, key, value }): JsonObject =>
      kind === "put" ? { request_put: { key, value } } : { request_delete_range: { key } },
  );
  return [{ events }, { success }];
}

function put(key: string, value: string): ChangeEvent {
  return { kind: "put", key, value };
}

function remove(key: string): ChangeEvent {
  return { kind: "delete", key, value: "" };
}

/** The events of a watch response by revision; a response never divides a revision. */
export function revisionsOf(message: JsonObject): Revision[] {
  const revisions = new Map<number, ChangeEvent[]>();
  for (const event of (message.events ?? []) as JsonObject[]) {
    const pair = event.kv as JsonObject;
    const revision = Number(pair.mod_revision);
    const events = revisions.get(revision) ?? [];
    const isDelete = event.type === "DELETE";
    const key = String(pair.key);
    events.push(isDelete ? remove(key) : put(key, String(pair.value ?? "")));
    revisions.set(revision, events);
  }
  return [...revisions].map(([revision, events]) => ({ revision, events }));
}
