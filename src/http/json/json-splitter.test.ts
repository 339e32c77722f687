import { expect, test } from "bun:test";
import fc from "fast-check";
import { JsonSplitter } from "./json-splitter.ts";

test("objects come out whole however the text is cut", () => {
  const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(objects, fc.array(fc.nat(12)), (values, cuts) => {
      const texts = values.map((value) => JSON.stringify(value, null, 1));
      let rest = texts.join(" \n");
      const splitter = new JsonSplitter(1_000_000);
      const seen: string[] = [];
      for (const cut of cuts) {
        seen.push(...splitter.push(rest.slice(0, cut)));
        rest = rest.slice(cut);
      }
      seen.push(...splitter.push(rest));
      expect(seen).toEqual(texts);
      expect(splitter.ended).toBe(false);
    }),
  );
});

test("what is no object ends the text, and so does an object that is too long", () => {
  for (const rest of ["x", "[1]", '"a"', "}", ","]) {
    const splitter = new JsonSplitter(100);
    expect(splitter.push(`{"a":"}"}${rest}{}`)).toEqual(['{"a":"}"}']);
    expect([splitter.ended, splitter.push("{}")]).toEqual([true, []]);
  }
  const splitter = new JsonSplitter(10);
  expect(splitter.push(`{"a":"${"x".repeat(5)}`)).toEqual([]);
  expect([splitter.push("yyyy"), splitter.ended]).toEqual([[], true]);
});
