// The lessor against a model: who is due, what is attached, what survives a reload.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FaultDisk } from "../../test/disk/fault-disk.ts";
import { latin1Bytes } from "../base/bytes.ts";
import { Database } from "../database/index.ts";
import { ExpiryQueue } from "./expiry-queue.ts";
import { Lessor } from "./lessor.ts";

function openDatabase(): Database {
  const disk = new FaultDisk();
  disk.makeDirectory("/d");
  return Database.open({
    file: disk.open("/d/db", { create: true }),
    pageCacheBytes: 1 << 20,
    onFailure: (error) => {
      throw error;
    },
  });
}

function open(database = openDatabase()): { lessor: Lessor; database: Database } {
  return { lessor: new Lessor(database, { ttlSecondsMin: 2 }), database };
}

test("ExpiryQueue gives its entries in order of time", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50)), (times) => {
      const queue = new ExpiryQueue();
      for (const [i, time] of times.entries()) queue.push(time, BigInt(i));
      const out = times.map(() => {
        const next = queue.nextTimeMs();
        expect(times[Number(queue.pop())]).toBe(next);
        return next;
      });
      expect(out).toEqual([...times].sort((a, b) => a - b));
      expect(queue.nextTimeMs()).toBe(Number.POSITIVE_INFINITY);
    }),
  );
});

describe("Lessor", () => {
  test("grant raises short times, refuses taken ids and absurd times", () => {
    const { lessor } = open();
    lessor.promote(0, 0);
    expect(lessor.grant(1n, 0, 0)).toMatchObject({ ttlSeconds: 2 });
    expect(lessor.grant(1n, 5, 0)).toBe("exists");
    expect(lessor.grant(2n, 9_000_000_001, 0)).toBe("ttl-too-large");
  });

  test("takeExpired never reports early, and reports again after the retry time", () => {
    const { lessor } = open();
    lessor.promote(0, 0);
    lessor.grant(7n, 10, 1000);
    expect(lessor.takeExpired(10_999, 10, 500)).toEqual([]);
    expect(lessor.takeExpired(11_000, 10, 500)).toEqual([7n]);
    expect(lessor.takeExpired(11_400, 10, 500)).toEqual([]);
    expect(lessor.takeExpired(11_500, 10, 500)).toEqual([7n]);
    expect(lessor.renew(7n, 11_500)).toBeUndefined();
  });

  test("renew gives the full time again and outdates the earlier expiry", () => {
    const { lessor } = open();
    lessor.promote(0, 0);
    lessor.grant(7n, 10, 0);
    expect(lessor.renew(7n, 9_000)).toBe(10);
    expect(lessor.takeExpired(18_999, 10, 500)).toEqual([]);
    expect(lessor.takeExpired(19_000, 10, 500)).toEqual([7n]);
  });

  test("promote starts every lease anew with an extension; a checkpoint shortens it", () => {
    const { lessor } = open();
    lessor.grant(1n, 100, 0);
    lessor.grant(2n, 100, 0);
    lessor.checkpoint(2n, 30);
    lessor.promote(5000, 1000);
    expect(lessor.get(1n)?.expiryMs).toBe(106_000);
    expect(lessor.get(2n)?.expiryMs).toBe(36_000);
    expect(() => lessor.renew(2n, 6000)).toThrow("checkpointed");
    lessor.checkpoint(2n, 0);
    lessor.renew(2n, 6000);
    expect(lessor.get(2n)?.expiryMs).toBe(106_000);
    lessor.demote();
    expect(lessor.takeExpired(1e9, 10, 1)).toEqual([]);
  });

  test("the queue stays bounded under endless renewals", () => {
    const { lessor } = open();
    lessor.promote(0, 0);
    for (let id = 1n; id <= 10n; id++) lessor.grant(id, 60, 0);
    for (let i = 0; i < 10_000; i++) lessor.renew(BigInt(1 + (i % 10)), i);
    expect(lessor.takeExpired(1e9, 100, 1e9).length).toBe(10);
  });

  test("attachments follow a model, and leases survive a reload", () => {
    const key = fc.nat(5).map((n) => `key${n}`);
    const id = fc.nat(4).map(BigInt);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("attach", "revoke", "grant"), key, id)),
        (steps) => {
          const { lessor, database } = open();
          const model = new Map<bigint, Set<string>>();
          for (const [step, name, lease] of steps) {
            if (step === "grant" && lease !== 0n && !model.has(lease)) {
              lessor.grant(lease, 60, 0);
              model.set(lease, new Set());
            } else if (step === "attach" && (lease === 0n || model.has(lease))) {
              lessor.attach(latin1Bytes(name), lease);
              for (const keys of model.values()) keys.delete(name);
              model.get(lease)?.add(name);
            } else if (step === "revoke" && model.has(lease)) {
              lessor.revoke(lease);
              model.delete(lease);
            }
            for (const [leaseId, keys] of model) {
              const sorted = [...keys].sort().map(latin1Bytes);
              expect(lessor.sortedKeys(leaseId)).toEqual(sorted);
              for (const bound of sorted) expect(lessor.leaseOfKey(bound)).toBe(leaseId);
            }
          }
          const { lessor: reloaded } = open(database);
          expect(new Set(reloaded.byExpiry().map((lease) => lease.id))).toEqual(
            new Set(model.keys()),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});
