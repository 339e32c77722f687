// Answers of many megabytes through our own client: a list, a watch and a snapshot, more than any window.
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "../../src/base/bytes.ts";
import { Client } from "../../src/client/index.ts";
import { BunClock } from "../../src/io/bun/index.ts";
import { cairnCommand } from "../cairn-command.ts";
import { startMember } from "../reference-etcd.ts";

const KEYS = 600;
const VALUE_BYTES = 20_000;

test("our etcdctl takes lists, watches and snapshots of more than ten megabytes", async () => {
  const member = await startMember({ kind: "cairn" });
  const directory = mkdtempSync(join(tmpdir(), "cairn-large-"));
  try {
    const client = new Client({ endpoints: [member.endpoint], clock: new BunClock() });
    for (let i = 0; i < KEYS; i++) {
      const key = utf8(`k${String(i).padStart(4, "0")}`);
      await client.kv.put({ key, value: new Uint8Array(VALUE_BYTES).fill(97) });
    }
    client.close();
    const run = (...args: string[]) => {
      const [program = "", ...first] = cairnCommand("ctl");
      const endpoints = `--endpoints=${member.endpoint}`;
      return Bun.spawnSync([program, ...first, endpoints, ...args], { timeout: 20_000 });
    };
    const list = run("get", "k", "--prefix", "--print-value-only");
    expect(list.exitCode).toBe(0);
    expect(list.stdout.length).toBe(KEYS * (VALUE_BYTES + 1));
    const file = join(directory, "s.db");
    expect(run("snapshot", "save", file).exitCode).toBe(0);
    expect(statSync(file).size).toBeGreaterThan(KEYS * VALUE_BYTES);
    const [program = "", ...first] = cairnCommand("ctl");
    const watch = Bun.spawn(
      [program, ...first, `--endpoints=${member.endpoint}`, "watch", "k", "--prefix", "--rev=2"],
      { stdout: "pipe", stderr: "inherit" },
    );
    let bytes = 0;
    for await (const chunk of watch.stdout) {
      bytes += chunk.length;
      if (bytes >= KEYS * (VALUE_BYTES + 1)) break;
    }
    watch.kill();
    await watch.exited;
    expect(bytes).toBeGreaterThanOrEqual(KEYS * (VALUE_BYTES + 1));
  } finally {
    await member.remove();
    rmSync(directory, { recursive: true });
  }
}, 60_000);
