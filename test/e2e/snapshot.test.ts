// A snapshot that the real etcdctl takes from cairn: the real etcdutl finds it whole, restores it, and a
// real etcd started on the result serves the same keys, history and leases.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cairnExists } from "../cairn-command.ts";
import { GrpcClient, method } from "../differential/grpc-client.ts";
import type { Json, JsonObject } from "../differential/plain.ts";
import { okOf } from "../differential/side.ts";
import { describeWithReference, referenceProgram } from "../reference.ts";
import { freePort, type Member, startMember } from "../reference-etcd.ts";

const everything = { key: "\0", range_end: "\0" };
const testMilliseconds = 60_000;
const writesOfLease = 3;

async function fill(client: GrpcClient): Promise<void> {
  const call = async (service: string, name: string, request: JsonObject) =>
    okOf(await client.unary(method(service, name), request));
  await call("Lease", "LeaseGrant", { TTL: 3000, ID: 99 });
  for (let index = 0; index < 300; index++) {
    const lease = index < writesOfLease ? 99 : 0;
    const value = `${index}`.repeat(1 + (index % 200));
    await call("KV", "Put", { key: `k/${index % 120}`, value, lease });
  }
  await call("KV", "DeleteRange", { key: "k/5", range_end: "k/6" });
  await call("KV", "Compact", { revision: 100, physical: true });
  await call("KV", "Put", { key: "last", value: "after the compaction" });
}

/** What clients can see of keys, history and leases; ids and terms are left out. */
async function visible(client: GrpcClient, revisions: readonly number[]): Promise<Json> {
  const answers: Json[] = [];
  for (const revision of revisions) {
    const range = okOf(await client.unary(method("KV", "Range"), { ...everything, revision }));
    const hash = okOf(await client.unary(method("Maintenance", "HashKV"), { revision }));
    answers.push({ kvs: range.kvs ?? null, count: range.count ?? null, hash: hash.hash ?? null });
  }
  const lease = okOf(
    await client.unary(method("Lease", "LeaseTimeToLive"), { ID: 99, keys: true }),
  );
  answers.push([lease.grantedTTL ?? null, ((lease.keys ?? []) as string[]).toSorted()]);
  const now = okOf(await client.unary(method("KV", "Range"), { ...everything, count_only: true }));
  answers.push((now.header as JsonObject).revision ?? null);
  return answers;
}

function run(program: "etcdctl" | "etcdutl", ...args: string[]): string {
  const done = Bun.spawnSync([referenceProgram(program), ...args], {
    env: { PATH: process.env.PATH ?? "" },
  });
  if (done.exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout.toString();
}

describeWithReference("snapshot from cairn to etcd", () => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-snapshot-"));
  const members: Member[] = [];
  afterAll(async () => {
    await Promise.all(members.map((member) => member.remove()));
    rmSync(directory, { recursive: true, force: true });
  });

  describe.skipIf(!cairnExists())("restored", () => {
    test(
      "etcdutl finds it whole, etcd serves the same",
      async () => {
        const source = await startMember({ kind: "cairn" });
        members.push(source);
        const client = new GrpcClient(source.endpoint);
        await fill(client);
        const revisions = [100, 150, 200, 303, 0];
        const expected = await visible(client, revisions);
        client.close();

        const file = join(directory, "snapshot.db");
        const saved = run("etcdctl", `--endpoints=${source.endpoint}`, "snapshot", "save", file);
        expect(saved).toBe(`Snapshot saved at ${file}\n`);
        expect(statSync(file).size % 512).toBe(32);
        const status = JSON.parse(run("etcdutl", "snapshot", "status", file, "-w", "json"));
        expect(status.revision).toBe(303);

        const data = join(directory, "data");
        const ports = { client: await freePort(), peer: await freePort() };
        run(
          "etcdutl",
          ...["snapshot", "restore", file, "--data-dir", data, "--name", "m1"],
          ...["--initial-cluster", `m1=http://127.0.0.1:${ports.peer}`],
          ...["--initial-advertise-peer-urls", `http://127.0.0.1:${ports.peer}`],
        );
        const restored = await startMember({ kind: "etcd", directory, ports });
        members.push(restored);
        const second = new GrpcClient(restored.endpoint);
        expect(await visible(second, revisions)).toEqual(expected);
        okOf(await second.unary(method("KV", "Put"), { key: "new", value: "written by etcd" }));
        second.close();
      },
      testMilliseconds,
    );
  });
});
