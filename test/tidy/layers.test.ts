// Imports follow the table in layers.ts, types included; other folders are seen through their doors.

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { repositoryDirectory } from "../reference.ts";
import { exceptions, innerDoors, layers, openFolders } from "./layers.ts";
import { isTestSupport, sourceFiles } from "./source-files.ts";
import { type ImportOf, importsOf } from "./source-text.ts";

const readmeLinesMax = 60;

interface Found extends ImportOf {
  readonly path: string;
}

const found: Found[] = sourceFiles("src", { tests: true }).flatMap(({ path, text }) =>
  importsOf(text).map((each) => ({ ...each, path })),
);
const product = found.filter(({ path }) => !isTestSupport(path));

function folderOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function isExcepted(path: string, from: string): boolean {
  return exceptions.some((each) => each.path.test(path) && each.imports.test(from));
}

/** The file of src an import names, or null for a package. */
function targetOf({ path, from }: Found): string | null {
  return from.startsWith(".") ? join(dirname(path), from) : null;
}

function at({ path, line, from }: Found): string {
  return `${path}:${line} imports ${from}`;
}

test("every folder of src is a layer", () => {
  const folders = readdirSync(join(repositoryDirectory, "src"));
  expect(folders.filter((folder) => layers[folder] === undefined)).toEqual([]);
});

test("folders import only lower folders", () => {
  const wrong = product.filter((each) => {
    const target = targetOf(each);
    if (target === null) return false;
    const [from, to] = [folderOf(each.path), folderOf(target)];
    if (from === to || to === "base" || isExcepted(each.path, each.from)) return false;
    const use = layers[from]?.folders[to];
    return use === undefined || (use === "types" && !each.typeOnly);
  });
  expect(wrong.map(at)).toEqual([]);
});

test("imports stay inside src and name files", () => {
  const wrong = product.filter((each) => {
    const target = targetOf(each);
    return target !== null && !(target.startsWith("src/") && /\.(ts|json)$/.test(target));
  });
  expect(wrong.map(at)).toEqual([]);
});

test("packages and platform modules only where the table has them", () => {
  const wrong = product.filter((each) => {
    if (targetOf(each) !== null || isExcepted(each.path, each.from)) return false;
    const allowed = layers[folderOf(each.path)]?.packages ?? [];
    return !allowed.some((name) => each.from === name || each.from.startsWith(`${name}/`));
  });
  expect(wrong.map(at)).toEqual([]);
});

test("the platform of io is only named by the composition roots", () => {
  const wrong = product.filter((each) => {
    const isPlatform = targetOf(each)?.startsWith("src/io/bun/") ?? false;
    return isPlatform && !/^src\/(cli|io\/bun)\//.test(each.path);
  });
  expect(wrong.map(at)).toEqual([]);
});

test("other folders are imported through their index.ts", () => {
  const wrong = product.filter((each) => {
    const target = targetOf(each);
    if (target === null) return false;
    const to = folderOf(target);
    if (folderOf(each.path) === to || openFolders.has(to)) return false;
    return target !== `src/${to}/index.ts` && !innerDoors.has(target);
  });
  expect(wrong.map(at)).toEqual([]);
});

test("product files do not import tests", () => {
  const wrong = product.filter((each) => {
    const target = targetOf(each);
    return target !== null && (isTestSupport(target) || target.startsWith("test/"));
  });
  expect(wrong.map(at)).toEqual([]);
});

test("every folder has a short README and a door", () => {
  const wrong: string[] = [];
  for (const folder of Object.keys(layers)) {
    const root = join(repositoryDirectory, "src", folder);
    if (!sourceFiles(`src/${folder}`).length) continue;
    const readme = join(root, "README.md");
    if (!existsSync(readme)) wrong.push(`${folder} has no README.md`);
    else if (readFileSync(readme, "utf8").split("\n").length > readmeLinesMax + 1) {
      wrong.push(`${folder}/README.md is longer than ${readmeLinesMax} lines`);
    }
    const needsDoor = !openFolders.has(folder) && folder !== "cli";
    if (needsDoor && !existsSync(join(root, "index.ts"))) wrong.push(`${folder} has no index.ts`);
  }
  expect(wrong).toEqual([]);
});
