import { expect, test } from "bun:test";
import fc from "fast-check";
import { compareBytes, utf8 } from "../../base/bytes.ts";
import { TOMBSTONE_BIT } from "./entry-pool.ts";
import { KeyIndex } from "./key-index.ts";

/** The simplest thing that could be right: all revisions of a key in a list. */
class Model {
  readonly keys = new Map<string, { main: number; sub: number; dead: boolean }[]>();

  add(key: string, main: number, sub: number, dead: boolean): void {
    const list = this.keys.get(key) ?? [];
    list.push({ main, sub, dead });
    this.keys.set(key, list);
  }

  at(key: string, revision: number) {
    return this.keys.get(key)?.findLast((r) => r.main <= revision);
  }

  isLive(key: string): boolean {
    return this.keys.get(key)?.at(-1)?.dead === false;
  }

  compact(revision: number): void {
    for (const [key, list] of this.keys) {
      const at = list.findLastIndex((r) => r.main <= revision);
      if (at < 0) continue;
      const found = list[at]!;
      const kept = list.slice(found.dead && found.main < revision ? at + 1 : at);
      if (kept.length > 0) this.keys.set(key, kept);
      else this.keys.delete(key);
    }
  }

  range(from: string, to: string | undefined, revision: number): string[] {
    const keys = [...this.keys.keys()].filter((k) => k >= from && (to === undefined || k < to));
    return keys.filter((k) => this.at(k, revision)?.dead === false).sort();
  }
}

const OPEN = new Uint8Array([0]);
const text = (key: Uint8Array) => Buffer.from(key).toString("latin1");

function compare(index: KeyIndex, model: Model, from: string, to: string | undefined, rev: number) {
  const end = to === undefined ? OPEN : utf8(to);
  const keys: string[] = [];
  index.scan(utf8(from), end, true, (id) => {
    if (index.locateLive(id, rev)) {
      const key = text(index.copyKey(id));
      expect([index.foundMain, index.foundSub]).toEqual([
        model.at(key, rev)!.main,
        model.at(key, rev)!.sub,
      ]);
      keys.push(key);
    }
    return true;
  });
  expect(keys).toEqual(model.range(from, to, rev));
  expect(index.countLiveAt(utf8(from), end, rev)).toBe(keys.length);
}

function compareNewest(index: KeyIndex, model: Model, from: string, to: string | undefined) {
  const end = to === undefined ? OPEN : utf8(to);
  const wanted = model.range(from, to, Number.POSITIVE_INFINITY);
  const keys: string[] = [];
  index.scan(utf8(from), end, false, (id) => keys.push(text(index.copyKey(id))) > 0);
  expect(keys).toEqual(wanted);
  expect(index.countLive(utf8(from), end)).toBe(wanted.length);
}

/** A fresh index from the revisions of the model, as after a restart. */
function restored(model: Model, revision: number): KeyIndex {
  const index = new KeyIndex({ hashSeed: 8 });
  const all = [...model.keys].flatMap(([key, list]) => list.map((one) => ({ key, ...one })));
  all.sort((a, b) => a.main - b.main || (a.sub % TOMBSTONE_BIT) - (b.sub % TOMBSTONE_BIT));
  for (const { key, main, sub } of all) index.restore(utf8(key), main, sub, 1, 1, false);
  index.startToggles(revision);
  index.check();
  return index;
}

const keyName = fc.integer({ min: 0, max: 60 }).map((n) => `${"k/".repeat(n % 3)}${n}`);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), key: keyName }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), key: keyName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("same" as const), key: keyName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("compact" as const), back: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("read" as const),
      from: keyName,
      to: fc.option(keyName, { nil: undefined }),
      back: fc.nat(30),
    }),
  },
);

test("KeyIndex agrees with a list of revisions per key under puts, deletes and compactions", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      let index = new KeyIndex({ hashSeed: 7 });
      const model = new Model();
      let revision = 1;
      let compacted = 0;
      let sub = 0;
      for (const s of steps) {
        if (s.kind === "put" || s.kind === "same") {
          sub = s.kind === "same" && revision > 1 ? sub + 1 : 0;
          if (sub === 0) revision++;
          index.put(index.find(utf8(s.key)), utf8(s.key), revision, sub, false);
          model.add(s.key, revision, sub, false);
        } else if (s.kind === "delete") {
          if (!model.isLive(s.key)) continue;
          revision++;
          sub = 0;
          index.delete(index.find(utf8(s.key)), utf8(s.key), revision, 0);
          model.add(s.key, revision, TOMBSTONE_BIT, true);
        } else if (s.kind === "reopen") {
          index = restored(model, revision);
        } else if (s.kind === "compact") {
          compacted = Math.max(compacted, revision - s.back);
          const ids: number[] = [];
          index.scan(OPEN, OPEN, true, (id) => ids.push(id) > 0);
          for (const id of ids) index.prune(id, compacted);
          model.compact(compacted);
          index.check();
        } else {
          compare(index, model, s.from, s.to, Math.max(compacted, revision - s.back));
          compareNewest(index, model, s.from, s.to);
        }
      }
      index.check();
      let held = 0;
      for (const list of model.keys.values()) held += list.length;
      expect(index.revisionCount()).toBe(held);
      expect(index.keyCount()).toBe(model.keys.size);
    }),
    { numRuns: 150 },
  );
});

test("KeyIndex keeps order and totals over thousands of keys inserted and removed at random", () => {
  let seed = 12345;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const index = new KeyIndex({ hashSeed: 1 });
  const live = new Map<string, Uint8Array>();
  let revision = 1;
  const put = (name: string) => {
    const key = utf8(name);
    index.put(index.find(key), key, ++revision, 0, false);
    live.set(name, key);
  };
  for (let i = 0; i < 30_000; i++) put(`key/${String(i).padStart(7, "0")}`);
  for (let i = 0; i < 30_000; i++) put(`r${random(1e9)}`);
  index.check();
  const names = [...live.keys()];
  for (let i = 0; i < 55_000; i++) {
    const at = random(names.length);
    const name = names[at]!;
    names[at] = names.at(-1)!;
    names.pop();
    const id = index.find(live.get(name)!);
    index.delete(id, live.get(name)!, ++revision, 0);
    expect(index.prune(id, revision + 1)).toBe(false);
    expect(index.find(live.get(name)!)).toBe(0);
    if (i % 5000 === 0) index.check();
  }
  index.check();
  const left = names.map((n) => live.get(n)!).sort(compareBytes);
  const seen: Uint8Array[] = [];
  index.scan(OPEN, OPEN, false, (id) => seen.push(index.copyKey(id)) > 0);
  expect(seen).toEqual(left);
  for (let i = 0; i < left.length; i += 997) {
    expect(index.countLive(left[i]!, OPEN)).toBe(left.length - i);
  }
});

test("KeyIndex keeps keys of every length and reuses their room", () => {
  const index = new KeyIndex({ hashSeed: 3 });
  const lengths = [1, 5, 6, 7, 1000, 1023, 1024, 5000, 65534, 65535, 65536, 2_000_000];
  for (let round = 0; round < 3; round++) {
    const keys = lengths.map((length) => new Uint8Array(length).map((_, i) => i * 31 + round));
    let revision = 10 * (round + 1);
    for (const key of keys) index.put(0, key, ++revision, 0, false);
    for (const key of keys) expect(index.copyKey(index.find(key))).toEqual(key);
    index.check();
    for (const key of keys) {
      const id = index.find(key);
      index.delete(id, key, ++revision, 0);
      index.prune(id, revision + 1);
    }
    expect(index.keyCount()).toBe(0);
  }
  expect(index.allocatedBytes()).toBeLessThan(16 << 20);
});

test("KeyIndex finds any of thousands of revisions of one key and trims them", () => {
  const index = new KeyIndex({ hashSeed: 3 });
  const key = utf8("counter");
  for (let revision = 2; revision <= 5001; revision++) {
    index.put(index.find(key), key, revision, 0, false);
  }
  const id = index.find(key);
  expect(index.version(id)).toBe(5000);
  for (let revision = 2; revision <= 5001; revision += 7) {
    expect(index.locateLive(id, revision)).toBe(true);
    expect(index.foundMain).toBe(revision);
  }
  index.prune(id, 3000);
  expect(index.revisionCount()).toBe(2002);
  expect(index.locate(id, 2999)).toBe(false);
  expect(index.locate(id, 3000)).toBe(true);
  index.prune(id, 5001);
  expect(index.revisionCount()).toBe(1);
});

test("KeyIndex takes keys out and new ones in before all are in its hash", () => {
  const index = new KeyIndex({ hashSeed: 9 });
  const keys = Array.from({ length: 20_000 }, (_, i) => utf8(`key ${i * 7}`));
  keys.forEach((key, i) => {
    index.restore(key, i + 2, 0, i + 2, 1, false);
  });
  let revision = keys.length + 1;
  for (let i = 0; i < keys.length; i += 50) {
    // From both ends: behind the place that the hash has come to, and before it.
    const at = i % 100 === 0 ? keys.length - 1 - i : i;
    const id = index.find(keys[at]!);
    index.delete(id, keys[at]!, ++revision, 0);
    expect(index.prune(id, revision + 1)).toBe(false);
    if (i % 1000 === 0) index.check();
    keys[at] = utf8(`new ${i}`);
    if (i % 3 === 0) index.restore(keys[at]!, ++revision, 0, revision, 1, false);
    else expect(index.put(0, keys[at]!, ++revision, 0, false)).toBe(id);
    if (i % 700 === 0) index.check();
  }
  index.check();
  const ids = new Set(keys.map((key) => index.find(key)));
  expect(ids.has(0)).toBe(false);
  expect(ids.size).toBe(keys.length);
});
