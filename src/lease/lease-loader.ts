/**
 * Reads the leases of a database in steps, and takes the keys that are attached to them. Made for a lessor: at a start,
 * and beside the one that serves when a received snapshot is about to replace the state.
 */
import { decodeLease } from "../api/index.ts";
import { latin1Text } from "../base/bytes.ts";
import type { Cursor, Database } from "../database/index.ts";
import type { Lease } from "./lease.ts";

export class LeaseLoader {
  readonly leases = new Map<bigint, Lease>();
  readonly leaseOfKey = new Map<string, Lease>();
  readonly #cursor: Cursor;
  readonly #ttlSecondsMin: number;
  #isStarted = false;

  constructor(database: Database, ttlSecondsMin: number) {
    this.#cursor = database.cursor("lease");
    this.#ttlSecondsMin = ttlSecondsMin;
  }

  /** Reads up to `leasesMax` leases; true when all are read. */
  step(leasesMax: number): boolean {
    for (let left = leasesMax; left > 0; left--) {
      const found = this.#isStarted ? this.#cursor.next() : this.#cursor.first();
      this.#isStarted = true;
      if (!found) return true;
      this.#add(this.#cursor.value());
    }
    return false;
  }

  /** All leases are read; a key of a lease that is gone is bound to none. */
  attach(key: Uint8Array, leaseId: bigint): void {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return;
    const text = latin1Text(key);
    lease.keys.add(text);
    this.leaseOfKey.set(text, lease);
  }

  #add(value: Uint8Array): void {
    const stored = decodeLease(value);
    this.leases.set(stored.ID, {
      id: stored.ID,
      ttlSeconds: Math.max(stored.TTL, this.#ttlSecondsMin),
      remainingTtlSeconds: stored.RemainingTTL,
      expiryMs: Infinity,
      revokeIndex: 0,
      checkpointIndex: 0,
      queuedMs: Infinity,
      keys: new Set(),
    });
  }
}
