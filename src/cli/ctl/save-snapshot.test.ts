// A download that is not whole leaves nothing behind and does not touch an earlier file of that name.

import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FakeCall, FakeMember } from "../../client/testing/fake-member.ts";
import { runControl } from "./run-control.ts";

const directory = mkdtempSync(join(tmpdir(), "cairn-save-"));
afterEach(() => {
  for (const name of readdirSync(directory)) rmSync(join(directory, name));
});

const CONTENT = Buffer.alloc(100_000, "database ");
const DIGEST = createHash("sha256").update(CONTENT).digest();

async function save(answer: (call: FakeCall) => void): Promise<{ code: number; stderr: string }> {
  const member = await FakeMember.start((_name, _request, call) => answer(call));
  let stderr = "";
  const code = await runControl(
    ["snapshot", "save", join(directory, "s.db"), "--endpoints", member.endpoint],
    {},
    {
      stdin: (async function* () {})(),
      stdout: { write() {} },
      stderr: { write: (data) => (stderr += data) },
    },
  );
  member.stop();
  const plain = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  return { code, stderr: plain.join("\n") };
}

/** In pieces that cut the digest in two. */
function sendAll(call: FakeCall, digest: Uint8Array): void {
  call.send({ blob: CONTENT.subarray(0, 70_000), remaining_bytes: 30_032 });
  call.send({ blob: CONTENT.subarray(70_000), remaining_bytes: 32 });
  call.send({ blob: digest.subarray(0, 5) });
  call.send({ blob: digest.subarray(5) });
  call.finish(0);
}

test("a whole snapshot appears under its name, readable by its owner only", async () => {
  expect(await save((call) => sendAll(call, DIGEST))).toEqual({ code: 0, stderr: "" });
  expect(readdirSync(directory)).toEqual(["s.db"]);
  const bytes = readFileSync(join(directory, "s.db"));
  expect(bytes.equals(Buffer.concat([CONTENT, DIGEST]))).toBe(true);
  expect(statSync(join(directory, "s.db")).mode & 0o777).toBe(0o600);
});

test("a damaged snapshot is refused and an earlier one kept", async () => {
  writeFileSync(join(directory, "s.db"), "earlier");
  const { code, stderr } = await save((call) => sendAll(call, Buffer.alloc(32)));
  expect(code).toBe(5);
  expect(stderr).toContain("the snapshot arrived damaged: expected sha256 0000");
  expect(readdirSync(directory)).toEqual(["s.db"]);
  expect(readFileSync(join(directory, "s.db"), "utf8")).toBe("earlier");
});

test("a download that breaks off leaves nothing behind", async () => {
  const cut = await save((call) => {
    call.send({ blob: CONTENT, remaining_bytes: 32 });
    setImmediate(() => call.cut());
  });
  expect(cut.code).toBe(5);
  const refused = await save((call) => call.finish(7, "etcdserver: permission denied"));
  expect(refused).toEqual({ code: 5, stderr: "Error: etcdserver: permission denied" });
  const empty = await save((call) => call.finish(0));
  expect(empty.code).toBe(5);
  expect(readdirSync(directory)).toEqual([]);
});
