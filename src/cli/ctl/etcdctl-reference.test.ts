// Our etcdctl against the real one: the same invocations, each against a real etcd of its own, step by step. The two
// servers have the same cluster and member ids, so what remains different is normalised: times, ports, lease ids.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithReference } from "../../../test/reference.ts";
import { type Member, startMember } from "../../../test/reference-etcd.ts";
import * as lists from "./testing/invocations.ts";
import {
  type Invocation,
  type Outcome,
  runOurs,
  runReference,
} from "./testing/reference-program.ts";

const PEER_URL = "http://127.0.0.1:23899";
const STARTUP_MS = 30_000;

describeWithReference("etcdctl", () => {
  let reference: Member;
  let ours: Member;
  const directory = mkdtempSync(join(tmpdir(), "cairn-ctl-"));
  const home = process.cwd();
  let count = 0;

  beforeAll(async () => {
    const flags = [
      ...["--initial-advertise-peer-urls", PEER_URL],
      ...["--initial-cluster", `m1=${PEER_URL}`],
    ];
    const start = () => startMember({ kind: "etcd", flags });
    [reference, ours] = await Promise.all([start(), start()]);
    process.chdir(directory);
  }, STARTUP_MS);

  afterAll(async () => {
    process.chdir(home);
    rmSync(directory, { recursive: true });
    await Promise.all([reference?.remove(), ours?.remove()]);
    console.log(`etcdctl: ${count} invocations compared`);
  });

  async function both(invocation: Invocation): Promise<{ expected: Outcome; actual: Outcome }> {
    const [expected, actual] = await Promise.all([
      runReference({ ...invocation, directory }, reference.endpoint),
      runOurs(invocation, ours.endpoint),
    ]);
    count++;
    return { expected, actual };
  }

  function compareAll(
    name: string,
    rows: readonly Parameters<typeof lists.invocationOf>[0][],
  ): void {
    test(name, async () => {
      const outcomes: { ours: unknown[]; theirs: unknown[] } = { ours: [], theirs: [] };
      for (const row of rows) {
        const invocation = lists.invocationOf(row);
        const { expected, actual } = await both(invocation);
        if (Bun.deepEquals(expected, actual)) continue;
        outcomes.ours.push({ row, ...actual });
        outcomes.theirs.push({ row, ...expected });
      }
      expect(outcomes.ours).toEqual(outcomes.theirs);
    });
  }

  compareAll("keys and values", lists.KEY_VALUE);
  compareAll("bad arguments", lists.BAD_ARGUMENTS);
  compareAll("transactions", lists.TRANSACTIONS);

  // Before any lease: lease ids are random and go into the hashes.
  compareAll("members and maintenance", lists.CLUSTER);

  test("bad flags", async () => {
    for (const row of lists.BAD_FLAGS) {
      const { expected, actual } = await both({ args: row.split(" ") });
      expect({ row, stderr: actual.stderr, code: actual.code }).toEqual({
        row,
        stderr: expected.stderr,
        code: expected.code,
      });
      expect(actual.stdout.slice(0, 6)).toBe(expected.stdout.slice(0, 6));
    }
  });

  test("leases", async () => {
    for (const row of lists.LEASES) {
      const [expected, actual] = await Promise.all([
        runReference(await withLease(row, reference), reference.endpoint),
        runOurs(await withLease(row, ours), ours.endpoint),
      ]);
      count++;
      expect({ row, ...actual }).toEqual({ row, ...expected });
    }
  });
});

const lastLeases = new Map<Member, string>();

/** Fills in the lease that a row means. */
async function withLease(
  row: Parameters<typeof lists.invocationOf>[0],
  member: Member,
): Promise<Invocation> {
  const invocation = lists.invocationOf(row);
  if (!invocation.args.includes("LEASE")) return invocation;
  let id = lastLeases.get(member);
  if (id === undefined) {
    // A grant of our own, over JSON, because ids are normalised in outcomes.
    const answer = await fetch(`${member.url}/v3/lease/grant`, {
      method: "POST",
      body: '{"TTL":"600"}',
    });
    id = BigInt(((await answer.json()) as { ID: string }).ID).toString(16);
    lastLeases.set(member, id);
  }
  return { ...invocation, args: invocation.args.map((arg) => (arg === "LEASE" ? id : arg)) };
}
