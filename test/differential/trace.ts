// What one side of a case saw, as a list of steps, and how it is made comparable: ids, terms, raft
// indexes, times, sizes and versions are replaced by names; revisions become distances from the
// revision at the start of the case, so that one difference does not spoil every case after it.

import type { Json, JsonObject } from "./plain.ts";

export interface Step {
  /** Short name of the call: `KV/Range`, `POST /v3/kv/range`, `watch`. */
  readonly call: string;
  readonly request: Json;
  readonly answer: Json;
}

export interface Identity {
  readonly clusterId: string;
  readonly memberId: string;
  readonly endpoint: string;
  readonly peerEndpoint: string;
}

/** Fields that hold a revision wherever they occur. */
const revisionFields = new Set([
  "revision",
  "create_revision",
  "mod_revision",
  "compact_revision",
  "hash_revision",
  "start_revision",
  "min_mod_revision",
  "max_mod_revision",
  "min_create_revision",
  "max_create_revision",
]);
/** Fields whose value depends on time, place or implementation: only presence and sign are compared. */
const opaqueFields = new Set([
  "raft_term",
  "raftTerm",
  "raftIndex",
  "raftAppliedIndex",
  "dbSize",
  "dbSizeInUse",
  "remaining_bytes",
]);
/** Lists whose order etcd does not define. */
const unorderedFields = new Set(["keys", "alarms", "errors"]);
const leaseFields = new Set(["lease", "ID"]);

export class Normaliser {
  readonly #identity: Identity;
  readonly #baseRevision: number;
  /** Lease ids the server chose, in the order they were seen. */
  readonly #chosenLeases: string[];

  constructor(identity: Identity, baseRevision: number, chosenLeases: string[]) {
    this.#identity = identity;
    this.#baseRevision = baseRevision;
    this.#chosenLeases = chosenLeases;
  }

  step(step: Step): Step {
    return {
      call: step.call,
      request: this.value(step.request, ""),
      answer: this.value(step.answer, ""),
    };
  }

  value(value: Json, field: string): Json {
    if (Array.isArray(value)) {
      const items = value.map((item) => this.value(item, field));
      return unorderedFields.has(field) ? items.sort(byText) : items;
    }
    if (value !== null && typeof value === "object") {
      const result: JsonObject = {};
      for (const [name, item] of Object.entries(value)) result[name] = this.value(item, name);
      return withoutClock(result);
    }
    if (typeof value === "string") return this.#text(value, field);
    if (typeof value === "number" && revisionFields.has(field)) return this.#revision(value);
    return value;
  }

  #text(text: string, field: string): string {
    if (opaqueFields.has(field)) return signOf(text);
    if (revisionFields.has(field) && /^-?\d+$/.test(text)) return this.#revision(Number(text));
    if (leaseFields.has(field)) {
      const index = this.#chosenLeases.indexOf(text);
      if (index >= 0) return `<lease ${index}>`;
    }
    return this.#names(text);
  }

  #revision(revision: number): string {
    if (revision <= 0) return String(revision);
    const distance = revision - this.#baseRevision;
    return distance < 0 ? `base${distance}` : `base+${distance}`;
  }

  #names(text: string): string {
    const { clusterId, memberId, endpoint, peerEndpoint } = this.#identity;
    return text
      .replaceAll(clusterId, "<cluster>")
      .replaceAll(memberId, "<member>")
      .replaceAll(endpoint, "<endpoint>")
      .replaceAll(peerEndpoint, "<peer>");
  }
}

/** A lease's remaining seconds: only that they are at most a few below what was granted. */
function withoutClock(value: JsonObject): JsonObject {
  const granted = Number(value.grantedTTL ?? Number.NaN);
  const left = Number(value.TTL ?? Number.NaN);
  const passed = granted - left;
  return passed >= 0 && passed <= 4 ? { ...value, TTL: "<a little below grantedTTL>" } : value;
}

function byText(a: Json, b: Json): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

function signOf(text: string): string {
  if (!/^-?\d+$/.test(text)) return `<not a number: ${text}>`;
  return text === "0" ? "0" : text.startsWith("-") ? "<negative>" : "<positive>";
}
