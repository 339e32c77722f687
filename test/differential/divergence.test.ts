import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { divergences } from "./divergence.ts";
import { divergenceDocument, documentPath } from "./divergence-document.ts";

test("docs/divergence.md says what the table says", () => {
  expect(readFileSync(documentPath, "utf8")).toBe(divergenceDocument());
});

test("every divergence has an id of its own and a reason", () => {
  expect(new Set(divergences.map((each) => each.id)).size).toBe(divergences.length);
  for (const each of divergences) expect(each.reason.length).toBeGreaterThan(10);
});
