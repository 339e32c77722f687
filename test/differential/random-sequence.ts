// Random requests over a small key space, the same for a seed. Revisions and leases are drawn so that
// past, compacted, future and unknown ones all occur.

import type { JsonObject } from "./plain.ts";

export interface RandomStep {
  readonly service: string;
  readonly name: string;
  readonly request: JsonObject;
}

const keys = ["a", "a\0", "aa", "ab", "b", "b/1", "b/2", "c", "d\xff", "e", "f", "g"];
const leaseIds = [11, 12, 13];
const nestingMax = 2;

/** What one request may hold. A txn has deletes without an upper end or puts, never both: etcd overlooks
 * that such a delete covers a put, ends when the put needs its key, and loses the put when it compacts at
 * that very revision. */
interface Liberties {
  readonly openDeletes: boolean;
  readonly puts: boolean;
}
const single: Liberties = { openDeletes: true, puts: true };

export class RandomSequence {
  #state: number;
  /** Where a compaction may still be sweeping: the hash there changes when it has finished. */
  #sweepingRevision = 0;
  /** The revision both stores are at, told by the caller after each step. */
  revision = 1;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): RandomStep {
    const draw = this.#below(100);
    if (draw < 30) return kv("Put", this.#put());
    if (draw < 42) return kv("DeleteRange", this.#deleteRange(single));
    if (draw < 65) return kv("Range", this.#range());
    if (draw < 86) return kv("Txn", this.#txn(0, this.#liberties()));
    if (draw < 89) return kv("Compact", this.#compact());
    if (draw < 93) return lease("LeaseGrant", { TTL: 600, ID: this.#lease() });
    if (draw < 95) return lease("LeaseRevoke", { ID: this.#lease() });
    if (draw < 97) return lease("LeaseTimeToLive", { ID: this.#lease(), keys: true });
    return { service: "Maintenance", name: "HashKV", request: this.#hash() };
  }

  #liberties(): Liberties {
    const openDeletes = this.#chance(20);
    return { openDeletes, puts: !openDeletes };
  }

  #put(): JsonObject {
    const request: JsonObject = { key: this.#key() };
    if (!this.#chance(15)) request.value = `v${this.#below(50)}`;
    if (this.#chance(20)) request.lease = this.#lease();
    if (this.#chance(30)) request.prev_kv = true;
    if (this.#chance(8)) request.ignore_value = true;
    if (this.#chance(8)) request.ignore_lease = true;
    return request;
  }

  #deleteRange(liberties: Liberties): JsonObject {
    const span = this.#span(35);
    if (!liberties.openDeletes && span.range_end === "\0") span.range_end = "zz";
    return { ...span, ...(this.#chance(40) ? { prev_kv: true } : {}) };
  }

  #range(): JsonObject {
    const request: JsonObject = this.#span(75);
    if (this.#chance(30)) request.limit = this.#below(6);
    if (this.#chance(40)) request.revision = this.#revision();
    // Key order only: among equal versions or values etcd's order is not defined.
    if (this.#chance(25)) request.sort_order = this.#pick(["NONE", "ASCEND", "DESCEND"]);
    if (this.#chance(20)) request.sort_target = this.#pick(["KEY", "KEY"]);
    if (this.#chance(15)) request.keys_only = true;
    if (this.#chance(15)) request.count_only = true;
    if (this.#chance(20)) request.serializable = true;
    for (const bound of ["min_mod", "max_mod", "min_create", "max_create"]) {
      if (this.#chance(6)) request[`${bound}_revision`] = this.#revision();
    }
    return request;
  }

  #txn(depth: number, liberties: Liberties): JsonObject {
    return {
      compare: this.#list(3, () => this.#compare()),
      success: this.#list(4, () => this.#operation(depth, liberties)),
      failure: this.#list(3, () => this.#operation(depth, liberties)),
    };
  }

  #operation(depth: number, liberties: Liberties): JsonObject {
    const draw = this.#below(10);
    if (draw < 4 && liberties.puts) return { request_put: this.#put() };
    if (draw < 6) return { request_delete_range: this.#deleteRange(liberties) };
    if (draw < 9 || depth === nestingMax) return { request_range: this.#range() };
    return { request_txn: this.#txn(depth + 1, liberties) };
  }

  #compare(): JsonObject {
    const compare: JsonObject = this.#chance(25) ? this.#span(100) : { key: this.#key() };
    compare.result = this.#pick(["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]);
    const target = this.#pick(["VERSION", "CREATE", "MOD", "VALUE", "LEASE"]);
    compare.target = target;
    if (target === "VERSION") compare.version = this.#below(4);
    if (target === "CREATE") compare.create_revision = this.#revision();
    if (target === "MOD") compare.mod_revision = this.#revision();
    if (target === "VALUE") compare.value = `v${this.#below(50)}`;
    if (target === "LEASE") compare.lease = this.#chance(50) ? 0 : this.#lease();
    return compare;
  }

  #compact(): JsonObject {
    const revision = Math.max(0, this.revision - this.#below(12) + 2);
    const physical = this.#chance(50);
    this.#sweepingRevision = physical ? 0 : revision;
    return { revision, ...(physical ? { physical } : {}) };
  }

  #hash(): JsonObject {
    const revision = this.#revision();
    return { revision: revision === this.#sweepingRevision ? revision + 1 : revision };
  }

  #span(rangePercent: number): JsonObject {
    const key = this.#key();
    if (!this.#chance(rangePercent)) return { key };
    if (this.#chance(15)) return { key, range_end: "\0" };
    if (this.#chance(10)) return { key: "\0", range_end: "\0" };
    return { key, range_end: this.#key() };
  }

  #key(): string {
    return this.#pick(keys);
  }

  #lease(): number {
    return this.#pick(leaseIds);
  }

  #revision(): number {
    return Math.max(-1, this.revision - this.#below(20) + 2);
  }

  #list<T>(lengthMax: number, make: () => T): T[] {
    return Array.from({ length: this.#below(lengthMax + 1) }, make);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  #chance(percent: number): boolean {
    return this.#below(100) < percent;
  }

  /** Mulberry32: enough for drawing requests, and the same everywhere. */
  #below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }
}

function kv(name: string, request: JsonObject): RandomStep {
  return { service: "KV", name, request };
}

function lease(name: string, request: JsonObject): RandomStep {
  return { service: "Lease", name, request };
}
