// Requests and answers of the checkers' histories, to and from the wire of a gRPC client.

import { type Method, method } from "../differential/grpc-client.ts";
import type { Json, JsonObject } from "../differential/plain.ts";
import type {
  Compare,
  KeyValue,
  KvError,
  KvRequest,
  KvResponse,
  TxnOperation,
} from "../simulation/checkers/kv-operations.ts";

export const kvMethods: Readonly<Record<KvRequest["kind"], Method>> = {
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

/** Leases of histories outlive every run. */
const ttlSeconds = "100000";

export function kvRequest(input: KvRequest): JsonObject {
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
  return { [`request_${member}`]: kvRequest(operation) };
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

export function kvResponse(kind: KvRequest["kind"], answer: JsonObject): KvResponse {
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
        return kvResponse(member, inner as JsonObject);
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

export function keyValueOf(json: Json): KeyValue {
  const found = json as JsonObject;
  return {
    key: String(found.key),
    value: String(found.value ?? ""),
    createRevision: Number(found.create_revision ?? 0),
    modRevision: Number(found.mod_revision ?? 0),
    version: Number(found.version ?? 0),
    lease: BigInt(String(found.lease ?? 0)),
  };
}

export const kvErrors: readonly KvError[] = errors.map(([, error]) => error);

/** The answer that an error text is, when it is a function of the state; null for all other errors. */
export function kvError(text: string): KvResponse | null {
  const known = errors.find(([part]) => text.includes(part));
  return known === undefined ? null : { kind: "error", error: known[1] };
}
