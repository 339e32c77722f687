import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryDirectory } from "../reference.ts";
import { sourceFiles } from "../tidy/source-files.ts";
import { fuzzers } from "./fuzzers.ts";

test("every fuzzer's file is there and reads the variable that makes it longer", () => {
  for (const { name, file, environment } of fuzzers) {
    const path = join(repositoryDirectory, file);
    expect({ name, exists: existsSync(path) }).toEqual({ name, exists: true });
    for (const variable of Object.keys(environment?.(1) ?? {})) {
      expect(readFileSync(path, "utf8")).toContain(variable);
    }
  }
});

test("every fuzz test and every test that a variable makes longer is in the table", () => {
  const listed = new Set(fuzzers.map(({ file }) => file));
  const missing = sourceFiles("src", { tests: true })
    .filter(
      ({ path, text }) => /fuzz\.test\.ts$/.test(path) || /CAIRN_\w+_(?:RUNS|SEEDS)/.test(text),
    )
    .filter(({ path }) => path.endsWith(".test.ts") && !listed.has(path));
  expect(missing.map(({ path }) => path)).toEqual([]);
});

test("names are unique", () => {
  expect(new Set(fuzzers.map(({ name }) => name)).size).toBe(fuzzers.length);
});
