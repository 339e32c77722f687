// Files and functions stay small enough to be read at once.

import { expect, test } from "bun:test";
import { functionSizes } from "./function-sizes.ts";
import { sourceFiles } from "./source-files.ts";

const fileLinesMax = 400;
const functionLinesMax = 70;
/** Code is held to 100 by the formatter; this bounds comments too. */
const lineCharactersMax = 120;

/** Files that may be longer, with the reason. */
const longFiles: Readonly<Record<string, string>> = {};

test("functionSizes finds bodies of functions, methods and arrows only", () => {
  const source = [
    "function a(x: number): { y: number } {", // 1
    "  if (x) {", // 2
    "    return { y: 1 };", // 3
    "  }", // 4
    "}", // 5
    "class B {", // 6
    "  m(): void {", // 7
    "    for (const c of []) { c; }", // 8
    "  }", // 9
    "}", // 10
    "const d = (e: string) => {", // 11
    "  e;", // 12
    "};", // 13
    "interface F { g: number }", // 14
  ].join("\n");
  expect(functionSizes(source)).toEqual([
    { line: 1, lines: 5 },
    { line: 7, lines: 3 },
    { line: 11, lines: 3 },
  ]);
});

test(`files have at most ${fileLinesMax} lines`, () => {
  const wrong = [
    ...sourceFiles("src"),
    ...sourceFiles("build"),
    ...sourceFiles("test", { tests: true }),
  ]
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ path, lines }) => lines > fileLinesMax && longFiles[path] === undefined);
  expect(wrong.map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([]);
});

test(`functions have at most ${functionLinesMax} lines`, () => {
  const wrong = [...sourceFiles("src"), ...sourceFiles("build")].flatMap(({ path, text }) =>
    functionSizes(text)
      .filter(({ lines }) => lines > functionLinesMax)
      .map(({ line, lines }) => `${path}:${line}: ${lines} lines`),
  );
  expect(wrong).toEqual([]);
});

test(`lines have at most ${lineCharactersMax} characters`, () => {
  const wrong = sourceFiles("src").flatMap(({ path, text }) =>
    text
      .split("\n")
      .map((line, index) => ({ line, at: `${path}:${index + 1}` }))
      .filter(({ line }) => line.length > lineCharactersMax)
      .map(({ at }) => at),
  );
  expect(wrong).toEqual([]);
});
