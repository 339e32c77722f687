// The JSON gateway: every route, the forms of fields it takes and gives, its errors and headers.

import { type Cases, differentialArea } from "./harness.ts";
import { base64, type Json } from "./plain.ts";
import type { Side } from "./side.ts";

async function posts(side: Side, ...list: (readonly [path: string, body: Json])[]): Promise<void> {
  for (const [path, body] of list) await side.request(path, { body });
}

const routeCases: Cases = {
  "put, range, delete": async (side) => {
    const key = base64(side.key("a"));
    const range_end = base64(`${side.prefix.slice(0, -1)}0`);
    await posts(
      side,
      ["/v3/kv/put", { key, value: base64("1") }],
      ["/v3/kv/put", { key, value: base64("2"), prev_kv: true }],
      ["/v3/kv/put", { key: base64(side.key("b")) }],
      ["/v3/kv/range", { key }],
      ["/v3/kv/range", { key, range_end }],
      ["/v3/kv/range", { key, range_end, limit: "1" }],
      ["/v3/kv/range", { key, range_end, count_only: true }],
      ["/v3/kv/range", { key, range_end, keys_only: true }],
      ["/v3/kv/range", { key, range_end, revision: String(side.base + 1) }],
      ["/v3/kv/range", { key: base64("\0nothing") }],
      ["/v3/kv/deleterange", { key, prev_kv: true }],
      ["/v3/kv/deleterange", { key }],
      ["/v3/kv/deleterange", { key, range_end, prev_kv: true }],
    );
  },
  "forms of fields": async (side) => {
    const key = base64(side.key("a"));
    await side.put(side.key("a"), "1");
    await posts(
      side,
      ["/v3/kv/range", { key, sort_order: "DESCEND", sort_target: "MOD" }],
      ["/v3/kv/range", { key, sortOrder: "DESCEND", sortTarget: "MOD" }],
      ["/v3/kv/range", { key, sort_order: 2, sort_target: 3 }],
      ["/v3/kv/range", { key, sort_order: "NOPE" }],
      ["/v3/kv/range", { key, limit: 1 }],
      ["/v3/kv/range", { key, limit: "1" }],
      ["/v3/kv/range", { key, limit: 1 }],
      ["/v3/kv/range", { key, limit: "-1" }],
      ["/v3/kv/range", { key, limit: null }],
      ["/v3/kv/range", { key, count_only: false, keysOnly: true }],
      ["/v3/kv/range", { key, nosuch: { deep: [1, 2] } }],
      ["/v3/kv/range", { key: base64("\xff\xfe\xfd>?") }],
      ["/v3/kv/range", { key: base64("\xff\xfe\xfd>?").replaceAll("+", "-").replaceAll("/", "_") }],
      ["/v3/kv/range", { key: key.replaceAll("=", "") }],
      ["/v3/kv/range", `  { "key" : "${key}" }  `],
      ["/v3/kv/range", `{"key":"${key}"} `],
      ["/v3/kv/range", `{"key":"${key}"}{"key":"${key}"}`],
      ["/v3/kv/range", `{"key":"${key}"} trailing`],
      ["/v3/kv/range", `{"key":"${key}","key":"${key}"}`],
    );
  },
  "bodies that are wrong": async (side) => {
    for (const body of [
      "",
      "{",
      "[]",
      "null",
      "1",
      '"text"',
      "{}",
      '{"key":5}',
      '{"key":"!!"}',
      '{"key":true}',
      '{"key":"YQ==","limit":"x"}',
      '{"key":"YQ==","limit":1.5}',
      '{"key":"YQ==","limit":"9223372036854775808"}',
      '{"key":"YQ==","limit":[]}',
      '{"key":"YQ==","serializable":"yes"}',
      '{"key":"YQ==","serializable":1}',
      '{"key":"YQ==",}',
      '{key:"YQ=="}',
      "\u0000",
    ]) {
      await side.request("/v3/kv/range", { body });
    }
  },
  "errors of the service": async (side) => {
    await posts(
      side,
      ["/v3/kv/range", {}],
      ["/v3/kv/put", {}],
      ["/v3/kv/deleterange", {}],
      ["/v3/kv/range", { key: "YQ==", revision: String(side.base + 100) }],
      ["/v3/kv/put", { key: "YQ==", lease: "4711" }],
      ["/v3/kv/put", { key: "YQ==", value: "YQ==", ignore_value: true }],
      ["/v3/kv/compaction", { revision: String(side.base + 100) }],
      ["/v3/lease/revoke", { ID: "4711" }],
      ["/v3/lease/grant", { TTL: "9000000001" }],
      ["/v3/kv/txn", { success: [{}] }],
      ["/v3/kv/txn", { success: [{ request_put: {} }] }],
      ["/v3/maintenance/hashkv", { revision: String(side.base + 100) }],
    );
  },
  txn: async (side) => {
    const key = base64(side.key("a"));
    const other = base64(side.key("b"));
    await posts(
      side,
      ["/v3/kv/txn", {}],
      [
        "/v3/kv/txn",
        {
          compare: [{ key, target: "CREATE", create_revision: "0" }],
          success: [
            { request_put: { key, value: base64("1") } },
            { requestRange: { key } },
            { request_txn: { success: [{ request_range: { key } }] } },
            { request_delete_range: { key: other } },
          ],
        },
      ],
      [
        "/v3/kv/txn",
        {
          compare: [
            { key, result: "EQUAL", target: "VALUE", value: base64("1") },
            { key, result: 1, target: "VERSION", version: 0 },
          ],
          success: [{ request_range: { key } }],
          failure: [{ request_range: { key: other } }],
        },
      ],
      [
        "/v3/kv/txn",
        {
          compare: [{ key, target: "LEASE", lease: "1" }],
          success: [],
          failure: [{ request_delete_range: { key, prev_kv: true } }],
        },
      ],
      ["/v3/kv/txn", { success: [{ request_put: { key }, request_range: { key } }] }],
      ["/v3/kv/txn", { compare: { key } }],
    );
  },
  leases: async (side) => {
    await posts(
      side,
      ["/v3/lease/grant", { TTL: "100", ID: "770" }],
      ["/v3/lease/grant", { TTL: 100, ID: 770 }],
      ["/v3/kv/put", { key: base64(side.key("a")), lease: "770" }],
      ["/v3/lease/timetolive", { ID: "770", keys: true }],
      ["/v3/kv/lease/timetolive", { ID: "770" }],
      ["/v3/lease/timetolive", { ID: "771" }],
      ["/v3/lease/leases", {}],
      ["/v3/kv/lease/leases", {}],
      ["/v3/lease/keepalive", { ID: "770" }],
      ["/v3/lease/keepalive", { ID: "771" }],
      ["/v3/lease/keepalive", '{"ID":"770"}{"ID":"771"}\n{"ID":770}'],
      ["/v3/lease/keepalive", ""],
      ["/v3/lease/revoke", { ID: "770" }],
      ["/v3/kv/lease/revoke", { ID: "770" }],
      ["/v3/lease/leases", {}],
    );
  },
  "maintenance and members": async (side) => {
    await posts(
      side,
      ["/v3/maintenance/status", {}],
      ["/v3/maintenance/status", ""],
      ["/v3/maintenance/alarm", { action: "ACTIVATE", memberID: "7", alarm: "NOSPACE" }],
      ["/v3/maintenance/alarm", { action: 0, alarm: 1 }],
      ["/v3/maintenance/alarm", { action: "DEACTIVATE", memberID: 7, alarm: "NOSPACE" }],
      ["/v3/maintenance/alarm", {}],
      ["/v3/maintenance/defragment", {}],
      ["/v3/cluster/member/list", {}],
      ["/v3/cluster/member/list", { linearizable: true }],
    );
  },
  "compaction and what follows": async (side) => {
    const key = base64(side.key("a"));
    await side.put(side.key("a"), "1");
    await side.put(side.key("a"), "2");
    await posts(
      side,
      ["/v3/kv/compaction", { revision: String(side.base + 2), physical: true }],
      ["/v3/kv/compaction", { revision: String(side.base + 2) }],
      ["/v3/kv/range", { key, revision: String(side.base + 1) }],
      ["/v3/kv/txn", { success: [{ request_range: { key, revision: String(side.base + 1) } }] }],
    );
  },
  "values of every byte": async (side) => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
    const key = base64(side.key(bytes));
    await posts(
      side,
      ["/v3/kv/put", { key, value: base64(bytes) }],
      ["/v3/kv/range", { key }],
      ["/v3/kv/deleterange", { key, prev_kv: true }],
    );
  },
};

const protocolCases: Cases = {
  methods: async (side) => {
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
      await side.request("/v3/kv/range", { method });
    }
    await side.request("/v3/watch", { method: "GET" });
    await side.request("/v3/nosuch", { method: "OPTIONS" });
  },
  paths: async (side) => {
    const body = { key: "YQ==" };
    for (const path of [
      "/v3/nosuch",
      "/v3/",
      "/v3/kv/range/",
      "/v3/KV/range",
      "/v3/kv",
      "/v4/kv",
    ]) {
      await side.request(path, { body });
    }
    for (const path of ["/v3", "/v2/keys", "/", "/nosuch", "/v3alphabet/kv/range"]) {
      await side.request(path, { body, method: "POST" });
    }
    await side.request("/v3beta/kv/range", { body });
    await side.request("/v3/kv/range?x=1", { body });
    await side.request("/v3//kv/range", { body });
  },
  "request headers": async (side) => {
    const body = { key: "YQ==" };
    for (const headers of [
      { "content-type": "text/plain" },
      { "content-type": "application/x-www-form-urlencoded" },
      { accept: "text/html", origin: "http://elsewhere.example" },
      { authorization: "nope" },
      { "grpc-timeout": "1n" },
      { "grpc-timeout": "10S" },
      { "grpc-timeout": "bogus" },
      { "grpc-metadata-hasleader": "true" },
      { host: "elsewhere.example" },
      { "x-forwarded-for": "10.0.0.1" },
    ]) {
      await side.request("/v3/kv/range", { body, headers: headers as never });
    }
    await side.request("/v3/kv/range", {
      method: "OPTIONS",
      headers: { origin: "http://elsewhere.example", "access-control-request-method": "POST" },
    });
  },
  "the old prefix alpha": async (side) => {
    const options = { body: { key: base64("\0no such key") } };
    await side.request("/v3/kv/range", options);
    const answer = side.steps.pop()?.answer ?? null;
    await side.divergingRequest("v3alpha", "/v3alpha/kv/range", options, answer);
  },
};

const streamCases: Cases = {
  "watch: created, then events as lines": async (side) => {
    const key = base64(side.key("a"));
    await side.lines("/v3/watch", { create_request: { key, prev_kv: true } }, 4, async () => {
      await side.put(side.key("a"), "1");
      await side.put(side.key("a"), "2");
      await side.remove({ key: side.key("a") });
    });
  },
  "watch: refusals": async (side) => {
    const key = base64(side.key("b"));
    await side.lines("/v3/watch", { create_request: { key, start_revision: "-1" } }, 1);
    await side.lines("/v3/watch", { create_request: { key, range_end: base64("\0\0") } }, 1);
    await side.lines("/v3/watch", { createRequest: { key, startRevision: 1, watchId: "9" } }, 2);
  },
  "watch: two watchers in one body": async (side) => {
    const key = base64(side.key("a"));
    const body = `{"create_request":{"key":"${key}"}}\n{"create_request":{"key":"${key}"}}`;
    await side.lines("/v3/watch", body, 2);
  },
  "watch: a list of filters": async (side) => {
    const key = base64(side.key("a"));
    const create_request = { key, filters: ["NOPUT"] };
    await side.lines("/v3/watch", { create_request }, 2, async () => {
      await side.put(side.key("a"), "1");
      await side.remove({ key: side.key("a") });
    });
  },
  "snapshot: lines of blobs": async (side) => {
    const answer = await side.http.raw("/v3/maintenance/snapshot", { body: {} });
    const lines = (await answer.text()).trimEnd().split("\n");
    const results = lines.map((line) => JSON.parse(line).result as Record<string, string>);
    side.note("POST /v3/maintenance/snapshot", null, {
      status: answer.status,
      type: answer.headers.get("content-type"),
      fields: Object.keys(results[0] ?? {}).filter((name) => name !== "version"),
      digestBytes: Buffer.from(results.at(-1)?.blob ?? "", "base64").length,
    });
  },
};

differentialArea("json", { ...routeCases, ...protocolCases, ...streamCases });
