import { expect, test } from "bun:test";
import { join } from "node:path";

test("generated codecs are what the .proto files give", () => {
  const root = join(import.meta.dir, "..");
  const run = Bun.spawnSync([process.execPath, join(root, "build", "generate-api.ts"), "--check"]);
  expect(run.stderr.toString()).toBe("");
  expect(run.exitCode).toBe(0);
});
