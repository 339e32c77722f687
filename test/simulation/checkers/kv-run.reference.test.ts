// The model's meaning of every request is the real etcd's: the requests of random runs, one after another,
// get the model's answers, byte for byte.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { GrpcClient, method } from "../../differential/grpc-client.ts";
import type { Json, JsonObject } from "../../differential/plain.ts";
import { describeWithReference } from "../../reference.ts";
import { type Member, startMember } from "../../reference-etcd.ts";
import { emptyStore, matches } from "./kv-model.ts";
import type {
  Compare,
  KeyValue,
  KvError,
  KvRequest,
  KvResponse,
  TxnOperation,
} from "./kv-operations.ts";
import { runRequest } from "./kv-run.ts";
import { withBigints } from "./revision-checks.ts";
import { sampleRun } from "./sample-run.ts";

const rpcs = {
  range: method("KV", "Range"),
  put: method("KV", "Put"),
  "delete-range": method("KV", "DeleteRange"),
  txn: method("KV", "Txn"),
  compact: method("KV", "Compact"),
  "lease-grant": method("Lease", "LeaseGrant"),
  "lease-revoke": method("Lease", "LeaseRevoke"),
};

const errors: readonly (readonly [text: string, error: KvError])[] = [
  ["required revision has been compacted", "compacted"],
  ["required revision is a future revision", "future-revision"],
  ["requested lease not found", "lease-not-found"],
  ["lease already exists", "lease-exists"],
];

const ttlSeconds = "100000";

function request(input: KvRequest): JsonObject {
  switch (input.kind) {
    case "range": {
      const { key, rangeEnd, revision, limit, countOnly, serializable } = input;
      const options = { revision, limit, count_only: countOnly, serializable };
      return { key: key === "" ? "\0" : key, ...endOf(rangeEnd), ...options };
    }
    case "put": {
      const { key, value, lease } = input;
      return { key, value, lease: String(lease), prev_kv: true };
    }
    case "delete-range":
      return { key: input.key, ...endOf(input.rangeEnd), prev_kv: true };
    case "txn":
      return {
        compare: input.compares.map(compareOf),
        success: input.success.map(operationOf),
        failure: input.failure.map(operationOf),
      };
    case "compact":
      return { revision: input.revision };
    case "lease-grant":
      return { ID: String(input.lease), TTL: ttlSeconds };
    case "lease-revoke":
      return { ID: String(input.lease) };
  }
}

/** An end that is sent, but empty, means "all keys from here on" to etcd: clients leave it out. */
function endOf(rangeEnd: string): JsonObject {
  return rangeEnd === "" ? {} : { range_end: rangeEnd };
}

function operationOf(operation: TxnOperation): JsonObject {
  const member = operation.kind.replace("-", "_");
  return { [`request_${member}`]: request(operation) };
}

function compareOf({ key, rangeEnd, target, result, operand }: Compare): JsonObject {
  const member = target === "create" || target === "mod" ? `${target}_revision` : target;
  return {
    key,
    ...endOf(rangeEnd),
    target: target.toUpperCase(),
    result: result.toUpperCase().replace("-", "_"),
    [member]: typeof operand === "bigint" ? String(operand) : operand,
  };
}

function response(kind: KvRequest["kind"], answer: JsonObject): KvResponse {
  const revision = Number((answer.header as JsonObject | undefined)?.revision ?? 0);
  switch (kind) {
    case "range": {
      const keyValues = keyValuesOf(answer.kvs);
      return {
        kind,
        revision,
        keyValues,
        count: Number(answer.count ?? 0),
        more: answer.more === true,
      };
    }
    case "put":
      return { kind, revision, previous: answer.prev_kv ? keyValueOf(answer.prev_kv) : null };
    case "delete-range":
      return {
        kind,
        revision,
        deleted: Number(answer.deleted ?? 0),
        previous: keyValuesOf(answer.prev_kvs),
      };
    case "txn": {
      const responses = ((answer.responses ?? []) as JsonObject[]).map((each) => {
        const [[name, inner]] = Object.entries(each) as [[string, Json]];
        const member = name.replace("response_", "").replace("_", "-") as KvRequest["kind"];
        return response(member, inner as JsonObject);
      });
      return { kind, revision, succeeded: answer.succeeded === true, responses };
    }
    default:
      return { kind, revision };
  }
}

function keyValuesOf(list: Json | undefined): KeyValue[] {
  return ((list ?? []) as Json[]).map(keyValueOf);
}

function keyValueOf(json: Json): KeyValue {
  const found = json as JsonObject;
  return {
    key: String(found.key),
    value: String(found.value ?? ""),
    createRevision: Number(found.create_revision),
    modRevision: Number(found.mod_revision),
    version: Number(found.version),
    lease: BigInt(String(found.lease ?? 0)),
  };
}

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
    const outcome = await client.unary(rpcs[input.kind], request(input));
    if ("ok" in outcome) return response(input.kind, outcome.ok as JsonObject);
    const known = errors.find(([text]) => outcome.error.details.includes(text));
    if (known === undefined) throw new Error(outcome.error.details);
    return { kind: "error", error: known[1] };
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
    const wanted = [...Object.keys(rpcs), ...errors.map(([, error]) => error)];
    expect(wanted.filter((name) => !counts.has(name) && name !== "lease-exists")).toEqual([]);
  }, 60_000);
});
