// The same invocations by two programs, each against a server of its own, step by step: our etcdctl and the real one
// against real etcds, then the real one and ours against cairn. The servers of a pair have the same cluster and member
// ids, so what remains different is normalised: times, ports, sizes of files, lease ids.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cairnExists } from "../../../test/cairn-command.ts";
import { describeWithReference } from "../../../test/reference.ts";
import { type Member, type MemberKind, startMember } from "../../../test/reference-etcd.ts";
import * as lists from "./testing/invocations.ts";
import {
  type Invocation,
  type Outcome,
  runOurs,
  runReference,
} from "./testing/reference-program.ts";

const PEER_URL = "http://127.0.0.1:23899";
const STARTUP_MS = 30_000;
const TEST_MS = 60_000;

type Row = Parameters<typeof lists.invocationOf>[0];
type Runner = (invocation: Invocation, endpoint: string) => Promise<Outcome>;

/** What is compared with the real etcdctl on a real etcd. */
interface Subject {
  readonly name: string;
  readonly server: MemberKind;
  readonly run: Runner;
}

function compareSubject(subject: Subject, tests: Readonly<Record<string, readonly Row[]>>): void {
  describe(subject.name, () => {
    let reference: Member;
    let tested: Member;
    let count = 0;
    const leases = new Map<Member, string>();
    const directories = [0, 1].map(() => mkdtempSync(join(tmpdir(), "cairn-ctl-")));
    const home = process.cwd();

    beforeAll(async () => {
      const urls = ["--initial-advertise-peer-urls", PEER_URL];
      const flags = [...urls, "--initial-cluster", `m1=${PEER_URL}`];
      [reference, tested] = await Promise.all([
        startMember({ kind: "etcd", flags }),
        startMember({ kind: subject.server, flags }),
      ]);
      process.chdir(directories[1]!);
    }, STARTUP_MS);

    afterAll(async () => {
      process.chdir(home);
      for (const directory of directories) rmSync(directory, { recursive: true });
      await Promise.all([reference?.remove(), tested?.remove()]);
      console.log(`${subject.name}: ${count} invocations compared`);
    });

    async function outcomeOf(run: Runner, row: Row, member: Member, at: number): Promise<Outcome> {
      const invocation = await withLease(lists.invocationOf(row), member, leases);
      return run({ ...invocation, directory: directories[at] }, member.endpoint);
    }

    async function compareRows(rows: readonly Row[]): Promise<void> {
      const ours: unknown[] = [];
      const theirs: unknown[] = [];
      const compareRow = async (row: Row) => {
        const [expected, actual] = await Promise.all([
          outcomeOf(runReference, row, reference, 0),
          outcomeOf(subject.run, row, tested, 1),
        ]);
        count++;
        if (Bun.deepEquals(expected, actual)) return;
        ours.push({ row, ...actual });
        theirs.push({ row, ...expected });
      };
      // Rows that change nothing may run side by side.
      const width = UNORDERED.has(rows) ? SIDE_BY_SIDE : 1;
      for (let i = 0; i < rows.length; i += width) {
        await Promise.all(rows.slice(i, i + width).map(compareRow));
      }
      expect(ours).toEqual(theirs);
    }

    for (const [name, rows] of Object.entries(tests)) {
      test(name, () => compareRows(rows), TEST_MS);
    }
  });
}

const UNORDERED: ReadonlySet<readonly Row[]> = new Set([lists.BAD_ARGUMENTS, lists.BAD_FLAGS]);
const SIDE_BY_SIDE = 8;

/** Fills in the lease that a row means. */
async function withLease(
  invocation: Invocation,
  member: Member,
  leases: Map<Member, string>,
): Promise<Invocation> {
  if (!invocation.args.includes("LEASE")) return invocation;
  let id = leases.get(member);
  if (id === undefined) {
    // A grant of our own, over JSON, because ids are normalised in outcomes.
    const body = '{"TTL":"600"}';
    const answer = await fetch(`${member.url}/v3/lease/grant`, { method: "POST", body });
    id = BigInt(((await answer.json()) as { ID: string }).ID).toString(16);
    leases.set(member, id);
  }
  return { ...invocation, args: invocation.args.map((arg) => (arg === "LEASE" ? id : arg)) };
}

/** Standard output is help there, whose words are our own. */
const withoutOutput: Runner = async (invocation, endpoint) => {
  const { stderr, code } = await runOurs(invocation, endpoint);
  return { stdout: (await runReference(invocation, endpoint)).stdout, stderr, code };
};

describeWithReference("etcdctl", () => {
  compareSubject(
    { name: "our etcdctl on etcd", server: "etcd", run: runOurs },
    {
      "keys and values": lists.KEY_VALUE,
      "bad arguments": lists.BAD_ARGUMENTS,
      transactions: lists.TRANSACTIONS,
      // Before any lease: lease ids are random and go into the hashes.
      "members and maintenance": lists.CLUSTER,
      leases: lists.LEASES,
    },
  );
  compareSubject(
    { name: "bad flags of our etcdctl", server: "etcd", run: withoutOutput },
    { "bad flags": lists.BAD_FLAGS },
  );
  if (!cairnExists()) return;
  const maintenance = {
    maintenance: lists.MAINTENANCE,
    leases: lists.LEASES,
    defragmentation: lists.DEFRAG,
  };
  compareSubject(
    { name: "the real etcdctl on cairn", server: "cairn", run: runReference },
    { "keys and values": lists.KEY_VALUE, transactions: lists.TRANSACTIONS, ...maintenance },
  );
  // Keys and transactions follow from the two above.
  compareSubject({ name: "our etcdctl on cairn", server: "cairn", run: runOurs }, maintenance);
});
