// The cluster's own history, revision by revision, read with watches while the cluster is whole: before compactions
// and at the end. The checkers hold all answers against it.

import { type GrpcClient, method } from "../differential/grpc-client.ts";
import { type JsonObject, plain, wire } from "../differential/plain.ts";
import {
  type KvChange,
  type RevisionChanges,
  RevisionHistory,
} from "../simulation/checkers/revision-history.ts";
import type { Violation } from "../simulation/checkers/violations.ts";
import { eventOf } from "./recorded-watch.ts";

const readMilliseconds = 20_000;
const firstRevision = 1;

export class HistoryReader {
  readonly #revisions: RevisionChanges[] = [];
  #compactedRevision = 0;

  get lastRevision(): number {
    return this.#revisions.at(-1)?.revision ?? firstRevision;
  }

  /** Reads what is new, up to the revision a linearizable read gives now. */
  async extend(client: GrpcClient): Promise<void> {
    const current = await currentRevision(client);
    this.#revisions.push(...(await read(client, this.lastRevision + 1, current)));
  }

  compacted(revision: number): void {
    this.#compactedRevision = Math.max(this.#compactedRevision, revision);
  }

  /** What was read early must be there at the end; so every member is asked for all it still has. */
  async confirm(client: GrpcClient, name: string): Promise<Violation[]> {
    const current = await currentRevision(client);
    const from = Math.max(firstRevision, this.#compactedRevision) + 1;
    const found = await read(client, from, current);
    const wanted = this.#revisions.filter(({ revision }) => revision >= from);
    for (const [at, each] of found.entries()) {
      const text = JSON.stringify(each, bigints);
      const before = JSON.stringify(wanted[at], bigints);
      if (text === before) continue;
      return [{ rule: "same-history", message: `${name} has ${text} where ${before} was read` }];
    }
    if (found.length >= wanted.length) return [];
    const message = `${name} ends at revision ${current}, ${this.lastRevision} was read`;
    return [{ rule: "same-history", message }];
  }

  history(): RevisionHistory {
    return new RevisionHistory(this.#revisions);
  }
}

export async function currentRevision(client: GrpcClient): Promise<number> {
  const outcome = await client.unary(method("KV", "Range"), { key: "none" });
  if ("error" in outcome) throw new Error(outcome.error.details);
  return Number(((outcome.ok as JsonObject).header as JsonObject).revision);
}

/** All changes of the revisions `from` to `to`. */
async function read(client: GrpcClient, from: number, to: number): Promise<RevisionChanges[]> {
  const revisions: RevisionChanges[] = [];
  if (from > to) return revisions;
  const stream = client.bidirectional(method("Watch", "Watch"));
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => end(new Error(`revisions ${from} to ${to} did not come, ${revisions.length} did`)),
      readMilliseconds,
    );
    const end = (failure: Error | null) => {
      clearTimeout(timer);
      stream.on("error", () => {});
      stream.cancel();
      if (failure === null) resolve(revisions);
      else reject(failure);
    };
    stream.on("error", (failure: Error) => end(failure));
    stream.on("data", (message: object) => {
      const answer = plain(message) as JsonObject;
      if (answer.canceled === true) return end(new Error(`cancelled: ${JSON.stringify(answer)}`));
      for (const event of (answer.events ?? []) as JsonObject[]) append(revisions, event, to);
      if ((revisions.at(-1)?.revision ?? 0) >= to) end(null);
    });
    const create_request = { key: "\0", range_end: "\0", start_revision: from };
    stream.write(wire({ create_request }) as object);
  });
}

function append(revisions: RevisionChanges[], event: JsonObject, to: number): void {
  const { kind, keyValue } = eventOf(event);
  const { key, value, lease, modRevision: revision } = keyValue;
  if (revision > to) return;
  const change: KvChange = kind === "put" ? { kind, key, value, lease } : { kind, key };
  const last = revisions.at(-1);
  if (last?.revision === revision) (last.changes as KvChange[]).push(change);
  else revisions.push({ revision, changes: [change] });
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
