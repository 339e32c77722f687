// Members that compare their data: a byte inside a stored value changes on one of three, which no file format sees. It
// does not start with the initial check; without it the leader finds it, and the alarm stops writes until it is
// repaired.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cairnCommand } from "../cairn-command.ts";
import { checkSameState } from "../cluster/cluster-checks.ts";
import type { ClusterMember } from "../cluster/cluster-member.ts";
import { ClusterProcesses, quickCluster } from "../cluster/cluster-processes.ts";
import { method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";
import { serverCommand } from "../reference-etcd.ts";
import { runProgram } from "./run-program.ts";

const LIMIT_MS = 60_000;
const CORRUPT_MESSAGE = "etcdserver: corrupt cluster";
const CHECKED = /finished peer corruption check","number-of-peers-checked":2/g;
const put = (value: string) => ({ key: "key", value });

let cluster: ClusterProcesses | null = null;
afterEach(async () => {
  await cluster?.remove();
  cluster = null;
});

async function startCluster(flags: readonly string[]): Promise<ClusterProcesses> {
  cluster = await ClusterProcesses.start({
    command: serverCommand("cairn"),
    size: 3,
    flags,
    ...quickCluster,
  });
  return cluster;
}

/** One letter of a value in the file of a stopped follower. */
function changeValue(member: ClusterMember, value: string): void {
  const path = join(member.dataDirectory, "member", "snap", "db");
  const bytes = readFileSync(path);
  let found = 0;
  for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + 1), found++) {
    bytes[at]! ^= 1;
  }
  expect(found).toBeGreaterThan(0);
  writeFileSync(path, bytes);
}

/** Writes, and stops a follower that has it. */
async function stopFollower(all: ClusterProcesses, value: string): Promise<ClusterMember> {
  await all.ask(method("KV", "Put"), put(value));
  const [member] = all.othersOf(await all.waitForLeader());
  await all.wait("the write", 10_000, async () => (await member!.status())?.revision === 2);
  await member!.terminate();
  return member!;
}

async function alarms(all: ClusterProcesses): Promise<JsonObject[]> {
  const answer = await all.ask(method("Maintenance", "Alarm"), {});
  return (answer.alarms ?? []) as JsonObject[];
}

async function waitForAlarm(all: ClusterProcesses, member: ClusterMember): Promise<void> {
  const id = (await member.status())!.memberId;
  await all.wait("an alarm", 20_000, async () => (await alarms(all)).length > 0);
  expect(await alarms(all)).toEqual([{ memberID: id, alarm: "CORRUPT" }]);
}

async function page(member: ClusterMember, path: string): Promise<string> {
  const answer = await fetch(`http://${member.endpoint}${path}`);
  return `${answer.status} ${await answer.text()}`;
}

/** What the alarm forbids, and what it does not. */
async function checkAlarm(all: ClusterProcesses): Promise<void> {
  const { client } = await all.waitForLeader();
  const forbidden: [string, string, JsonObject][] = [
    ["KV", "Put", put("new")],
    ["KV", "DeleteRange", { key: "key" }],
    ["KV", "Txn", { success: [{ request_put: put("new") }] }],
    ["KV", "Compact", { revision: "3" }],
    ["Lease", "LeaseGrant", { TTL: "60" }],
    ["Lease", "LeaseRevoke", { ID: "7" }],
  ];
  for (const [service, name, request] of forbidden) {
    const outcome = await client.unary(method(service, name), request);
    expect([name, outcome]).toMatchObject([name, { error: { details: CORRUPT_MESSAGE } }]);
  }
  const read = await client.unary(method("KV", "Range"), { key: "key" });
  expect(read).toMatchObject({ ok: { count: "1" } });
  for (const member of all.members) {
    expect(await page(member, "/health")).toContain(
      '503 {"health":"false","reason":"ALARM CORRUPT"}',
    );
    expect(await page(member, "/readyz")).toContain(
      "[-]data_corruption failed: alarm activated: CORRUPT",
    );
  }
}

async function repair(all: ClusterProcesses, member: ClusterMember): Promise<void> {
  const endpoints = all.othersOf(member).map(({ endpoint }) => endpoint);
  const { code, stdout, stderr } = await runProgram({
    cmd: [
      ...[...cairnCommand("util"), "repair", "--data-dir", member.dataDirectory],
      ...["--replace=database", "--from-peers", `--endpoints=${endpoints}`],
    ],
    limitMs: LIMIT_MS,
  });
  expect(code, `${stdout}${stderr}`).toBe(0);
}

describe("members that compare their data", () => {
  test(
    "a changed value keeps a member from starting, else raises the alarm until it is repaired",
    async () => {
      const all = await startCluster([
        "--experimental-initial-corrupt-check=true",
        "--experimental-corrupt-check-time=1s",
      ]);
      const member = await stopFollower(all, "the needle in the file");
      changeValue(member, "the needle in the file");
      member.spawn(all.flagsOf("new"));
      expect(await member.waitForEnd(15_000)).toBe(true);
      expect(member.ended).toEqual({ code: 1, signal: null });
      expect(member.log()).toContain("found different hash values from remote peer");
      expect(member.log()).toContain("found data inconsistency with peers");

      const unchecked = all.flagsOf("new").filter((flag) => !flag.includes("initial-corrupt"));
      member.spawn(unchecked);
      await all.wait("an answer", 15_000, async () => (await member.status()) !== null);
      await waitForAlarm(all, member);
      await checkAlarm(all);

      const [alarm] = await alarms(all);
      await member.terminate();
      await repair(all, member);
      member.spawn(all.flagsOf("new"));
      await all.wait("an answer", 15_000, async () => (await member.status()) !== null);
      await all.ask(method("Maintenance", "Alarm"), { action: "DEACTIVATE", ...alarm });
      await all.waitHealthy();
      await all.ask(method("KV", "Put"), put("new"));
      expect(await checkSameState(all)).toEqual([]);
      const checks = () => all.members.flatMap((each) => each.log().match(CHECKED) ?? []).length;
      const before = checks();
      await all.wait("two more checks", 15_000, async () => checks() >= before + 2);
      expect(await alarms(all)).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "what compactions left is compared, and the member that differs is named",
    async () => {
      const all = await startCluster([
        "--feature-gates=CompactHashCheck=true",
        "--compact-hash-check-time=1s",
      ]);
      const member = await stopFollower(all, "the needle in the file");
      changeValue(member, "the needle in the file");
      member.spawn(all.flagsOf("new"));
      await all.waitHealthy();
      await all.ask(method("KV", "Put"), put("newer"));
      await all.ask(method("KV", "Compact"), { revision: "2", physical: true });
      await waitForAlarm(all, member);
    },
    LIMIT_MS,
  );
});
