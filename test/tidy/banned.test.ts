// Words that must not occur: the platform in the pure core, loose ends, places of one machine.

import { expect, test } from "bun:test";
import { pureFolders, shellFiles } from "./layers.ts";
import { isTestSupport, sourceFiles, trackedTextFiles } from "./source-files.ts";
import { codeOf, importsOf } from "./source-text.ts";

/** What a pure file may not name: time, chance, waiting and the platform come in as arguments. */
const impure: readonly RegExp[] = [
  /(?<![.\w])async\b/,
  /(?<![.\w])await\b/,
  /(?<![.\w])Promise\b/,
  /(?<![.\w])Date\b/,
  /(?<![.\w])performance\b/,
  /\bMath\.random\b/,
  /(?<![.\w])crypto\b/,
  /(?<![.\w])(?:set|clear)(?:Timeout|Interval|Immediate)\b/,
  /(?<![.\w])queueMicrotask\b/,
  /(?<![.\w])process\b(?!\s*[:(])/,
  /(?<![.\w])Bun\b/,
  /(?<![.\w])console\b/,
  /(?<![.\w])globalThis\b/,
];

test("pure folders name no time, chance, waiting or platform", () => {
  const wrong: string[] = [];
  for (const folder of pureFolders) {
    for (const { path, text } of sourceFiles(`src/${folder}`)) {
      if (shellFiles.some((each) => each.path.test(path))) continue;
      const lines = codeOf(text).split("\n");
      for (const [index, line] of lines.entries()) {
        for (const word of impure) {
          const found = word.exec(line);
          if (found) wrong.push(`${path}:${index + 1}: ${found[0]}`);
        }
      }
      for (const { from, line } of importsOf(text)) {
        if (/^(?:node:|bun)/.test(from)) wrong.push(`${path}:${line}: imports ${from}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

/** Written in two halves so that this file does not hold them. */
const looseEnds = new RegExp(
  `\\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\\b`,
);
const machinePlaces = new RegExp(
  [
    ["/wo", "rk/(?:main|shared|\\.library)"],
    ["/tmp", "/ref\\b"],
    ["/tmp", "/brief\\b"],
    ["/ho", "me/\\w+/"],
    ["/Us", "ers/\\w+/"],
    ["\\b(?:\\d{1,3}\\.){3}\\d{1,3}:\\d+/", "npm"],
  ]
    .map((halves) => halves.join(""))
    .join("|"),
);
const registries = new RegExp(
  ["registry\\.", 'npmjs|"resolved": ', '"http|artifactory|verdaccio'].join(""),
);

function linesWith(pattern: RegExp, only: (path: string) => boolean): string[] {
  return trackedTextFiles()
    .filter(({ path }) => only(path))
    .flatMap(({ path, text }) =>
      text
        .split("\n")
        .map((line, index) => ({ at: `${path}:${index + 1}`, found: pattern.exec(line) }))
        .filter(({ found }) => found !== null)
        .map(({ at, found }) => `${at}: ${found![0]}`),
    );
}

test("no loose ends", () => {
  expect(linesWith(looseEnds, (path) => /^(?:src|test|build|docs|tools)\//.test(path))).toEqual([]);
});

test("no place of one machine in any tracked file", () => {
  expect(linesWith(machinePlaces, () => true)).toEqual([]);
});

test("no host of a package registry in any tracked file", () => {
  expect(linesWith(registries, (path) => path !== "test/tidy/banned.test.ts")).toEqual([]);
});

/** The command `cairn util` and its files. */
const namedUtil = /^src\/cli\/util\//;

test("no folder named for nothing in particular", () => {
  const vague = /(?:^|\/)(?:utils?|common|helpers?|misc|lib)\//;
  expect(
    trackedTextFiles()
      .map(({ path }) => path)
      .filter((path) => vague.test(path) && !namedUtil.test(path)),
  ).toEqual([]);
});

test("files are kebab-case", () => {
  const wrong = sourceFiles("src", { tests: true })
    .filter(({ path }) => !/^[a-z0-9./-]+$/.test(path))
    .map(({ path }) => path);
  expect(wrong).toEqual([]);
});

test("named exports only", () => {
  const wrong = sourceFiles("src")
    .filter(({ path, text }) => !isTestSupport(path) && /^export default\b/m.test(codeOf(text)))
    .map(({ path }) => path);
  expect(wrong).toEqual([]);
});
