import { expect, test } from "bun:test";
import { byteSizeText, jsonString, logLine, messageJson, tableText } from "./index.ts";

test("byteSizeText counts in thousands", () => {
  const rows: [number, string][] = [
    [0, "0 B"],
    [9, "9 B"],
    [10, "10 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [2_097_152, "2.1 MB"],
    [24_576, "25 kB"],
    [282_624, "283 kB"],
    [2_147_483_648, "2.1 GB"],
    [9_960_000, "10 MB"],
  ];
  for (const [bytes, expected] of rows) expect(byteSizeText(bytes)).toBe(expected);
});

test("tableText breaks cells that are wider than 30 columns between words", () => {
  const errors = "memberID:11417610130673999598 alarm:NOSPACE ";
  expect(tableText(["ID", "ERRORS"], [["1", errors]])).toBe(
    [
      "+----+--------------------------------+",
      "| ID |             ERRORS             |",
      "+----+--------------------------------+",
      "|  1 |  memberID:11417610130673999598 |",
      "|    |                 alarm:NOSPACE  |",
      "+----+--------------------------------+",
      "",
    ].join("\n"),
  );
});

test("messageJson writes 64-bit numbers, bytes and zero fields as Go does", () => {
  const header = {
    cluster_id: 18446744073709551615n,
    member_id: 0n,
    revision: 3,
    raft_term: 0,
  };
  const kv = {
    key: Uint8Array.of(1, 0xff),
    create_revision: 2,
    mod_revision: 0,
    version: 1,
    value: new Uint8Array(0),
    lease: -1n,
  };
  expect(messageJson("RangeResponse", { header, kvs: [kv], more: true, count: 0 })).toBe(
    '{"header":{"cluster_id":18446744073709551615,"revision":3},' +
      '"kvs":[{"key":"Af8=","create_revision":2,"version":1,"lease":-1}],"more":true}',
  );
  const txn = { responses: [{ response_put: { header: { revision: 9 } } }], succeeded: false };
  expect(messageJson("TxnResponse", txn)).toBe(
    '{"responses":[{"Response":{"response_put":{"header":{"revision":9}}}}]}',
  );
});

test("jsonString escapes what Go escapes", () => {
  expect(jsonString('<a&b>"\\\n\u2028é')).toBe('"\\u003ca\\u0026b\\u003e\\"\\\\\\n\\u2028é"');
});

test("logLine has etcd's keys in etcd's order", () => {
  const line = logLine(Date.UTC(2026, 0, 2, 3, 4, 5, 6) + 0.789, {
    level: "warn",
    logger: "etcd-client",
    caller: "a.ts",
    message: "m",
    fields: [
      ["path", "<x>"],
      ["attempt", 1],
    ],
  });
  const record = JSON.parse(line) as { ts: string };
  expect(Object.keys(record)).toEqual([
    "level",
    "ts",
    "logger",
    "caller",
    "msg",
    "path",
    "attempt",
  ]);
  expect(record.ts).toMatch(/^2026-01-0[123]T[0-9:]{8}\.006789(Z|[+-][0-9]{4})$/);
  expect(line).toContain('"path":"<x>"');
});
