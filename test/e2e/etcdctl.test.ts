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

async function runAll(kind: MemberKind, program: ControlProgram): Promise<ControlResult[]> {
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
      if (ended) throw new Error(`${kind} ended at ${command.args.join(" ")}: ${member.log()}`);
    }
    return results;
  } finally {
    await member.remove();
  }
}

describeWithReference("etcdctl", () => {
  let expected: ControlResult[] = [];
  beforeAll(async () => {
    expected = await runAll("etcd", "reference");
  }, listMilliseconds);

  const second: [MemberKind, ControlProgram][] =
    process.env.CAIRN_SUBJECT === "reference"
      ? [["etcd", "reference"]]
      : [
          ["cairn", "reference"],
          ["etcd", "cairn"],
        ];
  for (const [kind, program] of second) {
    describe.skipIf(!cairnExists())(`${program} etcdctl with ${kind}`, () => {
      let found: ControlResult[] = [];
      beforeAll(async () => {
        found = await runAll(kind, program);
      }, listMilliseconds);
      for (const [index, { args, stdin }] of controlCommands.entries()) {
        test(`${args.join(" ")}${stdin ? ` < ${JSON.stringify(stdin)}` : ""}`, () => {
          expect(found[index]).toEqual(expected[index]!);
        });
      }
    });
  }

  afterAll(() => {
    console.log(`etcdctl: ${controlCommands.length} commands compared`);
  });
});
