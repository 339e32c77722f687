// Sizes: requests around 1.5 MiB, messages around 2 MiB, answers of any size, the quota.

import { type Cases, differentialArea } from "./harness.ts";
import type { JsonObject } from "./plain.ts";
import { okOf } from "./side.ts";

const requestBytesMax = 1_572_864;
const receiveBytesMax = 2 * 1024 * 1024;
/** Room for what the server adds to a request before it measures it. */
const envelopeBytes = 200;

const cases: Cases = {
  "a put near the limit": async (side) => {
    await side.putLarge(side.key("fits"), "x".repeat(requestBytesMax - envelopeBytes));
    await side.putLarge(side.key("over"), "x".repeat(requestBytesMax));
    await side.putLarge(side.key("more"), "x".repeat(receiveBytesMax - envelopeBytes));
    await side.putLarge(side.key("received"), "x".repeat(receiveBytesMax));
    await side.range({ key: side.prefix, range_end: "\0", count_only: true });
  },
  "a large key": async (side) => {
    await side.putLarge(side.key("k".repeat(100_000)), "v");
    const answer = okOf(await side.quiet("KV", "Range", { key: side.prefix, range_end: "\0" }));
    side.note("sizes", null, sizesOf(answer));
  },
  "a txn over the limit": async (side) => {
    const value = "x".repeat(20_000);
    const success = Array.from({ length: 100 }, (_, index) => ({
      request_put: { key: side.key(`${index}`), value },
    }));
    const outcome = await side.quiet("KV", "Txn", { success });
    side.note("KV/Txn", "100 puts of 20,000 bytes", outcome as never);
    await side.range({ key: side.prefix, range_end: "\0", count_only: true });
  },
  "a read only txn over the request limit is not measured": async (side) => {
    const success = Array.from({ length: 16 }, () => ({
      request_range: { key: side.key("x".repeat(100_000)) },
    }));
    const answer = okOf(await side.quiet("KV", "Txn", { success }));
    side.note("responses", null, (answer.responses as unknown[]).length);
  },
  "an answer of many megabytes": async (side) => {
    for (let index = 0; index < 6; index++) {
      await side.putLarge(side.key(`${index}`), String(index).repeat(1_500_000));
    }
    const answer = okOf(await side.quiet("KV", "Range", { key: side.prefix, range_end: "\0" }));
    side.note("sizes", null, sizesOf(answer));
    const keys = { key: side.prefix, range_end: "\0", keys_only: true };
    await side.range(keys);
  },
  "other requests over the limit": async (side) => {
    const key = "x".repeat(requestBytesMax);
    for (const [service, name, request] of [
      ["KV", "Range", { key }],
      ["KV", "DeleteRange", { key }],
      ["KV", "Range", { key: "x".repeat(receiveBytesMax) }],
    ] as const) {
      const outcome = await side.quiet(service, name, request);
      side.note(`${service}/${name}`, `${request.key.length} bytes`, outcome as never);
    }
  },
};

/** A quota of 16 MiB is reached by 12 puts of 1.5 MB. */
const quotaCases: Cases = {
  "the quota stops puts": async (side) => {
    const value = "q".repeat(1_500_000);
    let refused: unknown = null;
    for (let index = 0; index < 40 && refused === null; index++) {
      const outcome = await side.quiet("KV", "Put", { key: side.key(`${index}`), value });
      if ("error" in outcome) refused = outcome;
    }
    side.note("KV/Put over the quota", null, refused as never);
  },
  // A case of its own, since how many puts fit differs: revisions count from here on.
  "over the quota: what is refused, what still works, how it ends": async (side) => {
    await side.call("Maintenance", "Alarm", {});
    await side.put("small", "1");
    await side.txn({ success: [{ request_put: { key: "small", value: "1" } }] });
    await side.call("Lease", "LeaseGrant", { TTL: 100, ID: 5 });
    await side.txn({ success: [{ request_range: { key: "small" } }] });
    await side.txn({ success: [{ request_delete_range: { key: "small" } }] });
    await side.range({ key: "small" });
    await side.remove({ key: "small" });
    await side.request("/health", { method: "GET" });
    await side.request("/health?exclude=NOSPACE", { method: "GET" });
    await side.request("/v3/kv/put", { body: { key: "YQ==", value: "YQ==" } });
    const status = okOf(await side.quiet("Maintenance", "Status", {}));
    side.note("errors", null, status.errors ?? null);
    await side.call("Maintenance", "Alarm", {
      action: "DEACTIVATE",
      memberID: side.identity.memberId,
      alarm: "NOSPACE",
    });
    await side.call("Maintenance", "Alarm", {});
  },
};

function sizesOf(answer: JsonObject): JsonObject {
  const pairs = (answer.kvs ?? []) as JsonObject[];
  return {
    count: answer.count ?? null,
    sizes: pairs.map((pair) => `${String(pair.key).length}+${String(pair.value ?? "").length}`),
  };
}

/** How many puts fit differs with how the file grows, so the end revisions do too. */
differentialArea("limits", cases);
differentialArea("quota", quotaCases, {
  flags: ["--quota-backend-bytes", String(16 * 1024 * 1024)],
  revisionsDiffer: true,
});
