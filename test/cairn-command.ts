// How tests run cairn: the binary named by CAIRN_BINARY, else the compiled dist/cairn when it is newer
// than every source file, else the sources. One answer for all tests of a run.

import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { repositoryDirectory } from "./reference.ts";

/** The words of `cairn <role>`; etcdctl and etcdutl are the roles `ctl` and `util`. */
export type CairnRole = "server" | "ctl" | "util" | "bench" | "check";

const roleNames: Readonly<Record<string, CairnRole>> = {
  etcd: "server",
  etcdctl: "ctl",
  etcdutl: "util",
};

/** Program and first words that start cairn in this role; flags follow. */
export function cairnCommand(role: CairnRole): string[] {
  const binary = cairnBinary();
  if (binary === null) {
    return [process.execPath, join(repositoryDirectory, "src", "cli", "main.ts"), role];
  }
  if (roleNames[basename(binary)] === undefined) return [binary, role];
  const sibling = join(dirname(binary), "cairn");
  return existsSync(sibling) ? [sibling, role] : [binary];
}

/** Whether there is anything to run yet. */
export function cairnExists(): boolean {
  return cairnBinary() !== null || existsSync(join(repositoryDirectory, "src", "cli", "main.ts"));
}

/** The compiled program that tests use, or null when they run the sources. */
export function cairnBinary(): string | null {
  if (process.env.CAIRN_BINARY) return resolve(process.env.CAIRN_BINARY);
  const compiled = join(repositoryDirectory, "dist", "cairn");
  return existsSync(compiled) && isFresh(compiled) ? compiled : null;
}

function isFresh(program: string): boolean {
  const built = statSync(program).mtimeMs;
  const sources = readdirSync(join(repositoryDirectory, "src"), { recursive: true });
  return sources.every(
    (name) => statSync(join(repositoryDirectory, "src", String(name))).mtimeMs <= built,
  );
}
