// Our etcdutl against the real one on the same files: snapshots of a real etcd and the database of a stopped one.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeWithReference, referenceProgram } from "../../../test/reference.ts";
import { type Member, startMember } from "../../../test/reference-etcd.ts";
import { utf8 } from "../../base/bytes.ts";
import { Client } from "../../client/index.ts";
import { BunClock, BunDisk } from "../../io/bun/index.ts";
import { normalOutput } from "../ctl/testing/normal-output.ts";
import { runUtility } from "./run-utility.ts";

const STARTUP_MS = 30_000;

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

async function ours(...args: readonly string[]): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const io = {
    stdin: (async function* () {})(),
    stdout: { write: (data: string | Uint8Array) => (stdout += data) },
    stderr: { write: (data: string | Uint8Array) => (stderr += data) },
  };
  const code = await runUtility(args, {}, io, new BunDisk());
  return { stdout: normalOutput(stdout), stderr: normalOutput(stderr), code };
}

function theirs(...args: readonly string[]): Outcome {
  const { stdout, stderr, status } = spawnSync(referenceProgram("etcdutl"), args, {
    encoding: "utf8",
  });
  return { stdout: normalOutput(stdout), stderr: normalOutput(stderr), code: status };
}

async function compare(...args: readonly string[]): Promise<Outcome> {
  const outcome = await ours(...args);
  expect({ args, ...outcome }).toEqual({ args, ...theirs(...args) });
  return outcome;
}

describeWithReference("etcdutl", () => {
  let member: Member;
  const file = (name: string) => join(member.directory, name);

  beforeAll(async () => {
    member = await startMember({ kind: "etcd" });
    const client = new Client({ clock: new BunClock(), endpoints: [member.endpoint] });
    for (let i = 0; i < 300; i++) {
      await client.kv.put({ key: utf8(`key${i % 70}`), value: new Uint8Array(i * 7) });
    }
    await client.kv.deleteRange({ key: utf8("key1"), range_end: utf8("key2") });
    await client.kv.compact({ revision: 100, physical: true });
    client.close();
    const save = ["snapshot", "save", file("whole.db")];
    const env = { ...process.env, ETCDCTL_ENDPOINTS: member.endpoint };
    expect(spawnSync(referenceProgram("etcdctl"), save, { env }).status).toBe(0);
    await member.stop();
    copyFileSync(join(member.dataDirectory, "member", "snap", "db"), file("raw.db"));
  }, STARTUP_MS);

  afterAll(() => member?.remove());

  test("snapshot status in every format", async () => {
    for (const name of ["whole.db", "raw.db"]) {
      for (const format of ["simple", "json", "fields", "table", "protobuf", "bogus"]) {
        await compare("snapshot", "status", file(name), "-w", format);
      }
    }
    expect((await compare("snap", "st", file("whole.db"))).stdout).toMatch(
      /^[0-9a-f]+, 302, [0-9]+, /,
    );
  });

  test("bad arguments", async () => {
    await compare("snapshot", "status");
    await compare("snapshot", "status", "a", "b");
    await compare("snapshot", "status", file("missing.db"));
    await compare("bogus");
    await compare("--bogus", "snapshot", "status", file("whole.db"));
    await compare("version");
    await compare("version", "-w", "json", "extra");
    expect((await ours("snapshot", "status", "--bogus")).code).toBe(1);
    expect((await ours("snapshot", "bogus")).code).toBe(0);
  });

  test("files that are no database are refused in one line", async () => {
    writeFileSync(file("small.db"), "hello\n");
    writeFileSync(file("empty.db"), "");
    writeFileSync(file("zeros.db"), new Uint8Array(32_768));
    for (const name of ["small.db", "empty.db", "zeros.db", "."]) {
      const { code, stdout, stderr } = await ours("snapshot", "status", file(name));
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toStartWith("Error: invalid database");
      expect(stderr.split("\n").length).toBe(2);
    }
  });

  // The real one reports such files as good or panics; a backup that cannot be restored must not look like one.
  test("a snapshot with one changed bit is refused, wherever the bit is", async () => {
    const bytes = readFileSync(file("whole.db"));
    for (let at = 5; at < bytes.length; at += 20_011) {
      const damaged = Uint8Array.from(bytes);
      damaged[at]! ^= 0x10;
      writeFileSync(file("damaged.db"), damaged);
      const { code, stdout } = await ours("snapshot", "status", file("damaged.db"));
      expect({ at, code, stdout }).toEqual({ at, code: 1, stdout: "" });
    }
  });
});
