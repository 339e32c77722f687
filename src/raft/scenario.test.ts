// Each file in scenarios/ is a script with the trace it must give. RAFT_REWRITE=1 writes the traces
// anew: read the difference before you commit it.

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "./testing/scenario.ts";

const folder = join(import.meta.dir, "scenarios");

for (const name of readdirSync(folder).sort()) {
  test(`scenario ${name}`, () => {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    const played = replay(text);
    if (process.env.RAFT_REWRITE === "1") writeFileSync(path, played);
    else expect(played).toBe(text);
  });
}
