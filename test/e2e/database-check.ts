// Whether a bbolt file is whole: by our own check, and by bbolt's where the real etcdutl is here.

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TreeCheck, TreeFile } from "../../src/bbolt/index.ts";
import { BunDisk } from "../../src/io/bun/index.ts";
import { referenceDirectory } from "../reference.ts";

const pageCacheBytes = 16 * 1024 * 1024;

/** What is wrong with a file no process has open, in words; empty when it is whole. */
export async function checkDatabase(path: string): Promise<string[]> {
  return [...ownCheck(path), ...referenceCheck(path)];
}

function ownCheck(path: string): string[] {
  const file = new BunDisk().open(path, { readOnly: true });
  const tree = TreeFile.open(file, { readOnly: true, pageCacheBytes });
  const read = tree.beginRead();
  const problems = new TreeCheck(read).run();
  read.close();
  tree.close();
  return problems;
}

/** `etcdutl snapshot status` runs bbolt's consistency check; on a copy, since it opens for writing. */
function referenceCheck(path: string): string[] {
  const directory = referenceDirectory();
  if (directory === null) return [];
  const copies = mkdtempSync(join(tmpdir(), "cairn-check-"));
  try {
    const copy = join(copies, "db");
    copyFileSync(path, copy);
    const run = Bun.spawnSync([join(directory, "etcdutl"), "snapshot", "status", copy]);
    return run.exitCode === 0 ? [] : [`etcdutl snapshot status: ${run.stderr.toString()}`];
  } finally {
    rmSync(copies, { recursive: true });
  }
}
