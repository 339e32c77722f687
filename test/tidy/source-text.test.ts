import { expect, test } from "bun:test";
import { codeOf, importsOf } from "./source-text.ts";

test("codeOf blanks comments, strings and regular expressions, and keeps lines", () => {
  expect(codeOf('a; // b\n"c" + d')).toBe("a;     \n    + d");
  expect(codeOf("/* {\n */ x")).toBe("    \n    x");
  expect(codeOf("x = /[/{]}/g.test(y)")).toBe("x =        g.test(y)");
  expect(codeOf("a / b / c")).toBe("a / b / c");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text under test is a template
  expect(codeOf("`{${ f({}) }{`")).toBe("     f({})   ".padEnd(14));
  expect(codeOf("'it\\'s' + x")).toBe("        + x");
});

test("importsOf finds every form and knows types", () => {
  const found = importsOf(
    [
      'import { a, type B } from "./one.ts";',
      'import type { C } from "./two.ts";',
      'import { type D, type E } from "./three.ts";',
      'export * from "./four.ts";',
      'export type { F } from "./five.ts";',
      'import "./six.ts";',
      'const late = await import("./seven.ts");',
      '// import { no } from "./comment.ts";',
      "import {\n  g,\n  h,\n} from './eight.ts';",
      'import * as all from "nine";',
    ].join("\n"),
  );
  expect(found.map(({ from, typeOnly }) => [from, typeOnly])).toEqual([
    ["./one.ts", false],
    ["./two.ts", true],
    ["./three.ts", true],
    ["./four.ts", false],
    ["./five.ts", true],
    ["./eight.ts", false],
    ["nine", false],
    ["./six.ts", false],
    ["./seven.ts", false],
  ]);
});
