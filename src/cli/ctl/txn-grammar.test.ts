import { expect, test } from "bun:test";
import fc from "fast-check";
import { argumentOfBytes, bytesOfArgument, type CommandIo, goQuote } from "../output/index.ts";
import { splitWords } from "./split-words.ts";
import { parseCompare } from "./txn-compare.ts";
import { parseOperation } from "./txn-operation.ts";

const silent: CommandIo = {
  stdin: (async function* () {})(),
  stdout: { write() {} },
  stderr: { write() {} },
};

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 16 }),
  fc.string({ unit: "grapheme", maxLength: 10 }).map((text) => new TextEncoder().encode(text)),
);

test("quoted words come back as they were", () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { maxLength: 6 }), (words) => {
      const line = words.map(goQuote).join("  ");
      const read = splitWords(line)!.map((word) => [...bytesOfArgument(word)]);
      expect(read).toEqual(words.map((word) => [...word]));
    }),
  );
});

test("single quotes keep everything but themselves", () => {
  expect(splitWords("put 'a \"b\\n' '' c'd")).toEqual(["put", 'a "b\\n', "", "c'd"]);
  expect(splitWords("  a\tb  ")).toEqual(["a", "b"]);
  expect(splitWords('a "\\q"')).toBeNull();
});

test("a comparison keeps any key and value", () => {
  fc.assert(
    fc.property(
      anyBytes,
      anyBytes,
      fc.constantFrom("=", "!=", "<", ">"),
      (key, value, operator) => {
        const parsed = parseCompare(`val(${goQuote(key)}) ${operator} ${goQuote(value)}`);
        if ("failure" in parsed) throw new Error(parsed.failure);
        expect([...parsed.compare.key!]).toEqual([...key]);
        expect([...parsed.compare.value!]).toEqual([...value]);
      },
    ),
  );
});

test("comparisons of numbers and leases", () => {
  expect(parseCompare('ver("a") > "3"')).toMatchObject({
    compare: { version: 3, target: 0, result: 1 },
  });
  expect(parseCompare('create("a") != "4"')).toMatchObject({
    compare: { create_revision: 4, target: 1, result: 3 },
  });
  expect(parseCompare('m("a") < "5"')).toMatchObject({
    compare: { mod_revision: 5, target: 2, result: 2 },
  });
  expect(parseCompare('lease("a") = "1f"')).toMatchObject({
    compare: { lease: 31n, target: 4, result: 0 },
  });
  expect(parseCompare('ver("a") >= "3"')).toEqual({
    failure: 'malformed comparison: ver("a") >= "3" (unknown operator >=)',
  });
});

test("no line makes the parsers throw anything but an exit", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (text) => {
      parseCompare(text);
      parseCompare(`val("a${text}`);
      splitWords(text);
    }),
  );
});

test("an operation keeps any key and value", () => {
  fc.assert(
    fc.property(anyBytes, anyBytes, (key, value) => {
      const line = `put -- ${goQuote(key)} ${goQuote(value.length === 0 ? key : value)}`;
      const parsed = parseOperation(line, silent);
      if ("failure" in parsed) throw new Error(parsed.failure);
      expect(argumentOfBytes(parsed.operation.request_put!.key!)).toBe(argumentOfBytes(key));
    }),
  );
});
