// `cairn util repair` on members of a real cluster: one is stopped, its database or its log is damaged, it refuses to
// start and names the command, is repaired from the others, starts with its usual flags and has everybody's data.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { cairnCommand } from "../cairn-command.ts";
import { checkSameState } from "../cluster/cluster-checks.ts";
import type { ClusterMember } from "../cluster/cluster-member.ts";
import { ClusterProcesses, quickCluster } from "../cluster/cluster-processes.ts";
import { method } from "../differential/grpc-client.ts";
import { serverCommand } from "../reference-etcd.ts";
import { runProgram } from "./run-program.ts";

const LIMIT_MS = 60_000;
/** The longer round. */
const everyPlace = Boolean(process.env.CAIRN_REPAIR_EVERY_PLACE);
const META_BYTES = 2 * 4096;

let cluster: ClusterProcesses;
let written = 0;

async function write(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const request = { key: `key-${written % 97}`, value: `value-${written}` };
    await cluster.ask(method("KV", "Put"), request);
    written++;
  }
}

/** Flips bits of every 512th byte from a position on, `count` times at most. */
function damage(path: string, from: number, count = Number.POSITIVE_INFINITY): void {
  const file = openSync(path, "r+");
  const { size } = fstatSync(file);
  const byte = new Uint8Array(1);
  for (let i = 0, at = from; i < count && at < size; i++, at += 512) {
    readSync(file, byte, 0, 1, at);
    byte[0]! ^= 0xff;
    writeSync(file, byte, 0, 1, at);
  }
  closeSync(file);
}

function walFiles(member: ClusterMember): string[] {
  const directory = join(member.dataDirectory, "member", "wal");
  const names = readdirSync(directory).filter((name) => name.endsWith(".wal"));
  return names.sort().map((name) => join(directory, name));
}

function databaseOf(member: ClusterMember): string {
  return join(member.dataDirectory, "member", "snap", "db");
}

interface Repaired {
  readonly code: number;
  readonly output: string;
}

async function repair(member: ClusterMember, ...flags: readonly string[]): Promise<Repaired> {
  const cmd = [...cairnCommand("util"), "repair", "--data-dir", member.dataDirectory, ...flags];
  const { code, stdout, stderr } = await runProgram({ cmd, limitMs: LIMIT_MS });
  return { code, output: `${stdout}${stderr}` };
}

function fromPeers(member: ClusterMember): string[] {
  const others = cluster.othersOf(member).map(({ endpoint }) => endpoint);
  return ["--from-peers", `--endpoints=${others.join()}`];
}

/** Its usual command, as it was started the first time. */
function start(member: ClusterMember): void {
  member.spawn(cluster.flagsOf("new"));
}

async function refusesToStart(member: ClusterMember): Promise<void> {
  const before = member.log().length;
  start(member);
  expect(await member.waitForEnd(15_000)).toBe(true);
  expect(member.ended).toEqual({ code: 1, signal: null });
  expect(member.log().slice(before)).toContain("cairn util repair");
}

async function startsWithAllData(member: ClusterMember): Promise<void> {
  start(member);
  await cluster.waitHealthy();
  await write(5);
  expect(await checkSameState(cluster)).toEqual([]);
}

describe("cairn util repair", () => {
  beforeAll(async () => {
    cluster = await ClusterProcesses.start({
      command: serverCommand("cairn"),
      size: 3,
      ...quickCluster,
      flags: ["--snapshot-count=100", "--snapshot-catchup-entries=20"],
    });
    await write(150);
  }, LIMIT_MS);
  afterAll(() => cluster?.remove());

  test(
    "a damaged database is fetched, whether the log reaches it or not",
    async () => {
      for (const writesMeanwhile of [0, 150]) {
        const member = cluster.member("m3");
        await member.terminate();
        await write(writesMeanwhile);
        const { output } = await repair(member);
        expect(output).toContain("nothing is damaged");
        expect(output).toMatch(/entries \d+ to \d+ of term [1-9]/);
        damage(databaseOf(member), META_BYTES);
        await refusesToStart(member);
        const found = await repair(member);
        expect(found.code).toBe(1);
        expect(found.output).toContain("the database is damaged");
        const repaired = await repair(member, ...fromPeers(member));
        expect(repaired).toMatchObject({ code: 0 });
        expect(repaired.output).toContain("fetched the database");
        await startsWithAllData(member);
      }
    },
    2 * LIMIT_MS,
  );

  test(
    "a damaged log means a new member in the old one's place",
    async () => {
      // At the first place the log does not tell any more who it is; the other is among what was applied
      // long ago: a start passes over it, the check does not.
      for (const at of everyPlace ? [0, 1] : [0]) {
        const member = cluster.members[at]!;
        const before = await member.status();
        await member.kill();
        await cluster.wait("a leader among the others", 10_000, async () => {
          const statuses = await Promise.all(cluster.othersOf(member).map((m) => m.status()));
          return statuses.every((status) => status !== null && status.leaderId !== "0");
        });
        damage(walFiles(member)[0]!, at === 0 ? 100 : 3000, 1);
        if (at === 0) await refusesToStart(member);
        expect((await repair(member)).output).toContain("the log is damaged");
        let repaired = await repair(member, ...fromPeers(member));
        if (at === 0) {
          expect(repaired.output).toContain("say so with --name");
          repaired = await repair(member, ...fromPeers(member), "--name", member.name);
        }
        expect(repaired).toMatchObject({ code: 0 });
        await startsWithAllData(member);
        const after = await member.status();
        expect(after!.memberId).not.toBe(before!.memberId);
        expect(await cluster.memberList()).toHaveLength(3);
      }
    },
    2 * LIMIT_MS,
  );

  test(
    "a running member, others that do not answer are refused; a whole database is replaced on request",
    async () => {
      const member = cluster.member("m2");
      expect((await repair(member)).output).toContain("is in use");
      await member.terminate();
      if (everyPlace) damage(databaseOf(member), META_BYTES);
      const replace = ["--replace=database", "--from-peers"];
      const away = await repair(member, ...replace, "--endpoints=127.0.0.1:1");
      expect(away.code).toBe(1);
      expect(away.output).toContain("no member answers");
      expect((await repair(member, ...replace, ...fromPeers(member))).code).toBe(0);
      await startsWithAllData(member);
    },
    LIMIT_MS,
  );
});
