import { expect, test } from "bun:test";
import fc from "fast-check";
import { Freelist } from "./freelist.ts";
import { decodeFreelist, encodeFreelistPage, freelistPageCount } from "./freelist-page.ts";

/** The lowest run of `length` members, by trying every page. */
function lowestRun(free: Set<number>, length: number): number {
  for (let at = 2; at < 3000; at++) {
    let run = 0;
    while (run < length && free.has(at + run)) run++;
    if (run === length) return at;
  }
  return -1;
}

test("Freelist hands out the lowest run and gives dropped pages back in order", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("allocate" as const), count: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant("drop" as const), from: fc.integer({ min: 2, max: 2000 }) }),
    fc.record({ kind: fc.constant("release" as const), behind: fc.nat(3) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 120, size: "max" }), (list) => {
      const freelist = new Freelist();
      const free = new Set<number>();
      let pending: { transactionId: number; pages: number[] }[] = [];
      let transactionId = 1;
      for (let page = 2; page < 1000; page += 1 + (page % 3)) {
        freelist.addFree(page);
        free.add(page);
      }
      for (const step of list) {
        if (step.kind === "allocate") {
          const at = lowestRun(free, step.count);
          expect(freelist.allocate(step.count)).toBe(at);
          for (let i = 0; at >= 0 && i < step.count; i++) free.delete(at + i);
        } else if (step.kind === "drop") {
          transactionId++;
          const pages: number[] = [];
          for (let page = step.from; page < step.from + 60; page++) {
            const known = free.has(page) || pending.some((p) => p.pages.includes(page));
            expect(freelist.drop(page)).toBe(!known);
            if (!known) pages.push(page);
          }
          freelist.settle(transactionId, pages);
          pending.push({ transactionId, pages });
        } else {
          const until = transactionId - step.behind;
          freelist.release(until, (page) => free.add(page));
          for (const p of pending) {
            if (p.transactionId > until) continue;
            for (const page of p.pages) expect(free.has(page)).toBe(true);
          }
          pending = pending.filter((p) => p.transactionId > until);
        }
        expect(freelist.freePages).toBe(free.size);
        expect(freelist.pendingPages).toBe(pending.reduce((sum, p) => sum + p.pages.length, 0));
      }
    }),
    { numRuns: 60, includeErrorInReport: true },
  );
});

for (const count of [0, 1, 0xfffe, 0xffff, 0x10000, 200_000]) {
  test(`the freelist page keeps ${count} ids`, () => {
    const freelist = new Freelist();
    for (let n = 0; n < count; n++) freelist.addFree(2 + n * 2);
    const pageCount = freelistPageCount(count, 4096);
    const bytes = encodeFreelistPage(freelist, 5, pageCount, 4096);
    const file = new Uint8Array(5 * 4096 + bytes.length);
    file.set(bytes, 5 * 4096);
    const read = (length: number, position: number) => file.slice(position, position + length);
    const stored = decodeFreelist(read, 5, 4096, 500_000);
    if (typeof stored === "string") throw new Error(stored);
    expect(stored.pageCount).toBe(pageCount);
    expect(stored.ids.length).toBe(count);
    for (let n = 0; n < count; n++) if (stored.ids[n] !== 2 + n * 2) expect.unreachable(`id ${n}`);
    expect(bytes[10]! | (bytes[11]! << 8)).toBe(Math.min(count, 0xffff));
  });
}

test("Freelist finds a far run in a scattered list after some tries, each bounded", () => {
  const freelist = new Freelist();
  for (let n = 0; n < 200_000; n++) freelist.addFree(2 + n * 2);
  for (let page = 500_000; page < 500_010; page++) freelist.addFree(page);
  let tries = 1;
  while (freelist.allocate(10) !== 500_000) if (++tries > 100) expect.unreachable("not found");
  expect(tries).toBeGreaterThan(5);
});
