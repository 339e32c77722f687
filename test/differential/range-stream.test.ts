// KV.RangeStream, which etcd has since 3.7: its parts, put together, are what the real etcd answers to the
// same Range; only the last part has header, count and more, and no part comes out of order.

import { method } from "./grpc-client.ts";
import { type Cases, differentialArea } from "./harness.ts";
import { type Json, type JsonObject, plain } from "./plain.ts";
import type { Side } from "./side.ts";

const end = "range-stream/0/~";
const data = { key: "range-stream/0/", range_end: end };

/** The stream of cairn merged into one answer, and the plain Range of etcd. */
async function stream(side: Side, request: JsonObject): Promise<void> {
  if (side.member.kind !== "cairn") {
    const outcome = await side.quiet("KV", "Range", request);
    side.note("KV/RangeStream", request, outcome as unknown as Json);
    return;
  }
  const { messages, error } = await side.grpc.serverStream(method("KV", "RangeStream"), request);
  if (error !== null) {
    side.note("KV/RangeStream", request, { error: error as unknown as Json });
    return;
  }
  const parts = messages.map((each) => (plain(each) as JsonObject).range_response as JsonObject);
  const early = parts.slice(0, -1);
  if (early.some((part) => "header" in part || "count" in part || "more" in part)) {
    throw new Error("a part before the last has a header, count or more");
  }
  const kvs = parts.flatMap((part) => (part.kvs ?? []) as Json[]);
  const merged = { ...parts.at(-1), ...(kvs.length > 0 ? { kvs } : {}) };
  side.note("KV/RangeStream", request, { ok: merged });
}

const sorts = { error: { code: 12, details: "RangeStream does not support custom sort orders" } };
const filters = { error: { code: 12, details: "RangeStream does not support revision filters" } };

async function refused(side: Side, request: JsonObject, answer: JsonObject): Promise<void> {
  if (side.member.kind === "cairn") await stream(side, request);
  else side.note("KV/RangeStream", request, answer);
}

const cases: Cases = {
  fill: async (side) => {
    for (let batch = 0; batch < 4; batch++) {
      const success = Array.from({ length: 120 }, (_, index) => ({
        request_put: {
          key: `range-stream/0/${String(batch * 120 + index).padStart(4, "0")}`,
          value: `${index}`.repeat(1 + index),
        },
      }));
      await side.txn({ success });
    }
  },
  "everything, limits, one key, none": async (side) => {
    for (const limit of [0, 1, 9, 10, 11, 100, 479, 480, 481]) {
      await stream(side, { ...data, limit });
    }
    await stream(side, { key: "range-stream/0/0007" });
    await stream(side, { key: "range-stream/0/nothing" });
    await stream(side, { key: end, range_end: data.key });
  },
  "count only, keys only, serializable, old revisions": async (side) => {
    await stream(side, { ...data, count_only: true });
    await stream(side, { ...data, keys_only: true });
    await stream(side, { ...data, serializable: true, limit: 50 });
    await stream(side, { ...data, revision: side.base - 1 });
    await stream(side, { ...data, revision: side.base - 3, limit: 100 });
    await stream(side, { ...data, sort_target: "MOD", count_only: true });
  },
  "large values": async (side) => {
    for (let index = 0; index < 5; index++) {
      await side.putLarge(side.key(`${index}`), "v".repeat(900_000));
    }
    const request = { key: side.prefix, range_end: `${side.prefix.slice(0, -1)}0` };
    await stream(side, request);
    for (const step of side.steps) {
      const ok = (step.answer as JsonObject).ok as JsonObject | undefined;
      for (const pair of (ok?.kvs ?? []) as JsonObject[]) pair.value = String(pair.value).length;
    }
  },
  errors: async (side) => {
    await stream(side, {});
    await stream(side, { ...data, revision: side.base + 10 });
    await side.call("KV", "Compact", { revision: side.base, physical: true });
    await stream(side, { ...data, revision: side.base - 1 });
    await refused(side, { ...data, sort_order: "DESCEND" }, sorts);
    await refused(side, { ...data, sort_order: "ASCEND", sort_target: "MOD" }, sorts);
    await refused(side, { ...data, min_mod_revision: 5 }, filters);
    await refused(side, { ...data, max_create_revision: 5 }, filters);
  },
};

differentialArea("range-stream", cases);
