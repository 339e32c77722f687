// Where the real etcd, etcdctl and etcdutl are that tests compare with. Asked by every test that needs
// them; nothing else knows the place. CAIRN_REFERENCE_DIR wins, then <repository>/.reference/bin.
//
// On a build server (CI is set) a missing reference fails the test; elsewhere the test is skipped,
// counted as skipped, and its name says why.

import { describe, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

export const repositoryDirectory = resolve(import.meta.dir, "..");

const referenceNames = ["etcd", "etcdctl", "etcdutl"] as const;
export type ReferenceName = (typeof referenceNames)[number];

/** The folder that holds etcd, etcdctl and etcdutl, or null when they are not here. */
export function referenceDirectory(): string | null {
  const named = process.env.CAIRN_REFERENCE_DIR;
  const directory = named ? resolve(named) : join(repositoryDirectory, ".reference", "bin");
  return referenceNames.every((name) => existsSync(join(directory, name))) ? directory : null;
}

/** The path of one reference program; throws when it is missing. */
export function referenceProgram(name: ReferenceName): string {
  const directory = referenceDirectory();
  if (directory === null) throw new Error(missingReferenceText);
  return join(directory, name);
}

const missingReferenceText =
  "the real etcd, etcdctl and etcdutl are neither in CAIRN_REFERENCE_DIR nor in .reference/bin";

/** `describe` for tests that compare with the real programs. */
export function describeWithReference(name: string, body: () => void): void {
  if (referenceDirectory() !== null) {
    describe(name, body);
    return;
  }
  if (process.env.CI) {
    test(`${name}: the reference is present`, () => {
      throw new Error(missingReferenceText);
    });
    return;
  }
  test.skip(`${name} (skipped: ${missingReferenceText})`, () => {});
}
