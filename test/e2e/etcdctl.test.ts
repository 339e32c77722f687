// The real etcdctl drives cairn, and ours drives the real etcd: both print, byte for byte but for ids and
// times, what the real etcdctl prints with the real etcd.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cairnExists } from "../cairn-command.ts";
import { GrpcClient, method } from "../differential/grpc-client.ts";
import type { JsonObject } from "../differential/plain.ts";
import { okOf } from "../differential/side.ts";
import { describeWithReference } from "../reference.ts";
import { type Member, type MemberKind, startMember } from "../reference-etcd.ts";
import { controlCommands } from "./control-commands.ts";
import { type ControlProgram, type ControlResult, ControlSession } from "./control-run.ts";

const listMilliseconds = 120_000;

async function identityOf(member: Member): Promise<{ clusterId: bigint; memberId: bigint }> {
  const client = new GrpcClient(member.endpoint);
  const answer = okOf(await client.unary(method("Maintenance", "Status"), {}));
  client.close();
  const header = answer.header as JsonObject;
  return {
    clusterId: BigInt(header.cluster_id as string),
    memberId: BigInt(header.member_id as string),
  };
}

interface ListRun {
  readonly results: readonly ControlResult[];
  /** What ended the list early: the server died. */
  readonly died: string;
}

async function runAll(kind: MemberKind, program: ControlProgram): Promise<ListRun> {
  const member = await startMember({ kind });
  try {
    const session = new ControlSession(program, member, await identityOf(member));
    const results: ControlResult[] = [];
    let ended = false;
    member.exited.then(() => {
      ended = true;
    });
    for (const command of controlCommands) {
      results.push(await session.run(command));
      if (ended) return { results, died: `at ${command.args.join(" ")}: ${member.log()}` };
    }
    return { results, died: "" };
  } finally {
    await member.remove();
  }
}

describeWithReference("etcdctl", () => {
  const compared: readonly [MemberKind, ControlProgram][] =
    process.env.CAIRN_SUBJECT === "reference"
      ? [["etcd", "reference"]]
      : [
          ["cairn", "reference"],
          ["etcd", "cairn"],
        ];
  let expected: readonly ControlResult[] = [];
  let found: readonly ListRun[] = [];
  beforeAll(async () => {
    const others = compared.map(([kind, program]) => runAll(kind, program));
    const [first, ...rest] = await Promise.all([runAll("etcd", "reference"), ...others]);
    expected = first!.results;
    found = rest;
  }, listMilliseconds);

  for (const [index, [kind, program]] of compared.entries()) {
    describe.skipIf(!cairnExists())(`${program} etcdctl with ${kind}`, () => {
      test("the server lives to the end", () => {
        expect(found[index]!.died).toBe("");
      });
      for (const [at, { args, stdin }] of controlCommands.entries()) {
        test(`${args.join(" ")}${stdin ? ` < ${JSON.stringify(stdin)}` : ""}`, () => {
          expect(found[index]!.results[at]).toEqual(expected[at]!);
        });
      }
    });
  }

  afterAll(() => {
    console.log(`etcdctl: ${controlCommands.length} commands compared`);
  });
});
