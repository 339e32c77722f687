// The files the tidy tests look at.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { repositoryDirectory } from "../reference.ts";

export interface SourceFile {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** TypeScript below a folder (none where there is no such folder); `generated` and tests only when asked for. */
export function sourceFiles(folder: string, including: { tests?: boolean } = {}): SourceFile[] {
  const root = join(repositoryDirectory, folder);
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true })
    .map((name) => `${folder}/${String(name).split(sep).join("/")}`)
    .filter((path) => path.endsWith(".ts") && !path.startsWith("src/api/generated/"))
    .filter((path) => including.tests || !isTestSupport(path))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(repositoryDirectory, path), "utf8") }));
}

/** Tests and what only tests import, beside the code. */
export function isTestSupport(path: string): boolean {
  return /(\.(test|fuzz|bench)|-(fakes|model|cases))\.ts$/.test(path) || path.includes("/testing/");
}

/** What git knows, and new files it would take: text files only. */
export function trackedTextFiles(): SourceFile[] {
  const listed = Bun.spawnSync(["git", "ls-files", "-z"], { cwd: repositoryDirectory });
  const paths = listed.stdout.toString().split("\0");
  const files: SourceFile[] = [];
  for (const path of paths) {
    if (path === "") continue;
    const file = readOrNull(path);
    if (file !== null && !file.includes("\0")) files.push({ path, text: file });
  }
  return files;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(join(repositoryDirectory, path), "utf8");
  } catch {
    return null;
  }
}
