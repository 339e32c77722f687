import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeLeafPage } from "./leaf-page.ts";
import { Node } from "./node.ts";
import { PAGE_OVERHEAD_BYTES, type Page } from "./page.ts";
import { PageCache } from "./page-cache.ts";

function pageOf(pageId: number, pageCount = 1): Page {
  return encodeLeafPage(new Node(true), 0, 0, pageId, pageCount, 1024);
}

const cost = 1024 + PAGE_OVERHEAD_BYTES;

test("PageCache never exceeds its bound and never gives a wrong page", () => {
  const action = fc.record({
    kind: fc.constantFrom("put", "put", "get", "drop"),
    pageId: fc.nat(3000),
    pageCount: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 2000, size: "max" }), (list) => {
      const cache = new PageCache(600 * cost);
      const model = new Map<number, Page>();
      let expectedBytes = 0;
      for (const { kind, pageId, pageCount } of list) {
        if (kind === "put") {
          const page = pageOf(pageId, pageCount);
          cache.put(page);
          model.set(pageId, page);
        } else if (kind === "get") {
          const page = cache.get(pageId);
          if (page !== null && page !== model.get(pageId)) throw new Error(`wrong page ${pageId}`);
        } else {
          cache.drop(pageId);
          model.delete(pageId);
          if (cache.get(pageId) !== null) throw new Error("dropped but there");
        }
        if (cache.bytes > 600 * cost) throw new Error("over the bound");
      }
      let count = 0;
      for (const [pageId, page] of model) {
        const found = cache.get(pageId);
        if (found === null) continue;
        if (found !== page) throw new Error(`wrong page ${pageId}`);
        count++;
        expectedBytes += page.bytes.length + PAGE_OVERHEAD_BYTES;
      }
      expect(cache.count).toBe(count);
      expect(cache.bytes).toBe(expectedBytes);
    }),
    { numRuns: 30, includeErrorInReport: true },
  );
});

test("PageCache keeps what is used and does not keep what is larger than itself", () => {
  const cache = new PageCache(10 * cost);
  cache.put(pageOf(7));
  for (let pageId = 100; pageId < 400; pageId++) {
    cache.put(pageOf(pageId));
    expect(cache.get(7)).not.toBeNull();
  }
  cache.put(pageOf(8, 20));
  expect(cache.get(8)).toBeNull();
  expect(cache.get(7)).not.toBeNull();
  expect(cache.count).toBe(10);
});
