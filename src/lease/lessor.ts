/**
 * Leases: granted, revoked and checkpointed by the state machine, attached to keys by what it wrote, renewed
 * and expired by the leader's clock alone. Time is handed in; a follower keeps no expiry times at all.
 *
 * A time to live is a lower bound: a lease is never reported as expired early, and a new leader starts every
 * lease anew with its full time (or the checkpointed rest) plus an extension (etcd's promote). README.md says why
 * that holds across leaders.
 */

import { encodeLease, ProtoWriter } from "../api/index.ts";
import { assert } from "../base/assert.ts";
import { latin1Bytes, latin1Text } from "../base/bytes.ts";
import type { Database } from "../database/index.ts";
import { ExpiryQueue } from "./expiry-queue.ts";
import type { Lease } from "./lease.ts";
import { LeaseLoader } from "./lease-loader.ts";

export const LEASE_TTL_SECONDS_MAX = 9_000_000_000;

export type GrantProblem = "exists" | "ttl-too-large";

const QUEUE_SLACK = 1024;

export interface LessorOptions {
  /** The least time to live that is ever granted. */
  readonly ttlSecondsMin: number;
  /** Told of every lease that is granted, for metrics. */
  readonly granted?: (ttlSeconds: number) => void;
}

export class Lessor {
  readonly #database: Database;
  #leases: Map<bigint, Lease> = new Map();
  #leaseOfKey: Map<string, Lease> = new Map();
  readonly #queue = new ExpiryQueue();
  readonly #ttlSecondsMin: number;
  readonly #granted: (ttlSeconds: number) => void;
  #primary = false;

  constructor(database: Database, options: LessorOptions) {
    this.#database = database;
    this.#ttlSecondsMin = options.ttlSecondsMin;
    this.#granted = options.granted ?? (() => {});
    const loader = this.loaderOf(database);
    while (!loader.step(Number.POSITIVE_INFINITY));
    this.replaceBy(loader);
  }

  /** Reads the leases of a database, in steps; their keys are attached by whoever loads the store. */
  loaderOf(database: Database): LeaseLoader {
    return new LeaseLoader(database, this.#ttlSecondsMin);
  }

  /** Goes on with what was read. No lease expires until this member leads again. */
  replaceBy({ leases, leaseOfKey }: LeaseLoader): void {
    this.#leases = leases;
    this.#leaseOfKey = leaseOfKey;
    this.#queue.clear();
    this.#primary = false;
  }

  isPrimary(): boolean {
    return this.#primary;
  }

  count(): number {
    return this.#leases.size;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  grant(id: bigint, ttlSeconds: number, nowMs: number): Lease | GrantProblem {
    if (ttlSeconds > LEASE_TTL_SECONDS_MAX) return "ttl-too-large";
    if (this.#leases.has(id)) return "exists";
    const lease: Lease = {
      id,
      ttlSeconds: Math.max(ttlSeconds, this.#ttlSecondsMin),
      remainingTtlSeconds: 0,
      expiryMs: Infinity,
      revokeIndex: 0,
      checkpointIndex: 0,
      queuedMs: Infinity,
      keys: new Set(),
    };
    this.#leases.set(id, lease);
    this.#persist(lease);
    this.#granted(lease.ttlSeconds);
    if (this.#primary) this.#restart(lease, nowMs, 0);
    return lease;
  }

  /** Forgets a lease and its attachments. The caller deletes the keys, in the order of `sortedKeys`. */
  revoke(id: bigint): void {
    const lease = this.#leases.get(id);
    assert(lease !== undefined, `revoking an unknown lease ${id}`);
    for (const key of lease.keys) this.#leaseOfKey.delete(key);
    this.#leases.delete(id);
    this.#database.delete("lease", leaseKey(id));
  }

  /** The keys of a lease in byte order (latin1 text sorts as its bytes do). */
  sortedKeys(id: bigint): Uint8Array[] {
    const keys = [...(this.#leases.get(id)?.keys ?? [])].sort(compareText);
    return keys.map(latin1Bytes);
  }

  /** Binds a key to a lease (0n: to none), whatever it was bound to before. */
  attach(key: Uint8Array, id: bigint): void {
    if (id === 0n && this.#leaseOfKey.size === 0) return;
    const text = latin1Text(key);
    const before = this.#leaseOfKey.get(text);
    if (before !== undefined) {
      if (before.id === id) return;
      before.keys.delete(text);
      this.#leaseOfKey.delete(text);
    }
    if (id === 0n) return;
    const lease = this.#leases.get(id);
    assert(lease !== undefined, `attaching a key to an unknown lease ${id}`);
    lease.keys.add(text);
    this.#leaseOfKey.set(text, lease);
  }

  detach(key: Uint8Array): void {
    this.attach(key, 0n);
  }

  leaseOfKey(key: Uint8Array): bigint {
    if (this.#leaseOfKey.size === 0) return 0n;
    return this.#leaseOfKey.get(latin1Text(key))?.id ?? 0n;
  }

  /** This member leads from now on: every lease runs anew, extended by the time a leader may have been missing. */
  promote(nowMs: number, extendMs: number): void {
    this.#primary = true;
    this.#queue.clear();
    for (const lease of this.#leases.values()) {
      // What an earlier leadership of this member proposed is applied by now, or never will be.
      lease.revokeIndex = 0;
      lease.checkpointIndex = 0;
      this.#restart(lease, nowMs, extendMs);
    }
  }

  demote(): void {
    this.#primary = false;
    this.#queue.clear();
    for (const lease of this.#leases.values()) lease.expiryMs = Infinity;
  }

  /**
   * Whether a checkpoint of the lease stands, or is on its way: a leader that comes would grant no more than that,
   * so it has to be taken back through the log before a renewal may be promised.
   */
  isCheckpointed(lease: Lease, appliedIndex: number): boolean {
    return lease.remainingTtlSeconds > 0 || lease.checkpointIndex > appliedIndex;
  }

  /** Gives a lease its full time again; seconds granted, or undefined when it is unknown or already expired. */
  renew(id: bigint, nowMs: number): number | undefined {
    assert(this.#primary, "only the leader renews leases");
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.expiryMs <= nowMs) return undefined;
    assert(lease.remainingTtlSeconds === 0, `renewing the checkpointed lease ${id}`);
    this.#restart(lease, nowMs, 0);
    return lease.ttlSeconds;
  }

  /** Whole seconds left, cut towards zero as etcd does; the full time where no clock runs. */
  remainingSeconds(lease: Lease, nowMs: number): number {
    if (lease.expiryMs === Infinity) return lease.ttlSeconds;
    return Math.trunc((lease.expiryMs - nowMs) / 1000) + 0;
  }

  /** All leases, the one that expires first in front. */
  byExpiry(): Lease[] {
    return [...this.#leases.values()].sort((a, b) =>
      a.expiryMs === b.expiryMs ? 0 : a.expiryMs < b.expiryMs ? -1 : 1,
    );
  }

  /**
   * Ids whose time is up, at most `countMax`. They are due again after `retryMs`, in case that the revocation
   * is lost on its way.
   */
  takeExpired(nowMs: number, countMax: number, retryMs: number): bigint[] {
    const due: bigint[] = [];
    while (due.length < countMax && this.#queue.nextTimeMs() <= nowMs) {
      const timeMs = this.#queue.nextTimeMs();
      const lease = this.#leases.get(this.#queue.pop());
      // Revoked, or renewed meanwhile: its latest entry stands.
      if (lease === undefined || lease.queuedMs !== timeMs) continue;
      due.push(lease.id);
      this.#enqueue(lease, nowMs + retryMs);
    }
    return due;
  }

  /** An expired lease whose revocation could not be proposed: `takeExpired` reports it at that time. */
  expireAgain(id: bigint, timeMs: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) this.#enqueue(lease, timeMs);
  }

  nextExpiryMs(): number {
    return this.#queue.nextTimeMs();
  }

  /**
   * Leases of more than `ttlSecondsMin` and the seconds they have left, to be replicated as a checkpoint: rounded up,
   * so that a new leader is never early. Those are left out that lost no second since the last one.
   */
  remainders(nowMs: number, ttlSecondsMin: number): [Lease, number][] {
    const out: [Lease, number][] = [];
    for (const lease of this.#leases.values()) {
      const left = Math.ceil((lease.expiryMs - nowMs) / 1000);
      if (lease.ttlSeconds > ttlSecondsMin && left > 0 && left < fullSeconds(lease)) {
        out.push([lease, left]);
      }
    }
    return out;
  }

  checkpoint(id: bigint, remainingTtlSeconds: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.remainingTtlSeconds = remainingTtlSeconds;
    this.#persist(lease);
  }

  #restart(lease: Lease, nowMs: number, extendMs: number): void {
    lease.expiryMs = nowMs + fullSeconds(lease) * 1000 + extendMs;
    if (this.#queue.size > 2 * this.#leases.size + QUEUE_SLACK) this.#rebuildQueue();
    this.#enqueue(lease, lease.expiryMs);
  }

  #enqueue(lease: Lease, timeMs: number): void {
    lease.queuedMs = timeMs;
    this.#queue.push(timeMs, lease.id);
  }

  /** Drops outdated entries: every lease keeps its latest alone. */
  #rebuildQueue(): void {
    this.#queue.clear();
    for (const lease of this.#leases.values()) this.#queue.push(lease.queuedMs, lease.id);
  }

  #persist(lease: Lease): void {
    const writer = new ProtoWriter(32);
    encodeLease(writer, {
      ID: lease.id,
      TTL: lease.ttlSeconds,
      RemainingTTL: lease.remainingTtlSeconds,
    });
    this.#database.put("lease", leaseKey(lease.id), writer.finish());
  }
}

/** What a leader that comes grants: the whole time, or what a checkpoint left of it. */
function fullSeconds({ remainingTtlSeconds, ttlSeconds }: Lease): number {
  return remainingTtlSeconds > 0 ? remainingTtlSeconds : ttlSeconds;
}

function leaseKey(id: bigint): Uint8Array {
  const key = new Uint8Array(8);
  new DataView(key.buffer).setBigUint64(0, BigInt.asUintN(64, id));
  return key;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
