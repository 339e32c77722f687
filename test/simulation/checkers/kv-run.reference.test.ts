// The model's meaning of every request is the real etcd's: the requests of random runs, one after another,
// get the model's answers, byte for byte.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { kvError, kvErrors, kvMethods, kvRequest, kvResponse } from "../../cluster/kv-wire.ts";
import { GrpcClient } from "../../differential/grpc-client.ts";
import type { JsonObject } from "../../differential/plain.ts";
import { describeWithReference } from "../../reference.ts";
import { type Member, startMember } from "../../reference-etcd.ts";
import { emptyStore, matches } from "./kv-model.ts";
import type { KvRequest, KvResponse } from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import { withBigints } from "./revision-checks.ts";
import { sampleRun } from "./sample-run.ts";

describeWithReference("the model and the real etcd", () => {
  let member: Member;
  let client: GrpcClient;
  beforeAll(async () => {
    member = await startMember({ kind: "etcd" });
    client = new GrpcClient(member.endpoint);
  }, 30_000);
  afterAll(async () => {
    client?.close();
    await member?.remove();
  });

  async function ask(input: KvRequest): Promise<KvResponse> {
    const outcome = await client.unary(kvMethods[input.kind], kvRequest(input));
    if ("ok" in outcome) return kvResponse(input.kind, outcome.ok as JsonObject);
    const known = kvError(outcome.error.details);
    if (known === null) throw new Error(outcome.error.details);
    return known;
  }

  test("runRequest answers the requests of a random run as etcd does", async () => {
    const { entries } = sampleRun({ seed: 7, operations: 900, lost: 0 });
    const counts = new Map<string, number>();
    let state = emptyStore;
    const states = [emptyStore, emptyStore];
    for (const { client: asked, input } of entries) {
      if (asked < 0) continue;
      const seen = await ask(input);
      const past = (key: string, end: string, at: number) => states[at]!.range(key, end);
      const run = runRequest(state, input, past);
      if (!matches(run, seen)) {
        const texts = [input, run.response, seen].map((each) => JSON.stringify(each, withBigints));
        throw new Error(`${texts[0]}: the model says ${texts[1]}, etcd ${texts[2]}`);
      }
      const name = seen.kind === "error" ? seen.error : seen.kind;
      counts.set(name, (counts.get(name) ?? 0) + 1);
      state = state.after(input, run);
      states[state.revision] = state;
    }
    // Each kind of answer was among them.
    const wanted = [...Object.keys(kvMethods), ...kvErrors];
    expect(wanted.filter((name) => !counts.has(name) && name !== "lease-exists")).toEqual([]);
  }, 60_000);
});
